// Elements of a page, and their words: what has a key of a text is written anew when the language changes.

import { t } from "./texts.js";

const ATTRIBUTES = { t: "textContent", label: "aria-label", tip: "title", hint: "placeholder" };

// h("button", { t: "key", values: {…}, label: "key", class: "…", on: { click } }, …children): an element.
// `t`, `label`, `tip`, `hint` are keys of texts: for its content, its name, its tooltip, its placeholder.
export function h(name, properties = {}, ...children) {
  const made = document.createElement(name);
  const { on = {}, values, ...rest } = properties;
  if (values) made.dataset.values = JSON.stringify(values);
  for (const [key, value] of Object.entries(rest)) {
    if (value === undefined || value === null || value === false) continue;
    if (key in ATTRIBUTES) made.setAttribute(`data-text-${key}`, value);
    else if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  put(made, ...children);
  write(made);
  return made;
}

// Children put into an element; what is null or undefined is left out.
export function put(parent, ...children) {
  parent.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

// What an element holds is replaced.
export function fill(parent, ...children) {
  parent.replaceChildren();
  return put(parent, ...children);
}

// A key of a text set on an element that is there already.
export function word(element, key, values) {
  if (values) element.dataset.values = JSON.stringify(values);
  element.setAttribute("data-text-t", key);
  write(element);
}

function write(element) {
  const values = element.dataset.values ? JSON.parse(element.dataset.values) : undefined;
  for (const [key, attribute] of Object.entries(ATTRIBUTES)) {
    const text = element.getAttribute(`data-text-${key}`);
    if (text === null) continue;
    if (attribute === "textContent") element.textContent = t(text, values);
    else element.setAttribute(attribute, t(text, values));
  }
}

// All words under an element in the language of now.
export function translate(root = document) {
  const wanted = Object.keys(ATTRIBUTES).map((key) => `[data-text-${key}]`).join(",");
  for (const element of root.querySelectorAll(wanted)) write(element);
}

// Moves through the items of a list by the arrow keys, Home and End; `choose(item)` gets where it has come to.
export function arrows(list, items, choose, { isVertical = true, goesRound = true } = {}) {
  list.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const [back, on] = isVertical ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
    const to = { [back]: at - 1, [on]: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || all.length === 0) return;
    event.preventDefault();
    const next = goesRound ? (to + all.length) % all.length : Math.min(Math.max(to, 0), all.length - 1);
    choose(all[next], event);
  });
}

export const escaped = encodeURIComponent;
