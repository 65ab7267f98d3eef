// What inspections say of what is flagged, kind by kind, with the interval that few inspections leave.

import { fill, h, put } from "./dom.js";

export function createStatistics(app) {
  const { t, state } = app;
  const element = h("div", {});
  let shown = null;

  async function load() {
    try {
      shown = await app.api.json("compliance/statistics");
      draw();
    } catch (error) {
      fill(element, h("p", { class: "verdict flagged" }, error.message));
    }
  }

  const percent = (share) => `${Math.round(100 * share)} %`;

  function draw() {
    if (!shown) return;
    const heads = ["kind", "flaggedCount", "inspected", "confirmed", "dismissed", "precision", "further"];
    const rows = shown.kinds.map((one) => h("tr", {},
      h("th", { scope: "row" }, app.texts.has(`cases.kind.${one.kind}`) ? t(`cases.kind.${one.kind}`) : one.kind),
      [one.flagged, one.inspected, one.confirmed, one.dismissed].map((count) => h("td", {}, String(count))),
      h("td", {}, one.precision === null ? "–" : `${percent(one.precision)} (${percent(one.precision_low)}–${percent(one.precision_high)})`),
      h("td", {}, String(one.further_inspections))));
    fill(element, h("p", {}, shown.false_alarm_rate === null ? t("cases.rateUnknown") : t("cases.rate", { rate: (100 * shown.false_alarm_rate).toLocaleString(state.get("language")) })));
    if (!rows.length) put(element, h("p", { class: "note" }, t("cases.none")));
    else {
      put(element, h("div", { class: "scroll wide", tabIndex: 0, role: "region", "aria-label": t("cases.statistics") },
        h("table", {}, h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, t(`cases.${name}`))))), h("tbody", {}, rows))));
    }
    put(element, h("p", { class: "note" }, t("cases.bias")));
  }

  state.on("language", draw);
  return { element, load };
}
