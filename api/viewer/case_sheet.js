// One case: its figures, what it is about, its evidence, what was seen of it, and the form for what is seen now.

import { h, put } from "./dom.js";
import { day, measure } from "./texts.js";
import { today } from "./time.js";

const OUTCOMES = ["confirmed", "within_limits", "register_wrong", "not_accessible"];
const CONFLICTS = [409, 412];
// ms: how often it is looked whether a window is there, and how long a file may take to be saved.
const POLLED = 50;
const KEPT = 60_000;

export function createSheet(app, { changed }) {
  const { t, state } = app;
  let etag = null;

  const path = (id) => `compliance/cases/${encodeURIComponent(id)}`;
  const unitOf = ({ unit }) => (app.texts.has(`cases.unit.${unit}`) ? t(`cases.unit.${unit}`) : unit ?? "");

  // The case as it is now; its version is kept for what is sent.
  async function load(id) {
    const answer = await app.api.ask(path(id));
    etag = answer.headers.get("ETag");
    const one = await answer.json();
    return one;
  }

  // What its card shows below the title.
  function draw(one) {
    const unit = unitOf(one);
    const go = (kind, id) => (id ? h("button", { type: "button", class: "link", on: { click: () => app.select({ kind, id }, { focus: true }) } }, id) : null);
    const rows = [
      ["status", t(`cases.status.${one.status}`)],
      ["measured", measure(one.actual, unit)],
      ["allowed", measure(one.limit_value, unit)],
      ["delta", measure(one.delta, unit, { sigma: one.sigma })],
      ["building", go("buildings", one.building_uid)],
      ["parcel", go("parcels", one.parcel_uid)],
      ["permit", go("permits", one.permit_no)],
      ["epoch", one.epoch],
      ["flagged", day(one.flagged_at)],
      ["assigned", one.assigned_to && t("cases.assignedTo", { who: one.assigned_to, until: day(one.assigned_until) })],
      ["rule", one.evidence?.citation ?? one.evidence?.rule],
    ].filter(([, value]) => value !== null && value !== undefined && value !== "");
    const language = state.get("language");
    const sheet = (ending) => app.api.url(`${path(one.id)}/evidence.${ending}`, { lang: language });
    return h("div", { class: "tool" },
      one.closed_at ? h("p", { class: "verdict clear" }, t("cases.closed")) : null,
      h("table", {}, h("tbody", {}, rows.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, t(`cases.${name}`)), put(h("td"), value))))),
      h("h3", {}, t("cases.evidence")),
      h("ul", { class: "links" }, evidence(one, "html", sheet("html")), evidence(one, "pdf", sheet("pdf"))),
      h("h3", {}, t("cases.inspections")), inspections(one), form(one));
  }

  // With a token the sheet is fetched: a link could not say who asks. The page's window is opened at once, as browsers
  // allow one to whoever clicks and to nobody later; it lets the sheet's own style in, and no script.
  function evidence(one, ending, url) {
    const link = h("a", { href: String(url), target: "_blank", rel: "noopener" }, t(`cases.${ending}`));
    link.addEventListener("click", async (event) => {
      if (!state.get("token")) return;
      event.preventDefault();
      const page = ending === "html" ? window.open(app.api.url("viewer/sheet.html"), "_blank") : null;
      try {
        const answer = await app.api.ask(`${path(one.id)}/evidence.${ending}`, { lang: state.get("language") }, { headers: { Accept: "*/*" } });
        if (page) await showIn(page, await answer.text());
        else keep(await answer.blob(), `${one.id}.${ending}`);
      } catch (error) {
        page?.close();
        app.say(error.message, { level: "error" });
      }
    });
    return h("li", {}, link);
  }

  // Read by the window itself: under the rules of the map's page its style would be taken out.
  async function showIn(page, text) {
    const isThere = () => page.location.href !== "about:blank" && page.document.readyState === "complete";
    while (!page.closed && !isThere()) await new Promise((resolve) => { setTimeout(resolve, POLLED); });
    if (page.closed) return;
    const { documentElement } = new page.DOMParser().parseFromString(text, "text/html");
    page.document.replaceChild(page.document.adoptNode(documentElement), page.document.documentElement);
  }

  function keep(blob, name) {
    const made = h("a", { href: URL.createObjectURL(blob), download: name });
    made.click();
    setTimeout(() => URL.revokeObjectURL(made.href), KEPT);
  }

  function inspections(one) {
    if (!one.inspections.length) return h("p", { class: "note" }, t("cases.noInspections"));
    return h("ol", { class: "inspections plain" }, one.inspections.map((seen) => h("li", {},
      h("b", {}, t(`cases.outcome.${seen.outcome}`)), seen.measured_value === null ? "" : ` · ${measure(seen.measured_value, unitOf(one), { digits: 2 })}`,
      h("div", { class: "note" }, t("cases.inspectedBy", { day: day(seen.inspected_on), who: seen.actor })), seen.note ? h("div", {}, seen.note) : null)));
  }

  function form(one) {
    const possible = OUTCOMES.filter((outcome) => one.next.includes(outcome));
    if (!possible.length) return null;
    if (!app.session.may("inspection", one.ward_code)) return h("p", { class: "note" }, t("cases.signIn"));
    const outcome = h("select", { id: "inspection-outcome", required: true }, possible.map((name) => h("option", { value: name }, t(`cases.outcome.${name}`))));
    const date = h("input", { type: "date", id: "inspection-day", max: today(), value: today(), required: true });
    const value = h("input", { type: "number", id: "inspection-value", step: "any", inputmode: "decimal" });
    const note = h("textarea", { id: "inspection-note", maxlength: "2000", rows: "3" });
    const save = h("button", { type: "submit", class: "main" }, t("cases.save"));
    const unit = unitOf(one);
    const made = h("form", { class: "form" }, h("h3", {}, t("cases.record")),
      h("label", { for: "inspection-outcome" }, t("cases.outcome")), outcome,
      h("label", { for: "inspection-day" }, t("cases.day")), date,
      h("label", { for: "inspection-value" }, unit ? t("cases.value", { unit }) : t("cases.valuePlain")), value,
      h("label", { for: "inspection-note" }, t("cases.note")), note, save);
    made.addEventListener("submit", async (event) => {
      event.preventDefault();
      save.disabled = true;
      const told = { outcome: outcome.value, inspected_on: date.value, measured_value: value.value === "" ? null : Number(value.value), note: note.value.trim() || null };
      try {
        await app.api.send("POST", `${path(one.id)}/inspections`, told, { "If-Match": etag });
        app.say(t("cases.saved", { outcome: t(`cases.outcome.${told.outcome}`) }), { level: "show" });
        await app.card.open({ kind: "cases", id: one.id });
        changed();
      } catch (error) {
        if (!CONFLICTS.includes(error.status)) {
          app.say(error.message, { level: "error" });
          return;
        }
        // What somebody else did is shown; what was written here stays in the form.
        await app.card.open({ kind: "cases", id: one.id });
        for (const [id, text] of [["inspection-value", value.value], ["inspection-note", note.value], ["inspection-day", date.value]]) {
          const field = document.getElementById(id);
          if (field) field.value = text;
        }
        app.say(t("cases.conflict"), { level: "error" });
      } finally {
        save.disabled = false;
      }
    });
    return made;
  }

  state.on("session", () => app.card.shown?.kind === "cases" && app.card.open(app.card.shown));
  return { load, draw };
}
