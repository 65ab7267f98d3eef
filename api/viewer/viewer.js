// The city's map: what is measured, what is registered, and where they differ.

import { AttributionControl, Map, NavigationControl, Popup, ScaleControl } from "./vendor/maplibre-gl.mjs";
import { cityStyle, FLAGGED, HEIGHTS, TOGGLES, UNKNOWN } from "./style.js";

const BASE = new URL("..", document.baseURI).href;
const WORLD_WIDTH = 300;
const CITY_CENTRE = [106.7, 10.78];

const metres = (value) => (value == null ? null : `${value.toLocaleString("en", { maximumFractionDigits: 1 })} m`);
const squareMetres = (value) => (value == null ? null : `${value.toLocaleString("en", { maximumFractionDigits: 1 })} m²`);

const DIFFERENCES = {
  no_permit: "Chưa thấy giấy phép · No permit found",
  storeys: "Cao hơn giấy phép · Taller than permitted",
  footprint: "Rộng hơn giấy phép · Larger than permitted",
  parcel_line: "Vượt ranh thửa · Over the parcel line",
  setback: "Khoảng lùi · Setback",
};

// For each layer that answers to a click: where its facts are, its title, and which of them are shown.
const CARDS = {
  buildings: {
    address: (id) => `buildings/${id}`,
    title: "Công trình · Building",
    rows: [
      ["Chiều cao · Height", (p) => p.measured?.height?.text],
      ["Diện tích · Area", (p) => p.measured?.area?.text],
      ["Cao độ nền · Ground level", (p) => metres(p.ground_height)],
      ["Đỉnh mái · Roof top", (p) => metres(p.roof_height_max)],
      ["Đợt bay · Survey", (p) => p.epoch],
      ["Mức chi tiết · LoD", (p) => p.lod],
    ],
  },
  permits: {
    address: (id) => `collections/permits/items/${id}`,
    key: "permit_no",
    title: "Giấy phép · Permit",
    rows: [
      ["Loại · Type", (p) => p.type],
      ["Tình trạng · Status", (p) => p.status],
      ["Ngày cấp · Issued", (p) => p.issued],
      ["Số tầng · Floors", (p) => p.floors],
      ["Chiều cao · Height", (p) => metres(p.height_m)],
    ],
  },
  parcels: {
    address: (id) => `collections/parcels/items/${id}`,
    title: "Thửa đất · Parcel",
    rows: [
      ["Tờ bản đồ · Map sheet", (p) => p.sheet_no],
      ["Số thửa · Parcel no.", (p) => p.parcel_no],
      ["Mục đích sử dụng · Land use", (p) => p.land_use],
      ["Diện tích pháp lý · Legal area", (p) => squareMetres(p.area_legal)],
      ["Diện tích đo · Measured area", (p) => squareMetres(p.area_measured)],
      ["Địa chỉ · Address", (p) => p.address],
    ],
  },
  zones: {
    address: (id) => `collections/planning_zones/items/${id}`,
    title: "Quy hoạch · Planning zone",
    rows: [
      ["Chức năng · Land use", (p) => p.land_use],
      ["Mật độ · Density", (p) => (p.density_pct == null ? null : `${p.density_pct} %`)],
      ["Hệ số sử dụng đất · Floor area ratio", (p) => p.far],
      ["Tầng cao · Floors at most", (p) => p.floors_max],
      ["Quyết định · Decision", (p) => p.decision],
    ],
  },
};

async function json(path) {
  const answer = await fetch(new URL(path, BASE));
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail ?? answer.statusText);
  return document;
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function say(text) {
  const message = document.getElementById("message");
  message.textContent = text;
  message.hidden = !text;
}

function card(kind, feature) {
  const { title, rows } = CARDS[kind];
  const facts = feature.properties;
  const box = element("div", "", { class: "card" });
  box.append(element("h3", `${title} ${feature.id}`));
  const table = element("table", "");
  for (const [label, value] of rows) {
    const shown = value(facts);
    if (shown == null || shown === "") continue;
    const row = element("tr", "");
    row.append(element("th", label), element("td", String(shown)));
    table.append(row);
  }
  box.append(table);
  for (const difference of facts.differences ?? []) {
    const { kind: what, delta, sigma, unit } = difference;
    const size = delta == null ? "" : `: ${delta.toFixed(1)}${sigma == null ? "" : ` ± ${sigma.toFixed(1)}`} ${unit ?? ""}`;
    box.append(element("p", `${DIFFERENCES[what] ?? what}${size}`, { class: "flagged" }));
  }
  if (kind === "buildings") {
    box.append(element("a", "CityJSON", { href: new URL(`buildings/${encodeURIComponent(feature.id)}/cityjson`, BASE) }));
  }
  return box;
}

function swatch(colour) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ width: 18, height: 12 })) svg.setAttribute(key, value);
  for (const [key, value] of Object.entries({ width: 18, height: 12, rx: 2, fill: colour })) rect.setAttribute(key, value);
  svg.append(rect);
  return svg;
}

function drawLegend() {
  const rows = [
    [FLAGGED, "Có khác biệt · Difference flagged"],
    ...HEIGHTS.map(([from, colour], i) => [colour, HEIGHTS[i + 1] ? `${from}–${HEIGHTS[i + 1][0]} m` : `≥ ${from} m`]),
    [UNKNOWN, "Chưa rõ · Height unknown"],
  ];
  for (const [colour, text] of rows) {
    const item = element("li", "");
    item.append(swatch(colour), element("span", text));
    document.getElementById("legend").append(item);
  }
}

function drawToggles(map) {
  for (const { label, layers, on } of TOGGLES) {
    const box = element("input", "", { type: "checkbox" });
    box.checked = on;
    box.addEventListener("change", () => {
      for (const id of layers) map.setLayoutProperty(id, "visibility", box.checked ? "visible" : "none");
    });
    const line = element("label", "");
    line.append(box, ` ${label}`);
    document.getElementById("layers").append(line);
  }
}

function answerClicks(map) {
  let chosen = null;
  const choose = (next) => {
    if (chosen) map.setFeatureState(chosen, { chosen: false });
    chosen = next;
    if (chosen) map.setFeatureState(chosen, { chosen: true });
  };
  map.on("click", async ({ point, lngLat }) => {
    const layers = Object.keys(CARDS).filter((id) => map.getLayoutProperty(id, "visibility") !== "none");
    const [hit] = map.queryRenderedFeatures(point, { layers });
    if (!hit) return;
    const kind = hit.layer.id;
    const { address, key = "uid" } = CARDS[kind];
    try {
      const feature = await json(address(encodeURIComponent(hit.properties[key])));
      const popup = new Popup({ maxWidth: "340px" }).setLngLat(lngLat).setDOMContent(card(kind, feature)).addTo(map);
      if (hit.id != null) {
        choose({ source: "city", sourceLayer: kind, id: hit.id });
        popup.on("close", () => choose(null));
      }
      say("");
    } catch (error) {
      say(error.message);
    }
  });
  map.on("mousemove", ({ point }) => {
    const layers = Object.keys(CARDS).filter((id) => map.getLayoutProperty(id, "visibility") !== "none");
    map.getCanvas().style.cursor = map.queryRenderedFeatures(point, { layers }).length ? "pointer" : "";
  });
}

// The tiles of the map's own view that a box meets, as x/y/z of all zooms in use.
function tilesIn([west, south, east, north]) {
  const column = (longitude, z) => Math.floor(((longitude + 180) / 360) * 2 ** z);
  const row = (latitude, z) => {
    const sine = Math.sin((latitude * Math.PI) / 180);
    return Math.floor((0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * 2 ** z);
  };
  return (z) => ({ x: [column(west, z), column(east, z)], y: [row(north, z), row(south, z)] });
}

// Draws anew what the service says has changed, as long as the page is open.
function followChanges(map) {
  const stream = new EventSource(new URL("changes", BASE));
  let boxes = [];
  let everything = false;
  let waiting = null;
  const refresh = () => {
    waiting = null;
    const source = map.getSource("city");
    if (!source?.loaded()) {
      waiting = setTimeout(refresh, 200);
      return;
    }
    const [first, last] = [source.minzoom, source.maxzoom];
    const tiles = [];
    for (const box of boxes) {
      const found = tilesIn(box);
      for (let z = first; z <= Math.min(last, Math.ceil(map.getZoom()) + 1); z += 1) {
        const { x, y } = found(z);
        if ((x[1] - x[0] + 3) * (y[1] - y[0] + 3) > 2000) everything = true;
        // A tile shows what lies a little around it.
        else for (let i = x[0] - 1; i <= x[1] + 1; i += 1) for (let j = y[0] - 1; j <= y[1] + 1; j += 1) tiles.push({ x: i, y: j, z });
      }
    }
    map.refreshTiles("city", everything ? undefined : tiles);
    globalThis.diaba.refreshed += 1;
    boxes = [];
    everything = false;
  };
  const soon = () => { waiting ??= setTimeout(refresh, 100); };
  stream.addEventListener("change", ({ data }) => { boxes.push(JSON.parse(data).bbox); soon(); });
  stream.addEventListener("reset", () => { everything = true; soon(); });
  // A page that is left keeps no stream open.
  window.addEventListener("pagehide", () => stream.close());
}

async function start() {
  const { bounds, name } = await json("tiles.json");
  document.getElementById("city").textContent = document.title = name;
  const isEmpty = bounds[2] - bounds[0] > WORLD_WIDTH;
  const left = window.innerWidth > 700 ? document.getElementById("panel").offsetWidth + 30 : 30;
  const padding = { left, right: 60, top: 30, bottom: 30 };
  const view = isEmpty ? { center: CITY_CENTRE, zoom: 11 } : { bounds, fitBoundsOptions: { padding, maxZoom: 18, pitch: 50 } };
  const map = new Map({ container: "map", style: cityStyle(BASE), maxPitch: 75, hash: true, attributionControl: false, ...view });
  map.addControl(new NavigationControl({ visualizePitch: true }), "top-right");
  map.addControl(new ScaleControl(), "bottom-right");
  map.addControl(new AttributionControl({ compact: false, customAttribution: "© MapLibre" }));
  map.on("error", ({ error }) => say(error?.message ?? "?"));
  map.once("load", () => {
    answerClicks(map);
    followChanges(map);
  });
  drawToggles(map);
  drawLegend();
  if (isEmpty) say("Chưa có dữ liệu · Nothing is stored yet");
  // For the browser's console.
  globalThis.diaba = { map, refreshed: 0 };
}

start().catch((error) => say(error.message));
