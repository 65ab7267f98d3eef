// Heights along a line: terrain and surface under it, as a chart, as a table, and as a file.

import { fill, h, put } from "./dom.js";
import { Marker } from "./library.js";
import { measure, number } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 340;
const HEIGHT = 210;
const PAD = { left: 40, right: 8, top: 10, bottom: 26 };
const PLACES = 400;
const VERTICES_MOST = 100;
const SERIES_MOST = 8;
const LINES = [
  { colour: "#8a4b08", dash: "" }, { colour: "#0b5c8a", dash: "" }, { colour: "#8a4b08", dash: "6 3" }, { colour: "#0b5c8a", dash: "6 3" },
  { colour: "#8a4b08", dash: "2 2" }, { colour: "#0b5c8a", dash: "2 2" }, { colour: "#8a4b08", dash: "9 3 2 3" }, { colour: "#0b5c8a", dash: "9 3 2 3" },
];

const TEXTS = {
  vi: {
    title: "Mặt cắt",
    draw: "Vẽ trên bản đồ",
    done: "Xong",
    clear: "Xóa",
    centre: "Thêm điểm giữa bản đồ",
    typed: "Hoặc nhập tọa độ: mỗi dòng một điểm, kinh độ, vĩ độ",
    use: "Dùng các tọa độ này",
    drawing: "Bấm vào bản đồ để thêm điểm; bấm đúp hoặc Enter để kết thúc.",
    bad: "Dòng {line}: nhập kinh độ, vĩ độ, ví dụ 106.7001, 10.7702",
    few: "Cần ít nhất hai điểm.",
    many: "Nhiều nhất {most} điểm.",
    point: "Điểm {count} đã thêm",
    epochs: "Đợt bay",
    newest: "Mới nhất",
    every: "Tất cả các đợt",
    chart: "Mặt cắt dài {length}; địa hình từ {low} đến {high}",
    here: "Vị trí trên mặt cắt",
    dtm: "Địa hình",
    dsm: "Bề mặt",
    unknown: "không có dữ liệu",
    distance: "Khoảng cách (m)",
    table: "Xem dạng bảng",
    csv: "Tải CSV",
    value: "{name} (m)",
    nothing: "Dọc theo đường này không có số liệu độ cao.",
    note: "Độ cao trên mốc {datum}, kèm độ lệch chuẩn.",
    length: "Chiều dài",
    lowest: "Địa hình thấp nhất",
    highest: "Địa hình cao nhất",
  },
  en: {
    title: "Profile",
    draw: "Draw on the map",
    done: "Done",
    clear: "Clear",
    centre: "Add the map's middle",
    typed: "Or give coordinates: a point a line, longitude, latitude",
    use: "Use these coordinates",
    drawing: "Click the map to add points; double-click or press Enter to end.",
    bad: "Line {line}: give longitude, latitude, such as 106.7001, 10.7702",
    few: "At least two points are needed.",
    many: "At most {most} points.",
    point: "Point {count} added",
    epochs: "Survey",
    newest: "Newest",
    every: "All surveys",
    chart: "Profile of {length}; terrain from {low} to {high}",
    here: "Place on the profile",
    dtm: "Terrain",
    dsm: "Surface",
    unknown: "not known",
    distance: "Distance (m)",
    table: "See it as a table",
    csv: "Download CSV",
    value: "{name} (m)",
    nothing: "No heights are known along this line.",
    note: "Heights above {datum}, with their standard deviation.",
    length: "Length",
    lowest: "Lowest terrain",
    highest: "Highest terrain",
  },
};

const svg = (name, attributes, ...children) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// Round steps that part a range into about `wanted` pieces.
function steps(low, high, wanted) {
  const raw = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + 1e-9; at += step) found.push(at);
  return found;
}

export function mount(app) {
  const { map, state, t } = app;
  app.texts("profile", TEXTS);
  let line = [];
  let isDrawing = false;
  let shown = null;
  let asked = 0;
  let mark = null;

  const draw = h("button", { type: "button", class: "main", "aria-pressed": "false", t: "profile.draw", on: { click: () => (isDrawing ? end() : begin()) } });
  const centre = h("button", { type: "button", class: "second", t: "profile.centre", on: { click: () => add(map.getCenter().toArray()) } });
  const clear = h("button", { type: "button", class: "second", t: "profile.clear", on: { click: () => { end(); set([]); } } });
  const typed = h("textarea", { id: "profile-places", rows: "3", spellcheck: "false", autocomplete: "off" });
  const epochs = h("select", { id: "profile-epochs" });
  const result = h("div", {});
  const form = h("form", { class: "form" },
    h("label", { for: "profile-places", t: "profile.typed" }), typed,
    h("button", { type: "submit", class: "second", t: "profile.use" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      const places = read(typed.value);
      set(places);
      app.goTo({ bounds: boundsOf(places), maxZoom: 18 });
    } catch (error) {
      app.say(error.message, { level: "error" });
      typed.focus();
    }
  });
  epochs.addEventListener("change", () => ask());
  const panel = app.panel("profile", {
    title: "profile.title", icon: "profile", order: 60,
    onOpen: () => offer().catch((error) => app.say(error.message, { level: "error" })),
    onClose: () => end(),
    element: h("div", { class: "tool" }, h("div", { class: "buttons" }, draw, centre, clear), form,
      h("label", { for: "profile-epochs", t: "profile.epochs" }), epochs, result),
  });

  async function offer() {
    const now = epochs.value;
    const all = await app.epochs();
    fill(epochs, h("option", { value: "" }, t("profile.newest")), all.map(({ epoch }) => h("option", { value: epoch }, epoch)),
      all.length > 1 ? h("option", { value: "*" }, t("profile.every")) : null);
    epochs.value = now;
  }

  const boundsOf = (places) => [0, 1].map((end_) => [0, 1].map((axis) => Math[end_ ? "max" : "min"](...places.map((place) => place[axis]))));

  function read(text) {
    const rows = text.split(/[\n;]/).map((row) => row.trim()).filter(Boolean);
    const places = rows.map((row, index) => {
      const found = row.split(/[\s,]+/).map(Number);
      if (found.length !== 2 || !found.every(Number.isFinite) || Math.abs(found[0]) > 180 || Math.abs(found[1]) > 85) throw new Error(t("profile.bad", { line: index + 1 }));
      return found;
    });
    if (places.length < 2) throw new Error(t("profile.few"));
    if (places.length > VERTICES_MOST) throw new Error(t("profile.many", { most: VERTICES_MOST }));
    return places;
  }

  function begin() {
    isDrawing = true;
    set([]);
    draw.setAttribute("aria-pressed", "true");
    relabel("profile.done");
    map.doubleClickZoom.disable();
    app.takeClicks(({ lngLat }) => add(lngLat.toArray()));
    app.say(t("profile.drawing"), { level: "show" });
  }

  function end() {
    if (!isDrawing) return;
    isDrawing = false;
    draw.setAttribute("aria-pressed", "false");
    relabel("profile.draw");
    app.takeClicks(null);
    // Later than the click that ended it.
    setTimeout(() => map.doubleClickZoom.enable(), 300);
  }

  function relabel(key) {
    draw.setAttribute("data-text-t", key);
    draw.textContent = t(key);
  }

  function add(place) {
    const last = line.at(-1);
    if (last && last[0] === place[0] && last[1] === place[1]) return;
    if (line.length >= VERTICES_MOST) {
      app.say(t("profile.many", { most: VERTICES_MOST }), { level: "error" });
      return;
    }
    set([...line, place]);
    app.say(t("profile.point", { count: line.length }));
  }

  function set(places) {
    line = places;
    typed.value = line.map((place) => place.map((one) => one.toFixed(6)).join(", ")).join("\n");
    paint();
    if (line.length > 1) ask();
    else {
      shown = null;
      write();
    }
  }

  async function ask() {
    if (line.length < 2) return;
    const mine = ++asked;
    const all = await app.epochs().catch(() => []);
    const wanted = epochs.value === "*" ? all.slice(-SERIES_MOST / 2).map(({ epoch }) => epoch).join(",") : epochs.value || state.get("epoch");
    const query = { coords: `LINESTRING(${line.map((place) => place.map((one) => one.toFixed(8)).join(" ")).join(",")})`, products: "dtm,dsm", samples: PLACES, epochs: wanted };
    try {
      const found = await app.api.json("raster/profile", query);
      if (mine !== asked) return;
      shown = found;
      write();
    } catch (error) {
      if (mine !== asked) return;
      shown = null;
      write();
      app.say(error.message, { level: "error" });
    }
  }

  const nameOf = (series) => `${t(`profile.${series.product}`)}${series.epoch ? ` ${series.epoch}` : ""}`;
  const known = () => shown.series.flatMap(({ value }) => value.filter((one) => one !== null));

  function write() {
    mark?.remove();
    mark = null;
    fill(result);
    if (!shown) return;
    if (!known().length) {
      put(result, h("p", { class: "verdict flagged" }, t("profile.nothing")));
      return;
    }
    const terrain = shown.series.filter(({ product }) => product === "dtm").flatMap(({ value }) => value.filter((one) => one !== null));
    const [low, high] = terrain.length ? [Math.min(...terrain), Math.max(...terrain)] : [null, null];
    const words = { length: measure(shown.length, "m"), low: measure(low, "m", { digits: 2 }), high: measure(high, "m", { digits: 2 }) };
    const readout = h("p", { class: "readout", id: "profile-here" });
    const place = h("input", { type: "range", id: "profile-at", min: "0", max: String(shown.count - 1), step: "1", value: "0" });
    const chart = picture(t("profile.chart", words), (index) => { place.value = String(index); see(index); });
    const see = (index) => {
      chart.see(index);
      const text = [measure(shown.distance[index], "m"), ...shown.series.map((series) => `${nameOf(series)} ${series.value[index] === null ? t("profile.unknown") : measure(series.value[index], "m", { sigma: series.sigma[index], digits: 2 })}`)].join(" · ");
      readout.textContent = text;
      place.setAttribute("aria-valuetext", text);
      mark ??= new Marker({ color: "#1e2b29", scale: 0.6 }).setLngLat([shown.x[index], shown.y[index]]).addTo(map);
      mark.setLngLat([shown.x[index], shown.y[index]]);
      mark.getElement().setAttribute("aria-hidden", "true");
    };
    place.addEventListener("input", () => see(Number(place.value)));
    put(result, legend(), chart.element, h("label", { for: "profile-at" }, t("profile.here")), place, readout,
      h("table", {}, h("tbody", {}, [["length", words.length], ["lowest", words.low], ["highest", words.high]].filter(([, value]) => value)
        .map(([key, value]) => h("tr", {}, h("th", { scope: "row" }, t(`profile.${key}`)), h("td", {}, value))))),
      h("p", { class: "note" }, t("profile.note", { datum: shown.series[0].reference ?? "–" })),
      h("button", { type: "button", class: "second", on: { click: save } }, t("profile.csv")), table());
  }

  function legend() {
    return h("ul", { class: "legend" }, shown.series.map((series, index) => {
      const { colour, dash } = LINES[index];
      const sign = svg("svg", { width: 26, height: 10, viewBox: "0 0 26 10", "aria-hidden": "true" }, svg("path", { d: "M0 5h26", stroke: colour, "stroke-width": 2.4, "stroke-dasharray": dash }));
      return h("li", {}, sign, h("span", {}, series.value.some((one) => one !== null) ? nameOf(series) : `${nameOf(series)}: ${t("profile.unknown")}`));
    }));
  }

  function picture(label, choose) {
    const heights = known();
    const [low, high] = [Math.min(...heights), Math.max(...heights)];
    const [bottom, top] = high - low < 1 ? [low - 0.5, high + 0.5] : [low - 0.05 * (high - low), high + 0.05 * (high - low)];
    const x = (distance) => PAD.left + ((WIDTH - PAD.left - PAD.right) * distance) / shown.length;
    const y = (height) => PAD.top + ((HEIGHT - PAD.top - PAD.bottom) * (top - height)) / (top - bottom);
    const picture_ = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": label });
    for (const height of steps(bottom, top, 5)) {
      picture_.append(svg("path", { d: `M${PAD.left} ${y(height)}H${WIDTH - PAD.right}`, class: "grid" }), text(PAD.left - 5, y(height) + 4, number(height, 1), "end"));
    }
    for (const distance of steps(0, shown.length, 4)) picture_.append(text(x(distance), HEIGHT - 8, `${number(distance, 0)} m`, distance === 0 ? "start" : x(distance) > WIDTH - 30 ? "end" : "middle"));
    picture_.append(svg("path", { d: `M${PAD.left} ${PAD.top}V${HEIGHT - PAD.bottom}H${WIDTH - PAD.right}`, class: "axis", fill: "none" }));
    shown.series.forEach(({ value }, index) => {
      let path = "";
      value.forEach((height, at) => { path += height === null ? "" : `${at && value[at - 1] !== null ? "L" : "M"}${x(shown.distance[at]).toFixed(1)} ${y(height).toFixed(1)}`; });
      const { colour, dash } = LINES[index];
      picture_.append(svg("path", { d: path, fill: "none", stroke: colour, "stroke-width": 1.8, "stroke-dasharray": dash, "data-series": String(index) }));
    });
    const here = svg("path", { class: "here", d: "" });
    picture_.append(here);
    const follow = (event) => {
      const box = picture_.getBoundingClientRect();
      const distance = (((event.clientX - box.left) * WIDTH) / box.width - PAD.left) / (WIDTH - PAD.left - PAD.right) * shown.length;
      choose(nearest(distance));
    };
    picture_.addEventListener("pointermove", follow);
    picture_.addEventListener("pointerdown", follow);
    return { element: picture_, see: (index) => here.setAttribute("d", `M${x(shown.distance[index])} ${PAD.top}V${HEIGHT - PAD.bottom}`) };
  }

  const text = (x, y, words, anchor) => { const made = svg("text", { x, y, "text-anchor": anchor }); made.textContent = words; return made; };

  function nearest(distance) {
    let found = 0;
    shown.distance.forEach((one, index) => { if (Math.abs(one - distance) < Math.abs(shown.distance[found] - distance)) found = index; });
    return found;
  }

  function table() {
    const heads = [t("profile.distance"), ...shown.series.map((series) => t("profile.value", { name: nameOf(series) }))];
    const rows = shown.distance.map((distance, index) => h("tr", {}, h("th", { scope: "row" }, number(distance, 1)), shown.series.map(({ value }) => h("td", {}, value[index] === null ? "–" : number(value[index], 2)))));
    const box = h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": t("profile.table") },
      h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)));
    return h("details", {}, h("summary", {}, t("profile.table")), box);
  }

  // With points as decimals and commas between, as programs everywhere read it.
  function save() {
    const names = shown.series.flatMap((series) => [series.product, series.epoch].filter(Boolean).join("_")).flatMap((name) => [`${name}_m`, `${name}_sigma_m`]);
    const rows = shown.distance.map((distance, index) => [distance, shown.x[index], shown.y[index], ...shown.series.flatMap(({ value, sigma }) => [value[index], sigma[index]])]);
    const csv = [["distance_m", "longitude", "latitude", ...names], ...rows].map((row) => row.map((one) => one ?? "").join(",")).join("\r\n");
    const link = h("a", { href: URL.createObjectURL(new Blob([`${csv}\r\n`], { type: "text/csv" })), download: "profile.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
  }

  function paint() {
    const source = map.getSource("profile");
    if (!source) return;
    const features = line.map((place, index) => ({ type: "Feature", properties: { index }, geometry: { type: "Point", coordinates: place } }));
    if (line.length > 1) features.push({ type: "Feature", properties: {}, geometry: { type: "LineString", coordinates: line } });
    source.setData({ type: "FeatureCollection", features });
  }

  function addLayers() {
    if (map.getSource("profile")) return;
    map.addSource("profile", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer({ id: "profile-under", type: "line", source: "profile", paint: { "line-color": "#ffffff", "line-width": 6 } });
    map.addLayer({ id: "profile", type: "line", source: "profile", paint: { "line-color": "#1e2b29", "line-width": 2.5 } });
    map.addLayer({ id: "profile-points", type: "circle", source: "profile", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 5, "circle-color": "#ffffff", "circle-stroke-color": "#1e2b29", "circle-stroke-width": 2 } });
    paint();
  }
  if (map.isStyleLoaded()) addLayers();
  else map.once("style.load", addLayers);
  map.on("dblclick", () => end());
  map.getCanvas().addEventListener("keydown", (event) => {
    if (!isDrawing) return;
    if (event.key === "Escape") end();
    if (event.key !== "Enter") return;
    // The map's Enter asks what is in the middle: here it ends the line.
    event.stopImmediatePropagation();
    end();
  }, { capture: true });
  state.on("language", () => { offer().catch(() => {}); write(); });
  state.on("epoch", () => ask());
  app.profile = { get shown() { return shown; }, set, panel };
}
