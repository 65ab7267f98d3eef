// What the card of each kind of thing tells: from where its facts come, its title, its lines.

import { h } from "./dom.js";
import { day, half, measure, number } from "./texts.js";

const escaped = encodeURIComponent;

export function mount(app) {
  const { api, t, card } = app;
  const item = (collection) => (id) => api.json(`collections/${collection}/items/${escaped(id)}`, moment());
  const moment = () => ({ datetime: app.state.get("asOf"), known_at: app.state.get("knownAt") });
  const city = (sourceLayer, key = "uid") => ({ source: "city", sourceLayer, key });
  const metres = (value, options) => measure(value, "m", options);
  const squares = (value, options) => measure(value, "m²", options);
  const percent = (value) => (value == null ? null : `${number(value)} %`);
  const coded = (group, value) => (value == null ? null : app.texts.has(`${group}.${value}`) ? t(`${group}.${value}`) : String(value));
  // What is chosen from a card: a button that goes there.
  const goTo = (kind, id) => (id == null ? null : h("button", { type: "button", class: "link", on: { click: () => app.select({ kind, id }, { focus: true }) } }, String(id)));
  const links = (...all) => h("ul", { class: "links" }, all.filter(Boolean).map(([text, href, more = {}]) => h("li", {}, h("a", { href: String(href), ...more }, text))));

  card.define("buildings", {
    ...city("buildings"), layers: ["buildings"], icon: "building", title: "kind.buildings",
    load: (id) => api.json(`buildings/${escaped(id)}`, moment()),
    name: ({ id }) => id,
    before: ({ properties: p }) => verdict(p),
    rows: ({ properties: p }) => [
      ["fact.height", metres(p.measured?.height?.value, { sigma: p.measured?.height?.sigma })],
      ["fact.storeys", storeys(p.measured?.storeys)],
      ["fact.area", squares(p.measured?.area?.value, { sigma: p.measured?.area?.sigma })],
      ["fact.roof", coded("roof", p.measured?.roof_type)],
      ["fact.ground", metres(p.ground_height)],
      ["fact.roofTop", metres(p.roof_height_max)],
      ["fact.epoch", p.epoch],
      ["fact.lod", p.lod],
      ["fact.reason", p.reason === "none" ? null : coded("reason", p.reason)],
    ],
    after: (feature) => {
      const path = `buildings/${escaped(feature.id)}`;
      return links(
        ["CityJSON", api.url(`${path}/cityjson`), { download: `${feature.id}.city.json` }],
        feature.properties.lod && feature.properties.lod !== "0" && ["glTF", api.url(`${path}/glb`), { download: `${feature.id}.glb` }],
        [t("card.page"), api.url(`collections/buildings/items/${escaped(feature.id)}`, { f: "html" })],
      );
    },
  });

  function storeys(found) {
    if (!found) return null;
    const range = found.least === found.most ? "" : ` (${found.least}–${found.most})`;
    return t("fact.storeysAbout", { count: `${found.value}${range}` });
  }

  // In words what differs; nothing where the caller may not know.
  function verdict(p) {
    if (p.differences === undefined) return null;
    if (!p.differences.length) return h("p", { class: "verdict clear" }, t("verdict.none"));
    return h("div", { class: "verdict flagged" }, h("strong", {}, t("verdict.flagged")), h("ul", {}, p.differences.map((one) => h("li", {}, difference(one)))));
  }

  function difference({ kind, actual, limit_value: limit, delta, sigma, unit }) {
    const name = coded("difference", kind);
    if (delta == null) return name;
    const size = measure(delta, unit ?? "", { sigma });
    return limit == null ? `${name}: ${size}` : t("difference.sentence", { name, size, actual: measure(actual, unit ?? ""), limit: measure(limit, unit ?? "") });
  }

  card.define("parcels", {
    ...city("parcels"), layers: ["parcels"], icon: "parcel", title: "kind.parcels",
    load: item("parcels"),
    name: ({ properties: p }) => (p.sheet_no ? `${p.sheet_no}/${p.parcel_no}` : p.uid),
    rows: ({ properties: p }) => [
      ["fact.sheet", p.sheet_no],
      ["fact.parcelNo", p.parcel_no],
      ["fact.use", p.land_use],
      ["fact.areaLegal", squares(p.area_legal)],
      ["fact.areaMeasured", squares(p.area_measured)],
      ["fact.address", p.address],
      ["fact.ward", p.ward_code],
      ["fact.since", day(p.valid_from)],
      ["fact.uid", p.uid],
    ],
    after: ({ id }) => links([t("card.page"), api.url(`collections/parcels/items/${escaped(id)}`, { f: "html" })]),
  });

  card.define("permits", {
    ...city("permits", "permit_no"), layers: ["permits"], icon: "permit", title: "kind.permits",
    load: item("permits"),
    name: ({ id }) => id,
    rows: ({ properties: p }) => [
      ["fact.type", coded("permitType", p.type)],
      ["fact.status", coded("permitStatus", p.status)],
      ["fact.issued", day(p.issued)],
      ["fact.expires", day(p.expires)],
      ["fact.floors", number(p.floors)],
      ["fact.basements", number(p.basements)],
      ["fact.height", metres(p.height_m)],
      ["fact.groundArea", squares(p.ground_area_m2)],
      ["fact.floorArea", squares(p.gross_floor_area_m2)],
      ["fact.setbackFront", metres(p.setback_front_m)],
      ["fact.setbackRear", metres(p.setback_rear_m)],
      ["fact.level", metres(p.ground_level_m, { digits: 2 })],
      ["fact.parcel", goTo("parcels", p.parcel_uid)],
      ["fact.replacedBy", goTo("permits", p.superseded_by)],
    ],
    after: ({ id }) => links([t("card.page"), api.url(`collections/permits/items/${escaped(id)}`, { f: "html" })]),
  });

  card.define("zones", {
    ...city("zones"), layers: ["zones"], icon: "zone", title: "kind.zones",
    load: item("planning_zones"),
    name: ({ properties: p }) => p.land_use ?? p.uid,
    rows: ({ properties: p }) => [
      ["fact.use", p.land_use],
      ["fact.plan", p.level],
      ["fact.density", percent(p.density_pct)],
      ["fact.far", number(p.far, 2)],
      ["fact.floorsMost", number(p.floors_max)],
      ["fact.heightMost", metres(p.height_max_m)],
      ["fact.decision", p.decision],
      ["fact.since", day(p.valid_from)],
    ],
    after: ({ id }) => links([t("card.page"), api.url(`collections/planning_zones/items/${escaped(id)}`, { f: "html" })]),
  });

  card.define("roads", {
    ...city("roads"), layers: ["roads"], icon: "road", title: "kind.roads",
    load: item("roads"),
    name: ({ properties: p }) => p.name || p.uid,
    rows: ({ properties: p }) => [["fact.reserve", metres(p.reserve_width_m)], ["fact.since", day(p.valid_from)], ["fact.uid", p.uid]],
  });

  card.define("lidar", {
    source: "lidar", key: "sha256", stateId: (id) => `#${id}`, layers: ["lidar"], icon: "scan", title: "kind.lidar",
    load: item("lidar_tiles"),
    name: ({ properties: p }) => p.epoch,
    rows: ({ properties: p }) => [
      ["fact.epoch", p.epoch],
      ["fact.flown", [day(p.flown_from), day(p.flown_to)].filter(Boolean).join(" – ")],
      ["fact.points", number(p.point_count, 0)],
      ["fact.pointDensity", p.density == null ? null : t("fact.perSquareMetre", { count: number(p.density) })],
      ["fact.crs", p.crs],
      ["fact.sha", h("code", {}, String(p.sha256).slice(0, 12))],
    ],
    after: ({ properties: p }) => links([t("card.points"), api.url(`points/${escaped(p.epoch)}/tileset.json`)]),
  });
  app.half = half;
}
