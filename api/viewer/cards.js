// The card of what was chosen on the map, in a list, by a search or by the address.

import { escaped, fill, h, put, word } from "./dom.js";
import { icon } from "./icons.js";

export function createCards(app) {
  const card = document.getElementById("card");
  // Kind → { path(id), title, name(feature), icon, rows, source, sourceLayer, … }: what shows it and where its facts are.
  const kinds = new Map();
  // Kind → functions (feature, box) of parts that add to its card.
  const added = new Map();
  let shown = null;
  let returnTo = null;

  function define(kind, told) {
    kinds.set(kind, told);
  }

  function add(kind, part) {
    if (!added.has(kind)) added.set(kind, []);
    added.get(kind).push(part);
    if (shown?.kind === kind) draw();
  }

  // Asks for what is chosen and shows it.
  async function open(selected, { focus = false } = {}) {
    const told = kinds.get(selected.kind);
    if (!told) return;
    const wanted = { ...selected };
    shown = wanted;
    try {
      const feature = await told.load(wanted.id);
      if (shown !== wanted) return;
      shown.feature = feature;
      draw();
      card.hidden = false;
      document.body.dataset.card = wanted.kind;
      app.say(`${app.t(told.title)} ${told.name?.(feature) ?? wanted.id}`);
      if (focus) card.focus({ preventScroll: true });
    } catch (error) {
      if (shown !== wanted) return;
      app.state.set({ selected: null });
      app.say(error.status === 404 ? app.t("card.gone", { id: wanted.id }) : error.message, { level: "error" });
    }
  }

  function close() {
    shown = null;
    const hadFocus = card.contains(document.activeElement);
    card.hidden = true;
    document.body.dataset.card = "";
    fill(card);
    if (hadFocus) wayBack().focus();
    returnTo = null;
  }

  // Where the keyboard was before: there, or at the same thing where its list was drawn anew, or at the map.
  function wayBack() {
    if (returnTo?.isConnected) return returnTo;
    const again = returnTo?.dataset.thing && document.querySelector(`[data-thing="${CSS.escape(returnTo.dataset.thing)}"]`);
    return again || app.map.getCanvas();
  }

  function draw() {
    const told = kinds.get(shown.kind);
    const { feature } = shown;
    const box = h("div", { class: "body" });
    const title = h("h2", { id: "card-title" }, icon(told.icon, 20), h("span", {}, `${app.t(told.title)} `, h("b", {}, told.name?.(feature) ?? shown.id)));
    const off = h("button", { type: "button", class: "quiet close", label: "card.close", on: { click: () => app.state.set({ selected: null }) } }, icon("close"));
    const table = h("table", {}, h("tbody", {}));
    put(box, told.before?.(feature), table);
    for (const [label, value] of told.rows(feature)) row(table, label, value);
    if (!table.rows.length) table.remove();
    put(box, told.after?.(feature));
    for (const part of added.get(shown.kind) ?? []) part(feature, box);
    const geometry = app.reach(feature.geometry);
    const tools = h("div", { class: "tools" },
      geometry && h("button", { type: "button", class: "quiet", on: { click: () => app.goTo({ bounds: geometry }) } }, icon("target", 18), h("span", { t: "card.zoom" })),
      h("button", { type: "button", class: "quiet", on: { click: copy } }, icon("link", 18), h("span", { t: "card.copy" })));
    fill(card, h("header", {}, title, off), box, tools);
  }

  // The address of what is shown, for an e-mail; where the browser keeps pages off the clipboard it is shown.
  async function copy() {
    const address = app.state.address();
    try {
      await navigator.clipboard.writeText(address);
      app.say(app.t("card.copied"), { level: "show" });
    } catch {
      app.say(address, { level: "show" });
    }
  }

  // A line of a card's table: a key of a text and a value; nothing where there is no value.
  function row(table, label, value) {
    if (value === null || value === undefined || value === "") return;
    table.tBodies[0].append(h("tr", {}, h("th", { scope: "row" }, app.t(label)), put(h("td"), value)));
  }

  card.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    app.state.set({ selected: null });
  });
  app.state.on("selected", (selected, before) => {
    if (before) app.highlight?.(before, false);
    if (!selected) {
      close();
      return;
    }
    app.highlight?.(selected, true);
    open(selected, { focus: app.focusCard });
    app.focusCard = false;
  });
  app.state.on("language", () => shown?.feature && draw());
  for (const name of ["asOf", "knownAt"]) app.state.on(name, () => shown && open(shown));

  // What was chosen is shown; `focus` takes the keyboard there, and back when the card is closed.
  app.select = (selected, { focus = false } = {}) => {
    if (focus) returnTo = document.activeElement;
    app.focusCard = focus;
    const same = app.state.get("selected");
    if (same && selected && same.kind === selected.kind && same.id === selected.id) {
      app.focusCard = false;
      open(selected, { focus });
    } else app.state.set({ selected });
  };
  app.card = { add, define, kinds, open, close, row, word, escaped, get shown() { return shown; } };
}
