/**
 * Refuses a release that is not ready: `node scripts/check-release.mjs v1.2.3`. The tag, package.json and CHANGELOG.md must have the same
 * version, and CHANGELOG.md its date, and nothing that belongs to a later version. In a workflow, package.json must name its repository,
 * which provenance requires.
 */
import { readFileSync } from "node:fs";

const [tag = ""] = process.argv.slice(2);
const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const { version, repository } = JSON.parse(read("package.json"));
const changelog = read("CHANGELOG.md");
const [, newest, date] = changelog.match(/^## \[(\d\S*)\] - (.*)$/m) ?? [];
const [, unreleased = ""] = changelog.match(/^## \[Unreleased\]\n(.*?)^## /ms) ?? [];
const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env;

const complaints = [
  tag !== `v${version}` && `the tag is ${tag}, but package.json has ${version}`,
  newest !== version && `the newest version in CHANGELOG.md is ${newest}, but package.json has ${version}`,
  !/^\d{4}-\d\d-\d\d$/.test(date ?? "") && `CHANGELOG.md has "${date}" instead of a date for ${newest}`,
  unreleased.trim() !== "" && `CHANGELOG.md has changes below "Unreleased": move them to ${version}`,
  read("README.md").includes("is not released yet") && "README.md says that the version is not released yet",
  name !== undefined &&
    repository.url !== `git+${server}/${name}.git` &&
    `package.json names the repository ${repository.url}, but this is ${server}/${name}`,
].filter((complaint) => complaint !== false);
for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exit(1);
console.log(`${tag} is ready`);
