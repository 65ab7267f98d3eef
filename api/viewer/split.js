// The city at two times side by side: two maps that move together, with a divider between them.

import { fill, h, put } from "./dom.js";
import { Map } from "./library.js";
import { fade } from "./map.js";
import { createChanges, TEXTS as CHANGES } from "./split_changes.js";
import { serveImages } from "./sprites.js";
import { buildingColour } from "./style.js";
import { day } from "./texts.js";
import { at, today } from "./time.js";

const STEP = 2;
const LEAP = 10;
const LEAST = 5;

const TEXTS = {
  vi: {
    title: "So sánh",
    start: "Chia đôi màn hình",
    stop: "Thôi chia đôi",
    one: "Bên trái",
    two: "Bên phải",
    divider: "Đường phân chia hai thời điểm",
    epoch: "Đợt bay {epoch}",
    today: "Hôm nay",
    other: "Ngày khác…",
    date: "Ngày",
    region: "Bản đồ thời điểm thứ hai",
    note: "Kéo đường phân chia, hoặc dùng phím mũi tên khi nó được chọn. Hai bản đồ di chuyển cùng nhau.",
    on: "Trái: {one}. Phải: {two}.",
    off: "Đã thôi chia đôi",
    single: "Chỉ có một đợt bay; hãy so sánh hai ngày.",
  },
  en: {
    title: "Compare",
    start: "Split the screen",
    stop: "Stop splitting",
    one: "Left side",
    two: "Right side",
    divider: "Divider of the two times",
    epoch: "Survey {epoch}",
    today: "Today",
    other: "Another day…",
    date: "Day",
    region: "Map of the second time",
    note: "Drag the divider, or use the arrow keys when it has the focus. Both maps move together.",
    on: "Left: {one}. Right: {two}.",
    off: "The screen is whole again",
    single: "There is one survey alone; compare two days.",
  },
};

export function mount(app) {
  const { map, state, t } = app;
  app.texts("split", TEXTS);
  app.texts("split", CHANGES);
  let epochs = [];
  let second = null;
  let before = null;
  let place = 50;
  let moving = false;

  const sides = { one: side("one"), two: side("two") };
  const toggle = h("button", { type: "button", class: "main wide", t: "split.start", on: { click: () => (second ? stop() : start()) } });
  const warning = h("p", { class: "note", t: "split.single", hidden: true });
  const changes = createChanges(app, () => second);
  const panel = app.panel("split", {
    title: "split.title", icon: "split", order: 50, onOpen: () => know().catch(tell),
    element: h("div", { class: "tool" }, sides.one.element, sides.two.element, warning, toggle, changes.element, h("p", { class: "note", t: "split.note" })),
  });
  const tell = (error) => app.say(error.message, { level: "error" });

  // What one side shows: a survey, today, or another day.
  function side(name) {
    const choice = h("select", { id: `split-${name}` });
    const date = h("input", { type: "date", id: `split-${name}-day`, max: today(), value: today() });
    const dated = h("div", { hidden: true }, h("label", { for: `split-${name}-day`, t: "split.date" }), date);
    const changed = () => {
      dated.hidden = choice.value !== "other";
      if (second) show();
    };
    choice.addEventListener("change", changed);
    date.addEventListener("change", changed);
    return {
      element: h("div", {}, h("label", { for: `split-${name}`, t: `split.${name}` }), choice, dated),
      choice,
      date,
      get moment() {
        const found = epochs.find(({ epoch }) => `epoch:${epoch}` === choice.value);
        const wanted = found ? found.to : choice.value === "other" ? date.value : null;
        return { asOf: wanted && wanted < today() ? wanted : null, epoch: found?.epoch ?? null };
      },
      get name() {
        const found = epochs.find(({ epoch }) => `epoch:${epoch}` === choice.value);
        if (found) return t("split.epoch", { epoch: found.epoch });
        return choice.value === "other" ? day(date.value) : t("split.today");
      },
      offer() {
        const now = choice.value;
        fill(choice,
          epochs.map(({ epoch, to }) => h("option", { value: `epoch:${epoch}` }, `${t("split.epoch", { epoch })}${to ? ` (${day(to)})` : ""}`)),
          h("option", { value: "today" }, t("split.today")), h("option", { value: "other" }, t("split.other")));
        if (now) choice.value = now;
      },
    };
  }

  async function know() {
    const isFirst = !sides.one.choice.options.length;
    epochs = await app.epochs();
    for (const one of Object.values(sides)) one.offer();
    warning.hidden = epochs.length > 1;
    if (!isFirst) return;
    sides.one.choice.value = epochs.length ? `epoch:${epochs[0].epoch}` : "today";
    sides.two.choice.value = epochs.length > 1 ? `epoch:${epochs.at(-1).epoch}` : "today";
  }

  const host = h("div", { id: "split", hidden: true });
  const canvas = h("div", { class: "second", role: "region", label: "split.region" });
  const labels = { one: h("p", { class: "side one" }), two: h("p", { class: "side two" }) };
  const divider = h("div", {
    class: "divider", role: "separator", tabIndex: 0, label: "split.divider", "aria-orientation": "vertical",
    "aria-valuemin": "0", "aria-valuemax": "100", "aria-controls": "map",
  });
  put(host, canvas, labels.one, labels.two, divider);
  document.getElementById("map").append(host);

  function divide(percent) {
    place = Math.min(Math.max(percent, LEAST), 100 - LEAST);
    host.style.setProperty("--at", `${place}%`);
    divider.setAttribute("aria-valuenow", String(Math.round(place)));
  }

  // Style of the map as it is, with the sources of the second time.
  function styleOfSecond() {
    const { plain } = app.tilesAt;
    const { asOf, epoch } = sides.two.moment;
    const style = structuredClone(map.getStyle());
    for (const [id, tiles] of Object.entries(plain)) {
      const source = style.sources[id];
      if (!source) continue;
      delete source.url;
      source.tiles = at(tiles, id === "city" ? { as_of: asOf, known_at: state.get("knownAt") } : { epoch });
      if (id === "city") for (const name of ["minzoom", "maxzoom", "bounds"]) if (app.tiles[name] !== undefined) source[name] = app.tiles[name];
    }
    return style;
  }

  async function start() {
    try {
      await know();
    } catch (error) {
      tell(error);
      return;
    }
    before = { asOf: state.get("asOf"), epoch: state.get("epoch") };
    host.hidden = false;
    divide(50);
    second = new Map({
      container: canvas, style: styleOfSecond(), maxPitch: map.getMaxPitch(), fadeDuration: fade(), attributionControl: false,
      center: map.getCenter(), zoom: map.getZoom(), bearing: map.getBearing(), pitch: map.getPitch(),
      transformRequest: (url) => (url.startsWith(app.base) ? { url, headers: app.api.headers() } : { url }),
    });
    second.getCanvas().setAttribute("aria-label", t("split.region"));
    serveImages(second);
    second.on("error", ({ error }) => error?.name !== "AbortError" && tell(error));
    second.on("move", () => follow(second, map));
    second.on("click", ({ point }) => {
      const layers = [...app.card.kinds].flatMap(([kind, { layers: own = [] }]) => own.map((layer) => [layer, kind]));
      const known = new globalThis.Map(layers.filter(([layer]) => second.getLayer(layer)));
      const [hit] = second.queryRenderedFeatures(point, { layers: [...known.keys()] });
      const kind = hit && known.get(hit.layer.id);
      app.select(hit ? { kind, id: String(hit.properties[app.card.kinds.get(kind).key]) } : null);
    });
    map.on("move", lead);
    toggle.setAttribute("data-text-t", "split.stop");
    toggle.textContent = t("split.stop");
    app.split.map = second;
    show({ isNew: true });
    divider.focus({ preventScroll: true });
  }

  const lead = () => second && follow(map, second);
  function follow(from, to) {
    if (moving) return;
    moving = true;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom(), bearing: from.getBearing(), pitch: from.getPitch() });
    moving = false;
  }

  function show({ isNew = false } = {}) {
    state.set(sides.one.moment);
    if (!isNew) second.setStyle(styleOfSecond());
    const names = { one: sides.one.name, two: sides.two.name };
    for (const [name, label] of Object.entries(labels)) label.textContent = names[name];
    changes.show(surveys());
    app.say(t("split.on", names));
  }

  // The earlier and the later of the surveys of both sides; null where a side shows a day, or both the same.
  function surveys() {
    const places = [sides.one, sides.two].map(({ moment: { epoch } }) => epochs.findIndex((one) => one.epoch === epoch));
    const [from, to] = places.sort((a, b) => a - b);
    return from < 0 || from === to ? null : { from: epochs[from].epoch, to: epochs[to].epoch };
  }

  function stop() {
    map.off("move", lead);
    second.remove();
    second = null;
    app.split.map = null;
    changes.show(null);
    host.hidden = true;
    fill(canvas);
    state.set(before);
    toggle.setAttribute("data-text-t", "split.start");
    toggle.textContent = t("split.start");
    app.say(t("split.off"));
  }

  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    const drag = ({ clientX }) => {
      const box = host.getBoundingClientRect();
      divide((100 * (clientX - box.left)) / box.width);
    };
    divider.addEventListener("pointermove", drag);
    const end = () => divider.removeEventListener("pointermove", drag);
    divider.addEventListener("pointerup", end, { once: true });
    divider.addEventListener("pointercancel", end, { once: true });
  });
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP, PageDown: -LEAP, PageUp: LEAP, Home: -100, End: 100 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      divide(place + by);
    } else if (event.key === "Escape") {
      event.preventDefault();
      stop();
      toggle.focus();
    }
  });
  state.on("colourBy", (by) => second?.setPaintProperty("buildings", "fill-extrusion-color", buildingColour(by)));
  state.on("layers", () => second && requestAnimationFrame(() => second?.setStyle(styleOfSecond())));
  state.on("language", () => { for (const one of Object.values(sides)) one.offer(); if (second) show({ isNew: true }); });
  app.split = { map: null, panel, get changes() { return changes.found; } };
}
