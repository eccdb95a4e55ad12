/** What a release needs is there, and says the same everywhere: version, changelog, README, workflows. */
import "../support/leak-guard.js";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { documents } from "../docs/markdown.js";
import { root } from "../support/repository.js";

const read = (path: string): string => readFileSync(`${root}${path}`, "utf8");
const manifest = JSON.parse(read("package.json")) as {
  readonly version: string;
  readonly publishConfig: object;
  readonly homepage: string;
  readonly bugs: string;
  readonly repository: { readonly url: string };
};
const lock = JSON.parse(read("package-lock.json")) as { readonly version: string };
const [, newest, date] = read("CHANGELOG.md").match(/^## \[(\d\S*)\] - (.*)$/m) ?? [];
const workflows = new Map(readdirSync(`${root}.github/workflows`).map((name) => [name, read(`.github/workflows/${name}`)]));

describe("the version", () => {
  it("is the same in package.json, the lock file and the changelog", () => {
    assert.deepEqual([lock.version, newest], [manifest.version, manifest.version]);
  });

  it("is called unreleased by the README as long as the changelog has no date for it", () => {
    const released = /^\d{4}-\d\d-\d\d$/.test(date ?? "");
    assert.equal(read("README.md").includes(`Version ${manifest.version} is not released yet`), !released);
  });
});

describe("publishing", () => {
  it("is public and has provenance", () => {
    assert.deepEqual(manifest.publishConfig, { access: "public", provenance: true });
  });

  it("is possible only for the release workflow, which has no other right", () => {
    // The workflow of the site proves to GitHub Pages who it is. The registry trusts only the one that publishes the package.
    const identified = ["release.yml", "site.yml"];
    for (const [name, text] of workflows) {
      assert.equal(text.includes("id-token: write"), identified.includes(name), name);
      assert.equal(text.includes("npm publish"), name === "release.yml", name);
    }
    assert.match(workflows.get("release.yml") ?? "", /permissions:\n {2}contents: read\n/);
    assert.match(workflows.get("release.yml") ?? "", /npm publish --provenance/);
  });
});

describe("the repository", () => {
  const address = manifest.repository.url.replace(/^git\+(.*)\.git$/, "$1");

  it("has its address, its issues and its site in package.json", () => {
    assert.match(address, /^https:\/\/github\.com\/[\w-]+\/[\w-]+$/);
    const [, owner, name] = /([\w-]+)\/([\w-]+)$/.exec(address) ?? [];
    assert.deepEqual([manifest.bugs, manifest.homepage], [`${address}/issues`, `https://${owner}.github.io/${name}/`]);
  });

  it("has the same address wherever a page or a form names it", () => {
    const forms = readdirSync(`${root}.github/ISSUE_TEMPLATE`).map((name) => `.github/ISSUE_TEMPLATE/${name}`);
    const named = [...documents(), ...forms].flatMap((file) => read(file).match(/https:\/\/github\.com\/asyncio-streams\/[\w-]+/g) ?? []);
    assert.ok(named.length > 0);
    assert.deepEqual([...new Set(named)], [address]);
  });
});

describe("check-release.mjs", () => {
  const check = (env: Readonly<Record<string, string>>): string =>
    spawnSync(process.execPath, [`${root}scripts/check-release.mjs`, "v0.0.1"], { encoding: "utf8", env: { ...process.env, ...env } })
      .stderr;

  it("refuses another version", () => assert.match(check({}), /^the tag is v0\.0\.1, but package\.json has /m));

  it("refuses another repository, which provenance would not accept", () => {
    const env = { GITHUB_SERVER_URL: "https://github.com", GITHUB_REPOSITORY: "another/repository" };
    assert.match(check(env), /^package\.json names the repository .*, but this is https:\/\/github\.com\/another\/repository$/m);
  });
});

describe("the workflows", () => {
  it("run the same check as developers", () => assert.match(workflows.get("ci.yml") ?? "", /- run: \.ci\/run\n/));

  it("pin each action to a commit", () => {
    for (const text of workflows.values()) {
      for (const [, action = ""] of text.matchAll(/uses: (.*)/g))
        assert.match(action, /^(\.\/\.github\/|\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$)/);
    }
  });

  it("run only scripts that exist", () => {
    for (const text of workflows.values()) {
      for (const [, script = ""] of text.matchAll(/(?:node |run: )(scripts\/\S+)/g)) assert.ok(read(script).length > 0);
    }
  });
});
