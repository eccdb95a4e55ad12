/**
 * Refuses a release that is not ready: `node scripts/check-release.mjs v1.2.3`. The tag, package.json and CHANGELOG.md must have the same
 * version, and CHANGELOG.md its date.
 */
import { readFileSync } from "node:fs";

const [tag = ""] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const [, newest, date] = readFileSync(new URL("../CHANGELOG.md", import.meta.url), "utf8").match(/^## \[(\d\S*)\] - (.*)$/m) ?? [];

const complaints = [
  tag !== `v${version}` && `the tag is ${tag}, but package.json has ${version}`,
  newest !== version && `the newest version in CHANGELOG.md is ${newest}, but package.json has ${version}`,
  !/^\d{4}-\d\d-\d\d$/.test(date ?? "") && `CHANGELOG.md has "${date}" instead of a date for ${newest}`,
].filter((complaint) => complaint !== false);
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exit(1);
console.log(`${tag} is ready`);
