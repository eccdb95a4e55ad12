/** VitePress's configuration. ../build.mjs writes the pages to ../source before; ../pages.mjs says which they are. */

import { anchorOf, sidebar } from "../pages.mjs";
import { libraryForBrowsers } from "../playground/library.mjs";
import { base, output, repositoryUrl, root, version } from "../repository.mjs";

export default {
  title: "asyncio-streams",
  description: "Python's asyncio Streams for TypeScript: Unix sockets, TCP and TLS as a [reader, writer] pair, on Node, Bun and Deno",
  lang: "en-GB",
  base,
  srcDir: "source",
  outDir: output,
  cacheDir: `${root}build/site-cache`,
  cleanUrls: true,
  metaChunk: true,
  head: [
    ["link", { rel: "icon", type: "image/svg+xml", href: `${base}logo.svg` }],
    ["meta", { name: "theme-color", content: "#1a7f64" }],
  ],
  markdown: {
    anchor: { slugify: anchorOf },
    theme: { light: "github-light", dark: "github-dark" },
  },
  themeConfig: {
    logo: "/logo.svg",
    nav: [
      { text: "Guide", link: "/getting-started", activeMatch: "^/(getting-started|guide|command)" },
      { text: "API", link: "/api/asyncio-streams/", activeMatch: "^/api/" },
      { text: "Errors", link: "/errors" },
      { text: "Playground", link: "/playground" },
      {
        text: version,
        items: [
          { text: "Changelog", link: "/changelog" },
          { text: "Contributing", link: "/contributing" },
        ],
      },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3], label: "On this page" },
    search: {
      provider: "local",
      options: {
        detailedView: true,
        // The index needs no colours, which take most of the time.
        _render: (text, env, md) => (env.frontmatter?.search === false ? "" : md.render(text.replace(/^```\w.*$/gm, "```text"), env)),
        miniSearch: { searchOptions: { fuzzy: 0.15, prefix: true, boost: { title: 4, text: 2, titles: 1 } } },
      },
    },
    socialLinks: [{ icon: "github", link: repositoryUrl }],
    footer: { message: "MIT licence" },
  },
  vite: {
    publicDir: `${root}site/public`,
    plugins: [libraryForBrowsers()],
    worker: { format: "es", plugins: () => [libraryForBrowsers()] },
    server: { fs: { allow: [root] } },
    build: { chunkSizeWarningLimit: 4_000 },
  },
};
