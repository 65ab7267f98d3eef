// The search box: parcels by number or address, buildings and permits by their identity, dossiers by their receipt,
// coordinates. A combobox with a listbox, after the WAI-ARIA practices.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { place } from "./places.js";
import { number } from "./texts.js";

const WAIT = 250;
const MOST = 8;
const RECEIPT = /^\d{3}-\d{4}-\d{6}$/;
const IDENTITY = /^[A-Za-z][\w./-]*\d[\w./-]*$/;
const CLOSE = 18.5;

export function mount(app) {
  const { api, t, state } = app;
  const box = h("input", {
    type: "search", id: "search-box", role: "combobox", autocomplete: "off", spellcheck: "false", maxlength: "200",
    "aria-expanded": "false", "aria-controls": "search-list", "aria-autocomplete": "list", label: "search.label", hint: "search.hint",
  });
  const list = h("ul", { id: "search-list", role: "listbox", label: "search.found", hidden: true });
  document.getElementById("search").append(icon("search", 18), box, list);
  let options = [];
  let active = -1;
  let waiting = null;
  let last = 0;

  const moment = () => ({ as_of: state.get("asOf"), known_at: state.get("knownAt") });
  const onDay = () => ({ datetime: state.get("asOf"), known_at: state.get("knownAt") });

  // All that a text may mean, the likeliest first.
  async function find(text) {
    const coordinates = place(text);
    if (coordinates) return [await placed(coordinates)].filter(Boolean);
    if (RECEIPT.test(text)) return [{ icon: "permit", title: `${t("kind.dossiers")} ${text}`, detail: t("search.secret"), choose: () => app.select({ kind: "dossiers", id: text }, { focus: true }) }];
    const found = [];
    if (IDENTITY.test(text)) found.push(...(await Promise.all([known("parcels", "uid", text), known("buildings", "uid", text), known("permits", "permit_no", text)])).flat());
    const parcels = await api.json("parcels/search", { text, limit: MOST, ...moment() });
    found.push(...parcels.features.map(parcel));
    return found.filter((one, i) => found.findIndex(({ key }) => key === one.key) === i).slice(0, MOST);
  }

  async function placed(coordinates) {
    const asked = coordinates.east === undefined ? { x: coordinates.longitude, y: coordinates.latitude } : { x: coordinates.east, y: coordinates.north, crs: "register" };
    const { longitude, latitude, x, y } = await api.json("position", asked);
    const id = `${latitude.toFixed(6)},${longitude.toFixed(6)}`;
    return { icon: "pin", title: `${number(latitude, 6)}, ${number(longitude, 6)}`, detail: `VN-2000: ${number(x, 2)} · ${number(y, 2)}`, choose: () => {
      app.goTo({ center: [longitude, latitude], zoom: Math.max(app.map.getZoom(), CLOSE - 1) });
      app.select({ kind: "places", id }, { focus: true });
    } };
  }

  async function known(kind, key, text) {
    const { features } = await api.json(`collections/${kind}/items`, { [key]: text, limit: 2, ...onDay() });
    return features.map((feature) => ({
      key: `${kind}:${feature.id}`, icon: app.card.kinds.get(kind).icon, title: `${t(`kind.${kind}`)} ${feature.id}`, detail: "",
      choose: () => go(kind, feature),
    }));
  }

  function parcel(feature) {
    const { sheet_no: sheet, parcel_no: no, address, ward_code: ward, uid } = feature.properties;
    return { key: `parcels:${uid}`, icon: "parcel", title: `${t("kind.parcels")} ${sheet}/${no}`, detail: [address, ward].filter(Boolean).join(" · "), choose: () => go("parcels", feature) };
  }

  function go(kind, feature) {
    const bounds = app.reach(feature.geometry);
    if (bounds) app.goTo({ bounds, maxZoom: CLOSE });
    app.select({ kind, id: String(feature.id) }, { focus: true });
  }

  function show(found) {
    options = found;
    active = -1;
    fill(list, found.map((one, i) => h("li", { role: "option", id: `search-${i}`, "aria-selected": "false", on: { mousedown: (event) => event.preventDefault(), click: () => choose(i) } },
      icon(one.icon, 18), h("span", {}, one.title, one.detail ? h("small", {}, one.detail) : null))));
    if (!found.length) list.append(h("li", { class: "none", role: "option", "aria-disabled": "true", "aria-selected": "false" }, t("search.nothing")));
    list.hidden = false;
    box.setAttribute("aria-expanded", "true");
    app.say(found.length ? t("search.count", { count: found.length }) : t("search.nothing"));
  }

  function hide() {
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function mark(next) {
    if (!options.length) return;
    active = (next + options.length) % options.length;
    for (const [i, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(i === active));
    box.setAttribute("aria-activedescendant", `search-${active}`);
    list.children[active].scrollIntoView({ block: "nearest" });
  }

  function choose(i) {
    const chosen = options[i];
    if (!chosen) return;
    box.value = chosen.title;
    hide();
    chosen.choose();
  }

  async function ask() {
    clearTimeout(waiting);
    const text = box.value.trim();
    last += 1;
    const mine = last;
    if (text.length < 2) {
      hide();
      return;
    }
    try {
      const found = await find(text);
      // Somebody has typed on in the meantime.
      if (mine === last && document.activeElement === box) show(found);
    } catch (error) {
      if (mine === last) app.say(error.message, { level: "show" });
    }
  }

  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, WAIT);
  });
  box.addEventListener("blur", hide);
  box.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) await ask();
      mark(event.key === "ArrowDown" ? active + 1 : active < 0 ? -1 : active - 1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (list.hidden || !options.length) await ask();
      choose(Math.max(active, 0));
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      hide();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName)) return;
    event.preventDefault();
    box.focus();
  });
}
