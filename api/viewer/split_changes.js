// What changed at buildings between the two surveys of the split screen: outlines on both maps, and how many of each.

import { fill, h, put } from "./dom.js";
import { swatch } from "./layers.js";
import { measure } from "./texts.js";

const SOURCE = "split-changes";
const NOTHING = { type: "FeatureCollection", features: [] };
const NOT_COMPARED = 404;
// A change and its colour; beside it stand its words.
const CHANGES = { new: "#0f7a4d", taller: "#b3471b", extended: "#8a5a00", demolished: "#7a2a8a", lower: "#2458a6", reduced: "#33667a" };

export const TEXTS = {
  vi: {
    changes: "Đánh dấu công trình thay đổi",
    notCompared: "Hai đợt bay này chưa được so sánh: diaba compliance change --from {from} --to {to}",
    changesNone: "Không thấy công trình nào thay đổi.",
    changesMore: "Còn nhiều thay đổi nữa; ở đây là những thay đổi đầu tiên.",
    "change.new": "Mới", "change.taller": "Cao thêm", "change.extended": "Mở rộng",
    "change.demolished": "Phá dỡ", "change.lower": "Thấp đi", "change.reduced": "Thu hẹp",
  },
  en: {
    changes: "Mark buildings that changed",
    notCompared: "These two surveys were not compared yet: diaba compliance change --from {from} --to {to}",
    changesNone: "No building is seen to have changed.",
    changesMore: "There are more changes; these are the first.",
    "change.new": "New", "change.taller": "Taller", "change.extended": "Extended",
    "change.demolished": "Demolished", "change.lower": "Lower", "change.reduced": "Reduced",
  },
};

// `second` gives the second map, or null.
export function createChanges(app, second) {
  const { map, state, t } = app;
  const box = h("input", { type: "checkbox", id: "split-changes", checked: true });
  const told = h("div", { role: "status" });
  let pair = null;
  let found = null;
  let asked = 0;

  // The earlier and the later survey, or null where there are not two.
  async function show(surveys) {
    pair = surveys;
    const mine = ++asked;
    let document = null;
    let why = null;
    if (pair && box.checked) {
      try {
        document = await app.api.json("change/buildings", pair);
      } catch (error) {
        why = error.status === NOT_COMPARED ? t("split.notCompared", pair) : error.message;
      }
    }
    if (mine !== asked) return;
    found = document;
    draw();
    if (why) put(told, h("p", { class: "note" }, why));
    write();
  }

  function write() {
    for (const one of found?.features ?? []) {
      const { change, delta, sigma, unit } = one.properties;
      one.properties.words = [t(`split.change.${change}`), delta === null ? null : measure(delta, unit, { sigma })].filter(Boolean).join(" ");
    }
    for (const one of [map, second()].filter(Boolean)) {
      // A map whose style is still on its way cannot be added to.
      if (one.getStyle()) paint(one);
      else one.once("style.load", () => paint(one));
    }
  }

  function paint(one) {
    if (!one.getSource(SOURCE)) {
      if (!found) return;
      addLayers(one);
    }
    one.getSource(SOURCE).setData(found ?? NOTHING);
  }

  function addLayers(one) {
    const colour = ["match", ["get", "change"], ...Object.entries(CHANGES).flat(), "#26312f"];
    one.addSource(SOURCE, { type: "geojson", data: NOTHING });
    one.addLayer({ id: SOURCE, type: "line", source: SOURCE, paint: { "line-color": colour, "line-width": ["interpolate", ["linear"], ["zoom"], 15, 1.5, 19, 5] } });
    one.addLayer({
      id: `${SOURCE}-words`, type: "symbol", source: SOURCE, minzoom: 17.5,
      layout: { "text-font": ["diaba bold"], "text-field": ["get", "words"], "text-size": 12, "text-anchor": "top", "text-offset": [0, 0.6] },
      paint: { "text-color": colour, "text-halo-color": "#ffffff", "text-halo-width": 1.6 },
    });
  }

  function draw() {
    fill(told);
    if (!found) return;
    const counts = Object.keys(CHANGES).map((change) => [change, found.features.filter(({ properties }) => properties.change === change).length]).filter(([, count]) => count);
    put(told, counts.length
      ? h("ul", { class: "legend" }, counts.map(([change, count]) => h("li", {}, swatch(CHANGES[change]), h("span", {}, `${t(`split.change.${change}`)}: ${count}`))))
      : h("p", { class: "note" }, t("split.changesNone")));
    if (found.has_more) put(told, h("p", { class: "note" }, t("split.changesMore")));
  }

  box.addEventListener("change", () => pair && show(pair));
  state.on("language", () => { if (found) { draw(); write(); } });
  return { element: h("div", {}, h("label", { class: "toggle", for: box.id }, box, h("span", { t: "split.changes" })), told), show, get found() { return found; } };
}
