/** VitePress's default theme, with the colours of the library and the playground. */
import DefaultTheme from "vitepress/theme-without-fonts";
import { defineAsyncComponent } from "vue";
import "./style.css";

export default {
  extends: DefaultTheme,
  enhanceApp({ app }) {
    app.component(
      "PlaygroundPage",
      defineAsyncComponent(() => import("../../playground/PlaygroundPage.vue")),
    );
  },
};
