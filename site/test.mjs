/**
 * Tests the built site in headless Chromium: `npm run test:site` builds it first. `node site/test.mjs` tests what is built.
 *
 * Chromium is Debian's package; `CHROMIUM` names another binary. Without one the tests are skipped. Each test has a page of its own, and
 * fails if the page reports an error on its console.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { chromium } from "playwright-core";
import { groups, pageOf } from "./pages.mjs";
import { examples } from "./playground/examples.js";
import { output, root } from "./repository.mjs";
import { serveSite } from "./serve.mjs";

const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const binary = CANDIDATES.find((path) => path !== undefined && existsSync(path));

const DESKTOP = { width: 1_280, height: 900 };
const PHONE = { width: 375, height: 740 };

/** What a busy machine may need for a step in a page, in milliseconds. */
const PATIENCE_MS = 30_000;

let site;
let browser;

/** Opens a page, and waits until its scripts run. */
async function open(page, path) {
  await page.goto(site.url + path, { waitUntil: "load" });
  await page.waitForFunction(() => document.querySelector("#app")?.__vue_app__ !== undefined);
}

/** Opens a page for a test, and checks its console afterwards. */
async function withPage(path, options, test) {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("response", (response) => response.status() >= 400 && complaints.push(`${response.status()} ${response.url()}`));
  try {
    await open(page, path);
    await test(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
}

/** Runs the program in the playground to its end, and returns the lines of the log. */
async function runProgram(page, text) {
  if (text !== undefined) {
    await page.locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.insertText(text);
  }
  // The page shows the status of the run before until this one begins.
  await page.locator(".playground").evaluate((element) => element.setAttribute("data-status", "ready"));
  await page.getByRole("button", { name: "Run" }).click();
  await page.waitForSelector('.playground[data-playing="false"]:not([data-status="running"]):not([data-status="ready"])');
  return await page.locator(".log li .what").allInnerTexts();
}

const status = (page) => page.locator(".playground").getAttribute("data-status");

describe("the site", { skip: binary === undefined ? "Chromium is not installed" : false }, () => {
  before(async () => {
    site = await serveSite();
    browser = await chromium.launch({ executablePath: binary, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  });
  after(async () => {
    await browser?.close();
    site?.close();
  });

  describe("navigation", () => {
    it("leads from the front page to the first page, and along the sidebar to a chapter", () =>
      withPage("", {}, async (page) => {
        await page.getByRole("link", { name: "Get started" }).click();
        await page.waitForURL("**/getting-started");
        await page.locator(".VPSidebar").getByRole("link", { name: "Framing", exact: true }).click();
        await page.waitForURL("**/guide/framing");
        await page.locator(".vp-doc h1", { hasText: "Framing" }).waitFor(); // the address changes first
      }));

    it("has every page of docs/ in the sidebar", () =>
      withPage("guide", {}, async (page) => {
        const links = await page.locator(".VPSidebar a").evaluateAll((all) => all.map((one) => new URL(one.href).pathname));
        for (const file of groups().flatMap(({ files }) => files)) {
          const address = new URL(pageOf(file).replace(/\.md$/, ""), site.url).pathname;
          assert.ok(links.includes(address), `${file} is not in the sidebar`);
        }
      }));

    it("leads to the API of an export", () =>
      withPage("api/asyncio-streams/", {}, async (page) => {
        await page.locator(".vp-doc").getByRole("link", { name: "StreamReader", exact: true }).click();
        await page.waitForURL("**/classes/StreamReader");
        await page.locator(".vp-doc", { hasText: "readexactly()" }).waitFor();
      }));

    it("leads to sources in the repository", () =>
      withPage("design", {}, async (page) => {
        const links = await page.locator(".vp-doc a").evaluateAll((all) => all.map((one) => one.href));
        assert.ok(links.some((href) => href.endsWith("/blob/main/src/base/byte-queue.ts")));
      }));

    it("answers an unknown address with a page", () =>
      withPage("", {}, async (page) => {
        assert.equal((await page.request.get(`${site.url}no-such-page`)).status(), 404);
      }));
  });

  describe("search", () => {
    it("finds a chapter by its words, and an error by its code", () =>
      withPage("", {}, async (page) => {
        for (const [words, address] of [
          ["backpressure", "/guide/streams#backpressure"],
          ["ERR_LIMIT_OVERRUN", "/errors#"],
        ]) {
          await page.locator(".DocSearch-Button").click();
          await page.locator("#localsearch-input").fill(words);
          await page.locator(`.VPLocalSearchBox .result[href*="${address}"]`).first().waitFor();
          await page.keyboard.press("Escape");
        }
        await page.locator(".DocSearch-Button").click();
        await page.locator("#localsearch-input").fill("openUnixConnection");
        await page.locator(".VPLocalSearchBox .result").first().click();
        await page.waitForFunction((url) => location.href !== url, site.url);
      }));
  });

  describe("the playground", () => {
    for (const { id, title, prints } of examples) {
      it(`runs: ${title}`, () =>
        withPage(`playground#${id}`, {}, async (page) => {
          const log = await runProgram(page);
          assert.equal(await status(page), "done", log.join("\n"));
          let at = 0;
          for (const expected of prints) {
            const found = log.findIndex((line, index) => index >= at && line.includes(expected));
            assert.notEqual(found, -1, `"${expected}" is not in the log, or not in order:\n${log.join("\n")}`);
            at = found + 1;
          }
        }));
    }

    it("shows where bytes wait, that reading is paused, and that drain() waits", () =>
      withPage("playground#backpressure", {}, async (page) => {
        const log = await runProgram(page);
        for (const event of [
          "pauseReading()",
          "pauseWriting()",
          "drain() waits",
          "resumeWriting()",
          "drain() continues",
          "resumeReading()",
        ]) {
          assert.ok(
            log.some((line) => line.startsWith(event)),
            event,
          );
        }
        // Back to the moment of the first wait.
        await page.getByRole("slider").fill(String(log.findIndex((line) => line.startsWith("drain() waits")) + 1));
        const way = page.locator(".way.client");
        await way.locator(".buffer .chip", { hasText: "drain() waits" }).waitFor();
        assert.ok(
          Number(await way.locator(".buffer .track").getAttribute("aria-valuenow")) > 64,
          "more than the high-water mark is buffered",
        );
        assert.equal(await way.locator(".line .bytes").innerText(), "48 B");
      }));

    it("shows an error of the program with its line, and runs again after it", () =>
      withPage("playground", {}, async (page) => {
        const log = await runProgram(page, 'console.log("before");\n\nnull.nothing();\n');
        assert.equal(await status(page), "failed");
        assert.match(log.join("\n"), /before\nTypeError: .*null.* at line 3/);
        assert.equal(await page.locator(".failed-line").innerText(), "null.nothing();");
        await page.getByRole("button", { name: "Reset" }).click();
        assert.ok((await runProgram(page)).includes("HELLO"));
      }));

    it("shows an error of the syntax, of an import, and of a server's callback", () =>
      withPage("playground", {}, async (page) => {
        assert.match((await runProgram(page, "const = 1;")).join("\n"), /SyntaxError/);
        assert.match((await runProgram(page, 'import { readFile } from "node:fs";')).join("\n"), /cannot import "node:fs" here/);
        assert.match(
          (await runProgram(page, 'import { openConnection } from "asyncio-streams";\nopenConnection();')).join("\n"),
          /no export "openConnection" that works in a browser/,
        );
        const callback = `import { memoryPair } from "asyncio-streams/testing";
const [client] = memoryPair({ clientConnectedCb: async () => { throw new Error("the callback failed"); } });
await client.reader.read();
`;
        assert.match((await runProgram(page, callback)).join("\n"), /the callback failed/);
      }));

    it("stops a loop that never ends", () =>
      withPage("playground", {}, async (page) => {
        await page.locator(".cm-content").click();
        await page.keyboard.press("ControlOrMeta+A");
        await page.keyboard.insertText("for (;;) {}");
        await page.getByRole("button", { name: "Run" }).click();
        await page.getByRole("button", { name: "Stop" }).click();
        assert.equal(await status(page), "stopped");
      }));
  });

  describe("the appearance", () => {
    const pages = ["", "getting-started", "guide/streams", "api/asyncio-streams/classes/StreamReader", "errors", "performance", "design"];

    it("fits a phone: no page scrolls sideways", () =>
      withPage("playground#backpressure", { viewport: PHONE }, async (page) => {
        await runProgram(page);
        assert.equal(await widthOf(page), PHONE.width, "playground");
        for (const path of pages) {
          await open(page, path);
          assert.equal(await widthOf(page), PHONE.width, path);
        }
      }));

    it("follows the system's dark mode, and the switch; pictures follow the page", () =>
      withPage("design", { colorScheme: "dark" }, async (page) => {
        const isDark = () => page.evaluate(() => document.documentElement.classList.contains("dark"));
        const pixel = () => page.locator(".vp-doc img").first().screenshot();
        assert.equal(await isDark(), true);
        const dark = await pixel();
        await page.locator(".VPNavBar .VPSwitchAppearance").first().click();
        assert.equal(await isDark(), false);
        assert.notDeepEqual(await pixel(), dark);
      }));
  });

  describe("the texts for language models", () => {
    it("list every page, and hold all of the documentation", async () => {
      const list = readFileSync(join(output, "llms.txt"), "utf8");
      const all = readFileSync(join(output, "llms-full.txt"), "utf8");
      for (const file of groups().flatMap(({ files }) => files)) {
        assert.ok(list.includes(`/${pageOf(file)})`), `${file} is not in llms.txt`);
        assert.equal((await fetch(site.url + pageOf(file))).status, 200);
        if (file !== "CHANGELOG.md") assert.ok(all.includes(`/${pageOf(file)} -->`), `${file} is not in llms-full.txt`);
      }
      assert.ok(all.includes(firstLineOf("docs/errors.md")));
    });
  });
});

const widthOf = (page) => page.evaluate(() => document.documentElement.scrollWidth);

const firstLineOf = (file) => readFileSync(root + file, "utf8").split("\n", 1)[0];
