// The tab of layers: what is shown, by what buildings are coloured, and what the colours and patterns mean.

import { fill, h } from "./dom.js";
import { epochHatch, hatched, zoneOf } from "./sprites.js";
import { CLEAR, FLAGGED, GROUPS, HEIGHTS, ROOFS, UNKNOWN } from "./style.js";

const SVG = "http://www.w3.org/2000/svg";
const STEEPER = [1, 2, 4];
const LEGENDS = {
  verdict: () => [[FLAGGED, "legend.flagged", "flag"], [CLEAR, "legend.clear"], [UNKNOWN, "legend.unsaid"]],
  height: (t) => [
    ...HEIGHTS.map(([from, colour], i) => [colour, HEIGHTS[i + 1] ? `${from}–${HEIGHTS[i + 1][0]} m` : `≥ ${from} m`]),
    [UNKNOWN, t("legend.unknown")],
  ],
  roof: () => [...Object.entries(ROOFS).map(([name, colour]) => [colour, `roof.${name}`]), [UNKNOWN, "legend.unknown"]],
};

// A field of colour as large as a line of text; `mark` is drawn on it.
export function swatch(colour, mark) {
  const svg = document.createElementNS(SVG, "svg");
  const set = (element, attributes) => { for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value); return element; };
  set(svg, { width: 26, height: 16, viewBox: "0 0 26 16", "aria-hidden": "true", class: "swatch" });
  svg.append(set(document.createElementNS(SVG, "rect"), { x: 0.5, y: 0.5, width: 25, height: 15, rx: 3, fill: colour, stroke: "#00000040" }));
  if (mark === "flag") svg.append(set(document.createElementNS(SVG, "path"), { d: "M13 2.5 20 13.5H6ZM13 6v4M13 11.8v.2", fill: colour, stroke: "#fff", "stroke-width": 1.5 }));
  if (mark === "dashed") svg.append(set(document.createElementNS(SVG, "path"), { d: "M2 8h22", stroke: "#0b5c8a", "stroke-width": 2.4, "stroke-dasharray": "5 3" }));
  return svg;
}

function patch(pattern) {
  const made = hatched(pattern);
  made.className = "swatch";
  made.setAttribute("aria-hidden", "true");
  return made;
}

const key = (sign, text) => h("li", {}, sign, h("span", {}, text));

export function mount(app) {
  const { map, state, t } = app;
  const list = h("fieldset", { class: "toggles" });
  const colours = h("fieldset", { class: "choices" }, h("legend", { t: "layers.colourBy" }));
  const legend = h("ul", { class: "legend", label: "layers.legend" });
  const further = h("ul", { class: "legend" });
  const steeper = h("fieldset", { class: "choices" }, h("legend", { t: "layers.steeper" }));
  const note = h("p", { class: "note", t: "layers.note" });

  for (const { id } of GROUPS) {
    const box = h("input", { type: "checkbox", id: `layer-${id}`, checked: app.groups.isShown(id) });
    box.addEventListener("change", () => app.groups.show(id, box.checked));
    list.append(h("label", { class: "toggle", for: `layer-${id}` }, box, h("span", { t: `layer.${id}` })));
  }
  list.prepend(h("legend", { t: "layers.shown" }));
  for (const by of Object.keys(LEGENDS)) {
    const choice = h("input", { type: "radio", name: "colour", value: by, checked: state.get("colourBy") === by });
    choice.addEventListener("change", () => state.set({ colourBy: by }));
    colours.append(h("label", {}, choice, h("span", { t: `colour.${by}` })));
  }
  let times = STEEPER[0];
  for (const by of STEEPER) {
    const choice = h("input", { type: "radio", name: "steeper", value: by, checked: by === times });
    choice.addEventListener("change", () => { times = by; relief(); });
    steeper.append(h("label", {}, choice, h("span", {}, `${by} ×`)));
  }

  function draw() {
    const by = LEGENDS[state.get("colourBy")] ? state.get("colourBy") : "verdict";
    fill(legend, LEGENDS[by](t).map(([colour, text, mark]) => key(swatch(colour, mark), app.texts.has(text) ? t(text) : text)));
    const signs = [];
    if (app.groups.isShown("permits")) signs.push(key(swatch("#fff", "dashed"), t("layer.permits")));
    if (app.groups.isShown("zones")) signs.push(...zoneSigns());
    if (app.groups.isShown("lidar")) signs.push(...epochs.map((epoch, i) => key(patch(epochHatch(i)), `${t("layer.lidar")} ${epoch}`)));
    fill(further, signs);
    further.hidden = !signs.length;
  }

  // The land uses of the zones that are on the map.
  function zoneSigns() {
    const uses = new Set(map.getSource("city") ? map.querySourceFeatures("city", { sourceLayer: "zones" }).map(({ properties }) => properties.land_use ?? "") : []);
    return [...uses].sort().map((use) => key(patch(zoneOf(use)), `${t("layer.zones")} ${use}`));
  }

  function relief() {
    const wanted = app.groups.isShown("relief3d") ? { source: "heights", exaggeration: times } : null;
    const now = map.getTerrain();
    if (now?.exaggeration !== wanted?.exaggeration) map.setTerrain(wanted);
    map.setPaintProperty("hillshade", "hillshade-exaggeration", Math.min(0.2 + 0.15 * times, 0.9));
  }

  // LIDAR tiles are few and not in the city's tiles: all are asked for when they are first shown.
  let epochs = [];
  let asked = false;
  async function lidar() {
    if (asked || !app.groups.isShown("lidar")) return;
    asked = true;
    try {
      const found = await app.api.json("collections/lidar_tiles/items", { limit: 1000, f: "json" });
      epochs = [...new Set(found.features.map(({ properties }) => properties.epoch))].sort();
      for (const { properties } of found.features) {
        properties.pattern = epochs.indexOf(properties.epoch);
        // A hash of digits alone would be taken for a number.
        properties.state_id = `#${properties.sha256}`;
      }
      map.getSource("lidar").setData(found);
      draw();
    } catch (error) {
      asked = false;
      app.say(error.message, { level: "error" });
    }
  }

  state.on("layers", () => {
    for (const { id } of GROUPS) {
      const box = list.querySelector(`#layer-${id}`);
      if (box) box.checked = app.groups.isShown(id);
    }
    relief();
    lidar();
    draw();
  });
  state.on("colourBy", (by) => {
    for (const choice of colours.querySelectorAll("input")) choice.checked = choice.value === by;
    draw();
  });
  state.on("language", draw);
  map.once("style.load", () => { relief(); lidar(); });
  map.on("idle", () => app.groups.isShown("zones") && draw());
  draw();
  app.panel("layers", {
    title: "layers.title", icon: "layers", order: 10, open: window.innerWidth > 700,
    element: h("div", {}, colours, legend, further, list, steeper, note),
  });
}
