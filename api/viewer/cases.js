// Cases to inspect: a list and the map in step, one case with its evidence, and what inspections found.

import { TEXTS } from "./case_texts.js";
import { createSheet } from "./case_sheet.js";
import { createStatistics } from "./case_statistics.js";
import { arrows, fill, h, put } from "./dom.js";
import { measure } from "./texts.js";

const PAGE = 50;
const SOURCE = "cases";
const KINDS = ["no_permit", "storeys", "footprint", "parcel_line", "setback", "reserve", "zone", "ground_level", "demolished", "standing", "unfinished"];
const STATUSES = ["flagged", "assigned", "confirmed", "dismissed", "resolved"];
const SORTS = ["-confidence", "-delta", "-flagged_at", "kind"];
const CONFIDENCES = ["", "0.9", "0.95", "0.99", "0.999"];
const WAIT = 400;

export function mount(app) {
  const { map, state, t } = app;
  app.texts("cases", TEXTS);
  let cases = [];
  let next = null;
  let asked = 0;
  let waiting = null;

  const filter = new URLSearchParams(state.get("caseFilter") ?? "");
  const fields = {
    kind: choice("kind", KINDS, "cases.kind"),
    status: choice("status", STATUSES, "cases.status"),
    ward: h("input", { type: "text", id: "case-ward", autocomplete: "off", inputmode: "numeric", maxlength: "32", value: filter.get("ward") ?? "" }),
    min_confidence: h("select", { id: "case-min_confidence" }, CONFIDENCES.map((one) => (one ? h("option", { value: one }, `${Number(one) * 100} %`) : h("option", { value: "", t: "cases.all" })))),
    sort: h("select", { id: "case-sort" }, SORTS.map((one) => h("option", { value: one, t: `cases.sort.${one}` }))),
  };
  for (const [name, field] of Object.entries(fields)) if (filter.has(name)) field.value = filter.get(name);
  const inView = h("input", { type: "checkbox", id: "case-in-view", checked: filter.has("in_view") });
  const labels = { kind: "kind", status: "status", ward: "ward", min_confidence: "confidence", sort: "sort" };
  const form = h("form", { class: "filters" }, Object.entries(fields).map(([name, field]) => h("div", { class: name === "sort" ? "across" : "" }, h("label", { for: field.id, t: `cases.${labels[name]}` }), field)),
    h("label", { class: "toggle across", for: "case-in-view" }, inView, h("span", { t: "cases.inView" })));
  const count = h("p", { class: "note", role: "status" });
  const list = h("ul", { class: "cases", label: "cases.title" });
  const more = h("button", { type: "button", class: "second", t: "cases.more", hidden: true, on: { click: () => load({ isMore: true }) } });
  const csv = h("a", { t: "cases.csv", download: "cases.csv" });
  const sheet = createSheet(app, { changed: () => load() });
  const statistics = createStatistics(app);

  const parts = {
    list: h("div", {}, form, count, list, more, h("p", { class: "links" }, csv), h("p", { class: "note", t: "cases.advice" })),
    statistics: statistics.element,
  };
  const tabs = Object.fromEntries(Object.keys(parts).map((name) => [name, h("button", { type: "button", role: "tab", id: `case-tab-${name}`, "aria-controls": `case-part-${name}`, t: `cases.${name}`, on: { click: () => show(name) } })]));
  const bar = h("div", { class: "tabs", role: "tablist", label: "cases.title" }, Object.values(tabs));
  for (const [name, part] of Object.entries(parts)) {
    for (const [key, value] of Object.entries({ role: "tabpanel", id: `case-part-${name}`, "aria-labelledby": `case-tab-${name}` })) part.setAttribute(key, value);
  }
  arrows(bar, () => Object.values(tabs), (tab) => { tab.focus(); tab.click(); }, { isVertical: false });

  function show(name) {
    for (const [other, part] of Object.entries(parts)) {
      part.hidden = other !== name;
      tabs[other].setAttribute("aria-selected", String(other === name));
      tabs[other].tabIndex = other === name ? 0 : -1;
    }
    if (name === "statistics") statistics.load();
  }

  function choice(name, values, group) {
    return h("select", { id: `case-${name}` }, h("option", { value: "", t: "cases.all" }), values.map((value) => h("option", { value, t: `${group}.${value}` })));
  }

  const panel = app.panel("cases", {
    title: "cases.title", icon: "flag", order: 20, element: h("div", { class: "tool" }, bar, ...Object.values(parts)),
    onOpen: () => { paint(); load(); }, onClose: () => paint(),
  });
  show("list");

  function query() {
    const found = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
    // Westernmost, southernmost, easternmost, northernmost.
    if (inView.checked) found.bbox = map.getBounds().toArray().flat().map((one) => one.toFixed(7)).join(",");
    return found;
  }

  async function load({ isMore = false } = {}) {
    const mine = ++asked;
    const wanted = { ...query(), limit: PAGE, after: isMore ? next : null };
    list.setAttribute("aria-busy", "true");
    try {
      const found = await app.api.json("compliance/cases", wanted);
      if (mine !== asked) return;
      cases = isMore ? [...cases, ...found.cases] : found.cases;
      const on = found.links.find(({ rel }) => rel === "next");
      next = on ? new URL(on.href).searchParams.get("after") : null;
      count.textContent = t("cases.count", { count: found.numberMatched });
      count.dataset.count = String(found.numberMatched);
      csv.href = app.api.url("compliance/cases", { ...query(), f: "csv", limit: 1000 });
      draw();
      paint();
    } catch (error) {
      if (mine !== asked) return;
      count.textContent = t("cases.away", { why: error.message });
    } finally {
      if (mine === asked) list.removeAttribute("aria-busy");
    }
  }

  // Whether it is the case that is chosen, or one at the building or on the parcel that is.
  function isChosen(one) {
    const chosen = state.get("selected");
    return (chosen?.kind === "cases" && chosen.id === one.id) || (chosen?.kind === "buildings" && chosen.id === one.building_uid)
      || (chosen?.kind === "parcels" && chosen.id === one.parcel_uid);
  }

  function draw() {
    const hadFocus = list.contains(document.activeElement) ? document.activeElement.dataset.case : null;
    fill(list, cases.map((one) => {
      const size = one.delta === null ? "" : measure(one.delta, unit(one), { sigma: one.sigma });
      return h("li", {}, h("button", { type: "button", class: "case", "data-case": one.id, "aria-current": String(isChosen(one)), on: { click: () => choose(one) } },
        sign(one.status), h("span", {}, t(`cases.kind.${one.kind}`)), h("b", { class: "delta" }, size),
        h("span", { class: "sub" }, [t(`cases.status.${one.status}`), one.confidence === null ? null : t("cases.sure", { percent: percent(one.confidence) }), one.building_uid ?? one.parcel_uid].filter(Boolean).join(" · "))));
    }));
    if (!cases.length) put(list, h("li", { class: "note" }, t("cases.none")));
    more.hidden = next === null;
    if (hadFocus) list.querySelector(`[data-case="${CSS.escape(hadFocus)}"]`)?.focus();
  }

  const unit = ({ unit: one }) => (app.texts.has(`cases.unit.${one}`) ? t(`cases.unit.${one}`) : one ?? "");
  // Not rounded up to a certainty that nobody has.
  const percent = (share) => (Math.floor(share * 1000) / 10).toLocaleString(state.get("language") === "vi" ? "vi-VN" : "en-GB");

  // A sign of where a case stands, beside the words.
  function sign(status) {
    const form_ = { flagged: "▲", assigned: "●", confirmed: "◆", dismissed: "○", resolved: "✓" }[status] ?? "•";
    return h("span", { class: `sign ${status}`, "aria-hidden": "true" }, form_);
  }

  function choose(one, { goes = true } = {}) {
    state.set({ selected: { kind: "cases", id: one.id } });
    if (!goes || !one.geometry) return;
    const places = one.geometry.coordinates.flat(Infinity);
    const [x, y] = [0, 1].map((axis) => places.filter((_, index) => index % 2 === axis));
    app.goTo({ bounds: [[Math.min(...x), Math.min(...y)], [Math.max(...x), Math.max(...y)]], pitch: map.getPitch() });
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", () => { keep(); load(); });
  function keep() {
    const told = new URLSearchParams(Object.entries(query()).filter(([name, value]) => value && name !== "bbox" && !(name === "sort" && value === SORTS[0])));
    if (inView.checked) told.set("in_view", "1");
    state.set({ caseFilter: told.size ? String(told) : null });
  }
  map.on("moveend", () => {
    if (!inView.checked || !panel.isOpen) return;
    clearTimeout(waiting);
    waiting = setTimeout(load, WAIT);
  });
  arrows(list, () => [...list.querySelectorAll("button.case")], (button) => button.focus(), { goesRound: false });

  // What is listed is on the map, the chosen one stronger.
  function paint() {
    const source = map.getSource(SOURCE);
    if (!source) return;
    const features = panel.isOpen ? cases.filter(({ geometry }) => geometry).map((one) => ({
      type: "Feature", geometry: one.geometry, properties: { id: one.id, status: one.status, chosen: isChosen(one) },
    })) : [];
    source.setData({ type: "FeatureCollection", features });
  }

  function addLayers() {
    if (map.getSource(SOURCE)) return;
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    const chosen = ["get", "chosen"];
    map.addLayer({ id: "cases", type: "fill", source: SOURCE, paint: { "fill-color": "#f2b705", "fill-opacity": ["case", chosen, 0.55, 0.2] } });
    map.addLayer({ id: "case-lines", type: "line", source: SOURCE, paint: { "line-color": ["case", chosen, "#0b5c8a", "#8a5a00"], "line-width": ["case", chosen, 5, 2.5] } });
    paint();
  }
  if (map.isStyleLoaded()) addLayers();
  else map.once("style.load", addLayers);

  // What is chosen in the list is chosen on the map, and the other way round.
  app.card.define("cases", {
    source: null, key: "id", icon: "flag", title: "cases.one",
    load: sheet.load, name: (one) => t(`cases.kind.${one.kind}`), rows: () => [], after: sheet.draw,
  });
  state.on("selected", () => {
    draw();
    paint();
    list.querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest" });
  });
  app.card.add("buildings", (feature, box) => {
    for (const one of feature.properties.differences ?? []) {
      put(box, h("button", { type: "button", class: "second wide", on: { click: () => app.select({ kind: "cases", id: one.id }, { focus: true }) } }, `${t("cases.one")}: ${t(`cases.kind.${one.kind}`)}`));
    }
  });
  state.on("token", () => panel.isOpen && load());
  state.on("language", () => { draw(); if (count.dataset.count) count.textContent = t("cases.count", { count: count.dataset.count }); });
  app.cases = { get all() { return cases; }, load, show, choose };
}
