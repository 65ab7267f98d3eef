// The day the city is shown at: tiles, pictures of the terrain and cards go along. A slider over the days, with marks
// where something changed and where the city was surveyed.

import { createEpochs } from "./epochs.js";
import { fill, h, put, word } from "./dom.js";
import { icon } from "./icons.js";
import { day } from "./texts.js";

const DAY = 86_400_000;
const YEARS = 10;
const WAIT = 180;
const CHANGES_MOST = 1000;
const MARKS_MOST = 60;
const PICTURES = ["dtm", "dsm", "ndsm", "shade", "heights"];

const TEXTS = {
  vi: {
    title: "Thời gian",
    day: "Ngày xem thành phố",
    slider: "Kéo để chọn ngày",
    date: "Ngày",
    today: "Hôm nay",
    back: "Mốc trước",
    on: "Mốc sau",
    marks: "Các mốc trong khung nhìn",
    changed: "{count} thay đổi đăng ký",
    changedOne: "1 thay đổi đăng ký",
    flown: "Đợt bay {epoch}",
    note: "Bản đồ và thông tin là của ngày đã chọn. Phím mũi tên: 1 ngày; Page Up, Page Down: 1 tháng.",
    shown: "Thành phố ngày {day}",
    terrain: "Địa hình của đợt bay",
    newest: "Mới nhất",
    none: "Không có mốc nào trong khung nhìn.",
    future: "Ngày này chưa tới.",
  },
  en: {
    title: "Time",
    day: "The city's day",
    slider: "Drag to choose a day",
    date: "Day",
    today: "Today",
    back: "Mark before",
    on: "Mark after",
    marks: "Marks in view",
    changed: "{count} changes of registers",
    changedOne: "1 change of a register",
    flown: "Survey {epoch}",
    note: "Map and facts are those of the chosen day. Arrow keys: 1 day; Page Up, Page Down: 1 month.",
    shown: "The city on {day}",
    terrain: "Terrain of the survey",
    newest: "Newest",
    none: "No mark in view.",
    future: "This day is still to come.",
  },
};

const iso = (number) => new Date(number * DAY).toISOString().slice(0, 10);
const count = (text) => Math.round(Date.parse(`${text}T00:00:00Z`) / DAY);
// The day it is in Vietnam, as the service counts.
export const today = () => new Date(Date.now() + 7 * 3_600_000).toISOString().slice(0, 10);

// A month on or back; the last day of a shorter one.
function byMonth(number, months) {
  const date = new Date(number * DAY);
  const wanted = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() + months);
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  date.setUTCDate(Math.min(wanted, last));
  return Math.round(date.getTime() / DAY);
}

// Addresses of tiles at a day, of what the register knew at a moment, and of the terrain of a campaign.
export function at(tiles, query) {
  return tiles.map((tile) => {
    const [path, before = ""] = tile.split("?");
    const asked = new URLSearchParams(before);
    for (const [name, value] of Object.entries(query)) {
      if (value) asked.set(name, value);
      else asked.delete(name);
    }
    return asked.size ? `${path}?${asked}` : path;
  });
}

// Puts a map's sources at a day and a campaign; `plain` are the addresses they had at first, by source.
export function showAt(map, plain, { asOf, knownAt, epoch }) {
  for (const [id, tiles] of Object.entries(plain)) {
    const source = map.getSource(id);
    if (!source) continue;
    const wanted = at(tiles, id === "city" ? { as_of: asOf, known_at: knownAt } : { epoch });
    source.setTiles(wanted);
  }
}

// The addresses of a style's sources, before any day was chosen.
export function plainTiles(map, tileJson) {
  const found = { city: tileJson.tiles };
  for (const id of PICTURES) {
    const { tiles } = map.getStyle().sources[id] ?? {};
    if (tiles) found[id] = tiles;
  }
  return found;
}

export function mount(app) {
  const { map, state, t } = app;
  app.texts("time", TEXTS);
  app.epochs = createEpochs(app);
  let marks = [];
  let least = count(today()) - Math.round(YEARS * 365.25);
  let most = count(today());
  let waiting = null;
  let plain = null;

  const slider = h("input", { type: "range", id: "day-slider", step: "1", label: "time.day", list: "day-marks" });
  const ticks = h("datalist", { id: "day-marks" });
  const date = h("input", { type: "date", id: "day-date" });
  const chosen = h("output", { for: "day-slider day-date", class: "day" });
  const button = (name, sign, act) => h("button", { type: "button", class: "quiet", label: `time.${name}`, tip: `time.${name}`, on: { click: act } }, sign);
  const reset = h("button", { type: "button", class: "second", t: "time.today", on: { click: () => choose(null) } });
  const list = h("ul", { class: "marks" });
  const terrain = h("select", { id: "terrain-epoch" });
  const chip = h("div", { id: "day-chip", hidden: true });

  const value = () => state.get("asOf") ?? today();
  const choose = (text) => state.set({ asOf: text && text < today() ? text : null });

  function draw() {
    const now = value();
    const number = Math.min(Math.max(count(now), least), most);
    Object.assign(slider, { min: String(least), max: String(most) });
    slider.value = String(number);
    slider.setAttribute("aria-valuetext", day(now));
    Object.assign(date, { min: "1900-01-01", max: today(), value: now });
    chosen.textContent = day(now);
    reset.disabled = !state.get("asOf");
    chip.hidden = !state.get("asOf");
    fill(chip, icon("calendar", 18), h("span", {}, t("time.shown", { day: day(now) })), h("button", { type: "button", class: "chip", on: { click: () => choose(null) } }, t("time.today")));
    fill(ticks, marks.map((mark) => h("option", { value: String(count(mark.day)) })));
    fill(list, marks.toReversed().map(({ day: on, epoch, changes }) => {
      const what = epoch ? t("time.flown", { epoch }) : changes === 1 ? t("time.changedOne") : t("time.changed", { count: changes });
      const isNow = on === now;
      return h("li", {}, h("button", { type: "button", class: `mark${epoch ? " epoch" : ""}`, "aria-pressed": String(isNow), on: { click: () => choose(on) } },
        icon(epoch ? "scan" : "calendar", 16), h("b", {}, day(on)), h("span", {}, what)));
    }));
    if (!marks.length) put(list, h("li", { class: "note" }, t("time.none")));
  }

  // What the slider is moved to is shown when it rests.
  slider.addEventListener("input", () => {
    clearTimeout(waiting);
    const wanted = iso(Number(slider.value));
    slider.setAttribute("aria-valuetext", day(wanted));
    chosen.textContent = day(wanted);
    waiting = setTimeout(() => choose(wanted), WAIT);
  });
  slider.addEventListener("keydown", (event) => {
    const months = { PageUp: 1, PageDown: -1 }[event.key];
    if (!months) return;
    event.preventDefault();
    slider.value = String(Math.min(Math.max(byMonth(Number(slider.value), months), least), most));
    slider.dispatchEvent(new Event("input"));
  });
  date.addEventListener("change", () => {
    if (!date.value) return;
    if (date.value > today()) app.say(t("time.future"), { level: "show" });
    choose(date.value);
  });
  terrain.addEventListener("change", () => state.set({ epoch: terrain.value || null }));

  function step(way) {
    const now = value();
    const found = way < 0 ? marks.findLast((mark) => mark.day < now) : marks.find((mark) => mark.day > now);
    if (found) choose(found.day);
    else if (way > 0) choose(null);
  }

  // Days of surveys, and on which what is in view began to be so.
  async function findMarks() {
    const byDay = new Map();
    const epochs = await app.epochs();
    for (const { epoch, to } of epochs) if (to) byDay.set(to, { day: to, epoch });
    const bbox = map.getBounds().toArray().flat().map((one) => one.toFixed(6)).join(",");
    const query = { bbox, limit: CHANGES_MOST, skipGeometry: true, datetime: `1900-01-01/${today()}`, f: "json" };
    const began = { parcels: "valid_from", planning_zones: "valid_from", roads: "valid_from", permits: "issued" };
    const pages = await Promise.all(Object.entries(began).map(([name, property]) => app.api.json(`collections/${name}/items`, { ...query, properties: property })
      .then(({ features }) => features.map(({ properties }) => properties[property]), () => [])));
    for (const on of pages.flat()) {
      if (!on || on > today() || byDay.get(on)?.epoch) continue;
      const mark = byDay.get(on) ?? { day: on, changes: 0 };
      mark.changes += 1;
      byDay.set(on, mark);
    }
    const all = [...byDay.values()];
    // Of many those where most changed.
    const kept = new Set(all.sort((a, b) => (b.epoch ? Infinity : b.changes) - (a.epoch ? Infinity : a.changes)).slice(0, MARKS_MOST));
    marks = [...kept].sort((a, b) => a.day.localeCompare(b.day));
    least = Math.min(count(today()) - Math.round(YEARS * 365.25), ...marks.slice(0, 1).map((mark) => count(mark.day) - 30), count(value()));
    most = count(today());
    fill(terrain, h("option", { value: "" }, t("time.newest")), epochs.map(({ epoch }) => h("option", { value: epoch }, epoch)));
    terrain.value = state.get("epoch") ?? "";
    draw();
  }

  const seek = () => findMarks().catch((error) => app.say(error.message, { level: "error" }));

  // All that is drawn of the registers, asked for again: at another day, or by somebody else.
  app.drawAnew = () => {
    if (!plain) return;
    showAt(map, plain, { asOf: state.get("asOf"), knownAt: state.get("knownAt"), epoch: state.get("epoch") });
    const selected = state.get("selected");
    if (selected) map.once("idle", () => app.highlight(selected, true));
  };
  app.tilesAt = { get plain() { return plain; } };
  const ready = () => {
    plain = plainTiles(map, app.tiles);
    if (["asOf", "knownAt", "epoch"].some((name) => state.get(name))) app.drawAnew();
  };
  if (map.isStyleLoaded()) ready();
  else map.once("style.load", ready);

  const panel = app.panel("time", {
    title: "time.title", icon: "calendar", order: 30, onOpen: seek,
    element: h("div", { class: "tool" },
      h("div", { class: "line" }, chosen, button("back", "‹", () => step(-1)), button("on", "›", () => step(1)), reset),
      slider, ticks,
      h("label", { for: "day-date", t: "time.date" }), date,
      h("label", { for: "terrain-epoch", t: "time.terrain" }), terrain,
      h("h3", { t: "time.marks" }), list,
      h("p", { class: "note", t: "time.note" })),
  });
  map.on("moveend", () => {
    clearTimeout(seek.waiting);
    if (panel.isOpen) seek.waiting = setTimeout(seek, 600);
  });
  document.getElementById("map").append(chip);
  for (const name of ["asOf", "knownAt", "epoch"]) state.on(name, () => { app.drawAnew(); draw(); });
  state.on("asOf", () => app.say(t("time.shown", { day: day(value()) })));
  state.on("language", () => { draw(); word(reset, "time.today"); });
  draw();
}
