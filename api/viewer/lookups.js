// Cards of what is on no layer: a place by its coordinates, and a dossier by its receipt and secret.

import { fill, h } from "./dom.js";
import { day, measure, number } from "./texts.js";

export function mount(app) {
  const { api, t, card, state } = app;

  card.define("places", {
    icon: "pin", title: "kind.places",
    // Of the place's coordinates; what lies there is asked of the service.
    async load(id) {
      const [y, x] = id.split(",");
      const [place, height, parcels] = await Promise.all([
        api.json("position", { x, y }),
        api.json("raster/dtm/value", { x, y }).catch(() => null),
        api.json("parcels/search", { at: `${x},${y}`, as_of: state.get("asOf"), known_at: state.get("knownAt") }).catch(() => ({ features: [] })),
      ]);
      return { id, place, height, parcel: parcels.features[0] };
    },
    name: ({ id }) => id.replace(",", ", "),
    rows: ({ place, height, parcel }) => [
      ["fact.latitude", number(place.latitude, 7)],
      ["fact.longitude", number(place.longitude, 7)],
      ["fact.north", measure(place.y, "m", { digits: 2 })],
      ["fact.east", measure(place.x, "m", { digits: 2 })],
      ["fact.ground", height && measure(height.value, "m", { sigma: height.sigma, digits: 2 })],
      ["fact.parcel", parcel && h("button", { type: "button", class: "link", on: { click: () => app.select({ kind: "parcels", id: parcel.id }, { focus: true }) } }, `${parcel.properties.sheet_no}/${parcel.properties.parcel_no}`)],
    ],
  });

  card.define("dossiers", {
    icon: "permit", title: "kind.dossiers",
    load: async (id) => ({ id }),
    name: ({ id }) => id,
    rows: () => [],
    before({ id }) {
      const secret = h("input", { type: "text", id: "receipt-secret", autocomplete: "off", spellcheck: "false", maxlength: "40", required: true });
      const told = h("div", {});
      const form = h("form", { class: "ask" }, h("label", { for: "receipt-secret", t: "dossier.secret" }), secret, h("button", { type: "submit", class: "main", t: "dossier.ask" }), told);
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        try {
          // The secret goes to the service alone: neither into the address nor into what is kept.
          const found = await api.json("permits/status", { receipt: id, secret: secret.value.trim() });
          show(told, found);
          app.say(`${id}: ${inWords(found)}`);
        } catch (error) {
          fill(told, h("p", { class: "verdict flagged", role: "alert" }, error.status === 404 ? t("dossier.wrong") : error.message));
        }
      });
      return form;
    },
  });

  const own = (found, name) => found[`${name}_${state.get("language")}`];
  const inWords = (found) => own(found, "status");
  function show(told, found) {
    const table = h("table", {}, h("tbody", {}));
    card.row(table, "fact.status", inWords(found));
    card.row(table, "dossier.filed", day(found.filed));
    card.row(table, "dossier.due", day(found.due));
    card.row(table, "dossier.next", found.next_step && [own(found.next_step, "title"), found.next_step.due && ` (${day(found.next_step.due)})`]);
    card.row(table, "dossier.law", state.get("language") === "vi" ? found.law_vi : found.law);
    fill(told, table);
  }
}
