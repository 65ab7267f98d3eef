// The side panel: a rail of tabs, and under each a part's own. On a phone it is a sheet at the foot of the page.

import { arrows, h, word } from "./dom.js";
import { icon } from "./icons.js";

export function createPanel(app) {
  const rail = document.getElementById("rail");
  const sheet = document.getElementById("panel");
  const parts = new Map();
  let open = null;

  // Shows one tab's panel; null or the one that is open closes it.
  function show(id, { focus = false } = {}) {
    const next = parts.has(id) ? id : null;
    if (next !== open) {
      const before = open;
      open = next;
      sheet.hidden = open === null;
      document.body.dataset.panel = open ?? "";
      for (const [name, { tab, box, onClose, onOpen }] of parts) {
        const isOpen = name === next;
        tab.setAttribute("aria-selected", String(isOpen));
        box.hidden = !isOpen;
        if (isOpen) onOpen?.();
        else if (name === before) onClose?.();
      }
      // One stop of the Tab key for the whole rail.
      for (const { tab } of parts.values()) tab.tabIndex = -1;
      (parts.get(open) ?? parts.values().next().value).tab.tabIndex = 0;
    }
    if (focus && open) parts.get(open).box.focus({ preventScroll: true });
  }

  // { title: key of a text, icon: name, order, element, open: whether it is open at first, onOpen, onClose }
  function panel(id, { title, icon: name = "info", order = 100, element, open: isOpen = false, onOpen, onClose }) {
    const tab = h("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `part-${id}`, "aria-selected": "false", tabIndex: -1 },
      icon(name, 22), h("span", { t: title }));
    const heading = h("h2", { t: title });
    const close = h("button", { type: "button", class: "quiet close", label: "panel.close", on: { click: () => { show(null); tab.focus(); } } }, icon("close"));
    const box = h("section", { role: "tabpanel", id: `part-${id}`, "aria-labelledby": `tab-${id}`, tabIndex: -1, hidden: true },
      h("header", {}, heading, close), h("div", { class: "body" }, element));
    tab.addEventListener("click", () => show(open === id ? null : id));
    const made = { tab, box, order, onOpen, onClose };
    parts.set(id, made);
    const sorted = [...parts.values()].sort((a, b) => a.order - b.order);
    rail.replaceChildren(...sorted.map((one) => one.tab));
    sheet.append(box);
    if (open === null) (parts.get(open) ?? sorted[0]).tab.tabIndex = 0;
    if (isOpen) show(id);
    return {
      element: box,
      open: (options) => show(id, options),
      close: () => open === id && show(null),
      get isOpen() { return open === id; },
      setTitle(key, values) { word(heading, key, values); word(tab.querySelector("span"), key, values); },
    };
  }

  arrows(rail, () => [...rail.children], (tab) => {
    tab.focus();
    show(tab.id.slice("tab-".length));
  });
  // Both directions: the rail stands upright on a desk and lies on a phone.
  arrows(rail, () => [...rail.children], (tab) => {
    tab.focus();
    show(tab.id.slice("tab-".length));
  }, { isVertical: false });
  sheet.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || open === null) return;
    const { tab } = parts.get(open);
    event.preventDefault();
    show(null);
    tab.focus();
  });
  app.panel = panel;
  app.panel.show = show;
}
