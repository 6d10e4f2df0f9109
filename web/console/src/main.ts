import { createApp } from "vue";
import App from "./App.vue";
import "./elements.ts";
import { router } from "./router.ts";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/print.css";
import "./styles/touch.css";
import { i18n, language, speak } from "./words/index.ts";

speak(language.value);
createApp(App).use(i18n).use(router).mount("#app");
