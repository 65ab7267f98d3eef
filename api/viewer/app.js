// The page: one object that every part is given, and the parts in the order they are mounted.

import { createApi } from "./api.js";
import { createCards } from "./cards.js";
import { translate } from "./dom.js";
import { createMap } from "./map.js";
import { createPanel } from "./panel.js";
import { createState } from "./state.js";
import { setLanguage, t, texts } from "./texts.js";
import { PARTS } from "./parts.js";

const KEPT = "diaba.language";

// A message: read out by screen readers, and shown where it is an error.
function createSay() {
  const aloud = document.getElementById("aloud");
  const shown = document.getElementById("message");
  let hide = null;
  return (text, { level = "note" } = {}) => {
    clearTimeout(hide);
    const isError = level === "error";
    shown.textContent = isError || level === "show" ? text : "";
    shown.className = level;
    shown.hidden = !shown.textContent;
    if (!isError) {
      // Said again when it is the same.
      aloud.textContent = "";
      requestAnimationFrame(() => { aloud.textContent = text; });
    }
    if (!shown.hidden && !isError) hide = setTimeout(() => { shown.hidden = true; }, 6000);
  };
}

function chooseLanguage(app) {
  const { state } = app;
  const kept = localStorage.getItem(KEPT);
  if (!location.hash.includes("lang=") && kept) state.set({ language: kept === "en" ? "en" : "vi" });
  setLanguage(state.get("language"));
  translate();
  // Before the parts' own listeners, so that they find the new language.
  state.on("language", (language) => {
    setLanguage(language);
    localStorage.setItem(KEPT, language);
    translate();
    titlePage(app);
  });
}

function titlePage(app) {
  const name = (app.tiles?.name ?? "diaba").replace(/^diaba · /, "");
  document.title = `${name} · ${t("app.title")} · diaba`;
  document.getElementById("city").textContent = name;
}

// The links at the start of the page lead over what is between; the address is the map's.
function skipLinks(app) {
  document.getElementById("skip-map").addEventListener("click", (event) => {
    event.preventDefault();
    app.map.getCanvas().focus();
  });
  document.getElementById("skip-list").addEventListener("click", (event) => {
    event.preventDefault();
    app.panel.show("view", { focus: true });
  });
}

async function start() {
  const base = new URL(document.documentElement.dataset.base, document.baseURI).href;
  const state = createState();
  const app = { base, state, t, texts, say: createSay(), api: createApi(base, state) };
  // For the browser's console and the tests.
  globalThis.diaba = app;
  chooseLanguage(app);
  [app.tiles, app.rasters] = await Promise.all([app.api.json("tiles.json"), app.api.json("raster/dtm/tiles.json")]);
  titlePage(app);
  createPanel(app);
  createCards(app);
  app.map = createMap(app, app.tiles);
  for (const { mount } of PARTS) mount(app);
  skipLinks(app);
  if (app.isEmpty) app.say(t("app.empty"), { level: "show" });
  app.map.once("style.load", () => {
    const selected = state.get("selected");
    if (selected) {
      app.highlight(selected, true);
      app.card.open(selected);
    }
    app.isReady = true;
  });
}

document.addEventListener("keydown", (event) => {
  // What is nearest closes first: the page's own parts have had their turn.
  if (event.key === "Escape" && !event.defaultPrevented && globalThis.diaba?.state.get("selected")) globalThis.diaba.state.set({ selected: null });
});

start().catch((error) => {
  const shown = document.getElementById("message");
  shown.textContent = error.message;
  shown.hidden = false;
});
