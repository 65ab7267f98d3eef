// The switch between Vietnamese and English.

import { h } from "./dom.js";

export function mount(app) {
  const { state } = app;
  const button = h("button", { type: "button", class: "quiet", id: "language", t: "language.switch", label: "language.label", lang: state.get("language") === "vi" ? "en" : "vi" });
  button.addEventListener("click", () => state.set({ language: state.get("language") === "vi" ? "en" : "vi" }));
  state.on("language", (language) => {
    button.lang = language === "vi" ? "en" : "vi";
    app.say(app.t("language.now"));
  });
  document.getElementById("actions").append(button);
}
