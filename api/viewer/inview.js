// What is in view, as a list: the map for those who do not see it, and a way to all of it by the keyboard.

import { arrows, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { measure } from "./texts.js";

const MOST = 60;

export function mount(app) {
  const { map, t } = app;
  const summary = h("p", { class: "note", id: "in-view-summary" });
  const list = h("ul", { class: "things", label: "view.title" });
  const filter = h("select", { id: "in-view-kind", label: "view.kind" });
  const part = app.panel("view", {
    title: "view.title", icon: "list", order: 20, onOpen: () => draw(),
    element: h("div", {}, filter, summary, list),
  });
  let chosen = "";

  // Each thing on the map once, those to be inspected first, then the nearest to the middle of the map.
  function inView() {
    const layers = new Map([...app.card.kinds].flatMap(([kind, { layers: of = [] }]) => of.filter((id) => map.getLayer(id)).map((id) => [id, kind])));
    const middle = map.project(map.getCenter());
    const found = new Map();
    for (const feature of map.queryRenderedFeatures({ layers: [...layers.keys()] })) {
      const kind = layers.get(feature.layer.id);
      const id = String(feature.properties[app.card.kinds.get(kind).key]);
      if (found.has(`${kind}:${id}`)) continue;
      const bounds = app.reach(feature.geometry);
      const at = map.project([(bounds[0][0] + bounds[1][0]) / 2, (bounds[0][1] + bounds[1][1]) / 2]);
      found.set(`${kind}:${id}`, { kind, id, properties: feature.properties, isFlagged: feature.properties.verdict === "flagged", distance: at.dist(middle) });
    }
    return [...found.values()].sort((a, b) => b.isFlagged - a.isFlagged || a.distance - b.distance);
  }

  const words = {
    buildings: (p) => [`${t("kind.buildings")} ${p.uid}`, [p.height == null ? null : measure(p.height, "m", { sigma: p.sigma_height }), p.verdict === "flagged" ? t("verdict.flagged") : null]],
    parcels: (p) => [`${t("kind.parcels")} ${p.sheet_no}/${p.parcel_no}`, [p.land_use, p.area_legal == null ? null : measure(p.area_legal, "m²")]],
    permits: (p) => [`${t("kind.permits")} ${p.permit_no}`, [p.floors == null ? null : t("view.floors", { count: p.floors })]],
    zones: (p) => [`${t("kind.zones")} ${p.land_use ?? p.uid}`, [p.decision]],
    roads: (p) => [`${t("kind.roads")} ${p.name ?? p.uid}`, [p.reserve_width_m == null ? null : `${t("fact.reserve")} ${measure(p.reserve_width_m, "m")}`]],
    lidar: (p) => [`${t("kind.lidar")} ${p.epoch}`, []],
  };

  function draw() {
    if (!part.isOpen) return;
    const all = inView();
    const counts = new Map();
    for (const { kind } of all) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    fill(filter, h("option", { value: "" }, `${t("view.all")} (${all.length})`), [...counts].map(([kind, count]) => h("option", { value: kind, selected: kind === chosen }, `${t(`kind.${kind}`)} (${count})`)));
    if (!counts.has(chosen)) chosen = "";
    filter.value = chosen;
    const wanted = all.filter(({ kind }) => !chosen || kind === chosen);
    const flagged = all.filter(({ isFlagged }) => isFlagged).length;
    const shown = wanted.slice(0, MOST);
    summary.textContent = [all.length ? t("view.summary", { count: all.length, flagged }) : t("view.nothing"), wanted.length > MOST ? t("view.more", { most: MOST }) : ""].join(" ");
    const had = document.activeElement?.dataset?.thing;
    fill(list, shown.map(({ kind, id, properties, isFlagged }) => {
      const [title, details] = words[kind]?.(properties) ?? [`${kind} ${id}`, []];
      const button = h("button", { type: "button", class: "thing", "data-thing": `${kind}:${id}`, on: { click: () => app.select({ kind, id }, { focus: true }) } },
        icon(isFlagged ? "warning" : app.card.kinds.get(kind).icon, 18), h("span", {}, title, h("small", {}, details.filter(Boolean).join(" · "))));
      if (isFlagged) button.classList.add("flagged");
      return h("li", {}, button);
    }));
    if (had) list.querySelector(`[data-thing="${CSS.escape(had)}"]`)?.focus();
  }

  filter.addEventListener("change", () => { chosen = filter.value; draw(); });
  arrows(list, () => [...list.querySelectorAll("button")], (button) => button.focus(), { goesRound: false });
  map.on("idle", draw);
  app.state.on("language", draw);
}
