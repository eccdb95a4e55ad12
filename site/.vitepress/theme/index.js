/** VitePress's default theme, with the colours of the library, the picture on the front page, and the playground. */
import DefaultTheme from "vitepress/theme-without-fonts";
import { defineAsyncComponent, h } from "vue";
import session from "../../../docs/pictures/session.svg";
import "./style.css";

const alt = "Bytes arrive in pieces, the reader makes lines of them, drain() waits for a slow peer";

export default {
  extends: DefaultTheme,
  Layout: () =>
    h(DefaultTheme.Layout, null, {
      "home-hero-after": () => h("div", { class: "front-picture" }, h("img", { src: session, alt, width: 880, height: 316 })),
    }),
  enhanceApp({ app }) {
    app.component(
      "PlaygroundPage",
      defineAsyncComponent(() => import("../../playground/PlaygroundPage.vue")),
    );
  },
};
