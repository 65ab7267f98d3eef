// What may be built on a parcel: its limits with their texts, and the largest space a building may fill, drawn on it.

import { fill, h, put } from "./dom.js";
import { icon } from "./icons.js";
import { day, measure, number } from "./texts.js";
import { today } from "./time.js";

const SOURCE = "envelope";
const COLOUR = "#1d7d5c";
const USES = ["attached", "detached", "apartments", "service"];

const TEXTS = {
  vi: {
    title: "Được xây gì",
    ask: "Được xây gì ở đây?",
    choose: "Chọn một thửa đất trên bản đồ, rồi bấm “Được xây gì ở đây?”.",
    parcel: "Thửa {name}",
    use: "Loại công trình",
    "use.attached": "Nhà ở liên kế",
    "use.detached": "Nhà ở riêng lẻ, biệt thự",
    "use.apartments": "Chung cư",
    "use.service": "Thương mại, dịch vụ",
    kind: "Khu vực",
    "kind.new": "Khu quy hoạch mới",
    "kind.existing": "Khu hiện hữu",
    filed: "Ngày nộp hồ sơ",
    height: "Chiều cao dự kiến (m)",
    heightHint: "khi không có giới hạn",
    result: "Kết quả",
    space: "Khối tích tối đa",
    step: "Từ {base} đến {top}",
    onGround: "Diện tích tối đa trên mặt đất",
    top: "Chiều cao tối đa",
    ground: "Cao độ nền đất",
    lot: "Thửa đất",
    front: "Mặt tiền {frontage} trên {road}, lộ giới {width}",
    noFront: "Không thấy đường nào giáp thửa",
    depth: "Chiều sâu",
    area: "Diện tích",
    floorArea: "Tổng diện tích sàn tối đa",
    limits: "Các giới hạn",
    limit: "Giới hạn",
    value: "Mức",
    text: "Căn cứ",
    since: "hiệu lực từ {day}",
    binds: "chặt nhất",
    fails: "không đạt",
    doubtful: "còn nghi vấn",
    open: "văn bản không nêu",
    notes: "Lưu ý",
    none: "Không dựng được khối tích",
    "none.lot": "Thửa đất không đủ điều kiện xây dựng: {detail}",
    "none.no_height_limit": "Không quy định nào giới hạn chiều cao ở đây. Hãy nhập chiều cao dự kiến, hoặc chọn loại công trình khác.",
    "none.nothing_left": "Khoảng lùi và lộ giới không để lại phần đất nào để xây.",
    "taken.use": "Chưa chọn loại công trình: tính như nhà ở liên kế.",
    "taken.area_kind": "Chưa chọn khu vực: tính như khu quy hoạch mới, là trường hợp chặt hơn.",
    advice: "Đây là tính toán theo dữ liệu và quy định, không phải quyết định của cơ quan cấp phép.",
    download: "Tải khối tích",
    clear: "Xóa khỏi bản đồ",
    drawn: "Khối tích tối đa của thửa {name}: cao {height}",
    actual: "hiện có {value}",
    at_most: "không quá",
    at_least: "ít nhất",
    "q.building_density": "Mật độ xây dựng",
    "q.floor_area_ratio": "Hệ số sử dụng đất",
    "q.floors": "Số tầng",
    "q.basements": "Số tầng hầm",
    "q.height": "Chiều cao",
    "q.height_at_building_line": "Chiều cao tại chỉ giới xây dựng",
    "q.setback_front": "Khoảng lùi trước",
    "q.setback_front_from": "Khoảng lùi trước, công trình cao từ {height}",
    "q.setback_rear": "Khoảng lùi sau",
    "q.setback_side": "Khoảng lùi bên",
    "q.step_back": "Lùi tầng trên",
    "q.balcony": "Ban công vươn ra",
    "q.road_reserve": "Trong lộ giới",
    "q.lot_area_m2": "Diện tích thửa",
    "q.lot_depth_m": "Chiều sâu thửa",
    "q.frontage": "Bề rộng mặt tiền",
    "unit.floors": "tầng",
    "unit.ratio": "lần",
    "source.lot_line": "ranh thửa",
  },
  en: {
    title: "May be built",
    ask: "What may I build here?",
    choose: "Choose a parcel on the map, then press “What may I build here?”.",
    parcel: "Parcel {name}",
    use: "Kind of building",
    "use.attached": "Attached house",
    "use.detached": "Detached house, villa",
    "use.apartments": "Apartments",
    "use.service": "Commerce, services",
    kind: "Area",
    "kind.new": "Newly planned area",
    "kind.existing": "Existing area",
    filed: "Day of filing",
    height: "Height wanted (m)",
    heightHint: "where nothing limits it",
    result: "Result",
    space: "Largest space",
    step: "From {base} to {top}",
    onGround: "Most on the ground",
    top: "Greatest height",
    ground: "Level of the ground",
    lot: "Lot",
    front: "Front of {frontage} on {road}, reserve {width}",
    noFront: "No road is seen beside the lot",
    depth: "Depth",
    area: "Area",
    floorArea: "Most floor area",
    limits: "Limits",
    limit: "Limit",
    value: "Value",
    text: "Text",
    since: "in force from {day}",
    binds: "strictest",
    fails: "not met",
    doubtful: "doubtful",
    open: "the text leaves it open",
    notes: "Notes",
    none: "No space can be drawn",
    "none.lot": "The lot may not be built on: {detail}",
    "none.no_height_limit": "Nothing limits the height here. Give the height you want, or choose another kind of building.",
    "none.nothing_left": "Setbacks and road reserve leave nothing of the lot to build on.",
    "taken.use": "No kind of building was chosen: an attached house is taken.",
    "taken.area_kind": "No kind of area was chosen: a new one is taken, the stricter.",
    advice: "This is worked out from data and rules. It is no decision of the office.",
    download: "Download the space",
    clear: "Remove from the map",
    drawn: "Largest space on parcel {name}: {height} high",
    actual: "it has {value}",
    at_most: "at most",
    at_least: "at least",
    "q.building_density": "Building density",
    "q.floor_area_ratio": "Floor area ratio",
    "q.floors": "Floors",
    "q.basements": "Basements",
    "q.height": "Height",
    "q.height_at_building_line": "Height at the building line",
    "q.setback_front": "Front setback",
    "q.setback_front_from": "Front setback of a building from {height} high",
    "q.setback_rear": "Rear setback",
    "q.setback_side": "Side setback",
    "q.step_back": "Step back of upper floors",
    "q.balcony": "Balcony over the street",
    "q.road_reserve": "In the road reserve",
    "q.lot_area_m2": "Area of the lot",
    "q.lot_depth_m": "Depth of the lot",
    "q.frontage": "Frontage",
    "unit.floors": "floors",
    "unit.ratio": "times",
    "source.lot_line": "line of the lot",
  },
};

export function mount(app) {
  const { map, state, t } = app;
  app.texts("envelope", TEXTS);
  const result = h("div", { class: "result" });
  let parcel = null;
  let shown = null;
  let number_ = 0;

  const use = choice("use", USES, "envelope.use");
  const kind = choice("area_kind", ["new", "existing"], "envelope.kind");
  const filed = h("input", { type: "date", id: "envelope-filed_on" });
  const height = h("input", { type: "number", id: "envelope-height", min: "1", max: "1000", step: "0.1", inputmode: "decimal", hint: "envelope.heightHint" });
  const form = h("form", { class: "form two", hidden: true },
    h("label", { for: "envelope-use", t: "envelope.use" }), use,
    h("label", { for: "envelope-area_kind", t: "envelope.kind" }), kind,
    h("label", { for: "envelope-filed_on", t: "envelope.filed" }), filed,
    h("label", { for: "envelope-height", t: "envelope.height" }), height);
  const hint = h("p", { class: "note", t: "envelope.choose" });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  form.addEventListener("change", () => ask());

  function choice(name, values, group) {
    return h("select", { id: `envelope-${name}` }, values.map((value) => h("option", { value, t: `${group}.${value}` })));
  }

  const panel = app.panel("envelope", { title: "envelope.title", icon: "home", order: 40, element: h("div", { class: "tool" }, hint, form, result) });

  app.card.add("parcels", (feature, box) => put(box, h("button", {
    type: "button", class: "main wide", on: { click: () => { open(feature); panel.open({ focus: true }); } },
  }, icon("home"), h("span", {}, t("envelope.ask")))));

  function open(feature) {
    const { sheet_no: sheet, parcel_no: lot } = feature.properties;
    parcel = { uid: feature.id, name: sheet ? `${sheet}/${lot}` : String(feature.id) };
    filed.value ||= state.get("asOf") ?? today();
    form.hidden = false;
    hint.hidden = true;
    ask();
  }

  async function ask() {
    if (!parcel || !form.reportValidity()) return;
    const mine = ++number_;
    const query = { filed_on: filed.value, as_of: state.get("asOf"), use: use.value, area_kind: kind.value, height: height.value };
    result.setAttribute("aria-busy", "true");
    try {
      const found = await app.api.json(`parcels/${encodeURIComponent(parcel.uid)}/envelope`, query);
      if (mine !== number_) return;
      shown = found;
      draw();
      paint();
      app.say(found.envelope ? t("envelope.drawn", { name: parcel.name, height: measure(found.envelope.height_m, "m") }) : t("envelope.none"));
    } catch (error) {
      if (mine !== number_) return;
      shown = null;
      paint();
      fill(result, h("p", { class: "verdict flagged" }, error.message));
    } finally {
      if (mine === number_) result.removeAttribute("aria-busy");
    }
  }

  function draw() {
    if (!shown) return;
    const { envelope, no_envelope: why, allowed, lot, ground } = shown;
    fill(result, h("h3", {}, t("envelope.parcel", { name: parcel.name })));
    if (why) put(result, h("p", { class: "verdict flagged" }, h("strong", {}, `${t("envelope.none")}. `), reason(why)));
    if (envelope) {
      put(result, facts([
        ["envelope.top", measure(envelope.height_m, "m")],
        ["envelope.onGround", measure(Math.min(envelope.ground_area_m2, allowed.ground_area_m2 ?? Infinity), "m²")],
        ["envelope.floorArea", allowed.gross_floor_area_m2 === undefined ? null : measure(allowed.gross_floor_area_m2, "m²")],
        ["envelope.ground", ground && measure(ground.height_m, "m", { sigma: ground.sigma_m, digits: 2 })],
      ]), h("ul", { class: "steps", "aria-label": t("envelope.space") }, [...envelope.steps].reverse().map((step) => h("li", {},
        h("span", {}, t("envelope.step", { base: measure(step.base_m, "m"), top: measure(step.top_m, "m") })), h("b", {}, measure(step.area_m2, "m²"))))));
    }
    put(result, h("button", { type: "button", class: "second", on: { click: clear } }, t("envelope.clear")), h("p", { class: "note" }, t("envelope.advice")));
    put(result, h("h3", {}, t("envelope.lot")), facts([
      ["envelope.area", measure(lot.area_m2, "m²")],
      ["envelope.depth", lot.depth_m === null ? null : measure(lot.depth_m, "m")],
    ]), h("ul", { class: "plain" }, lot.fronts.length
      ? lot.fronts.map((one) => h("li", {}, t("envelope.front", { road: one.road, frontage: measure(one.frontage_m, "m"), width: measure(one.reserve_width_m, "m") })))
      : h("li", {}, t("envelope.noFront"))), limits(shown.lot_checks));
    put(result, h("h3", {}, t("envelope.limits")), limits(shown.limits));
    const notes = [...shown.taken_for_granted.map((name) => h("li", {}, t(`envelope.taken.${name}`))), ...shown.notes.map((text) => h("li", { lang: "en" }, text))];
    if (notes.length) put(result, h("h3", {}, t("envelope.notes")), h("ul", { class: "plain note" }, notes));
    const files = shown.links.filter(({ rel }) => rel === "alternate");
    if (files.length) put(result, h("h3", {}, t("envelope.download")), h("ul", { class: "links" }, files.map(({ href, title }) => h("li", {}, h("a", { href: relative(href), download: "" }, title)))));
  }

  function clear() {
    parcel = shown = null;
    fill(result);
    form.hidden = true;
    hint.hidden = false;
    paint();
    panel.element.focus();
  }

  // A link of the service by this page's own address, which a proxy may have made another.
  const relative = (href) => { const { searchParams } = new URL(href); return String(app.api.url(`parcels/${encodeURIComponent(parcel.uid)}/envelope`, Object.fromEntries(searchParams))); };
  const reason = ({ reason: name, detail }) => h("span", {}, t(`envelope.none.${name}`, { detail: detail.replace(/^no envelope: /, "") }));
  const facts = (rows) => h("table", {}, h("tbody", {}, rows.filter(([, value]) => value).map(([label, value]) => h("tr", {}, h("th", { scope: "row" }, t(label)), h("td", {}, value)))));

  function limits(all) {
    if (!all.length) return null;
    return h("ul", { class: "limits" }, all.map((one) => {
      const tags = [];
      if (one.verdict === "fail") tags.push(h("span", { class: "tag bad" }, icon("warning", 14), t("envelope.fails")));
      if (one.is_doubtful) tags.push(h("span", { class: "tag doubt" }, icon("info", 14), t("envelope.doubtful")));
      if (one.binds && competes(all, one)) tags.push(h("span", { class: "tag" }, t("envelope.binds")));
      const cited = `${one.source === "lot line" ? t("envelope.source.lot_line") : one.source}${one.article && one.article !== "–" ? `, ${one.article}` : ""}`;
      return h("li", { class: one.verdict },
        h("div", { class: "line" }, h("span", { class: "what" }, quantity(one)), h("b", {}, value(one))),
        tags.length ? h("div", { class: "tags" }, tags) : null,
        h("cite", {}, cited, one.in_force_from ? `, ${t("envelope.since", { day: day(one.in_force_from) })}` : ""),
        one.actual === null ? null : h("span", { class: "note" }, t("envelope.actual", { value: measured(one.actual, one.unit) })),
        one.doubt ? h("p", { class: "note", lang: "en" }, one.doubt) : null,
        one.note ? h("p", { class: "note", lang: "en" }, one.note) : null);
    }));
  }

  const competes = (all, one) => all.some((other) => other !== one && other.quantity === one.quantity);

  function quantity(one) {
    const from = /^setback_front_from_([\d.]+)_m$/.exec(one.quantity);
    const name = from ? t("envelope.q.setback_front_from", { height: measure(Number(from[1]), "m") }) : app.texts.has(`envelope.q.${one.quantity}`) ? t(`envelope.q.${one.quantity}`) : one.quantity;
    return one.inputs.road && shown.lot.fronts.length > 1 ? `${name} (${one.inputs.road})` : name;
  }

  function measured(amount, unit) {
    if (unit === "%") return `${number(amount, 1)} %`;
    const told = app.texts.has(`envelope.unit.${unit}`) ? t(`envelope.unit.${unit}`) : unit;
    return measure(amount, told, { digits: 2 });
  }

  function value(one) {
    if (one.value === null) return t("envelope.open");
    return `${one.bound === "at_most" ? "≤" : "≥"} ${measured(one.value, one.unit)}`;
  }

  // The steps of the space over the lot, see-through, and the lot's line.
  function paint() {
    const source = map.getSource(SOURCE);
    if (!source) return;
    const steps = shown?.envelope?.steps ?? [];
    const features = steps.map((step, index) => ({ type: "Feature", id: index + 1, geometry: step.polygon, properties: { base: step.base_m, top: step.top_m } }));
    if (shown) features.push({ type: "Feature", id: 0, geometry: shown.lot.polygon, properties: { lot: true } });
    source.setData({ type: "FeatureCollection", features });
    if (shown && panel.isOpen) seeIt();
  }

  function seeIt() {
    const [ring] = shown.lot.polygon.coordinates;
    const [x, y] = [0, 1].map((axis) => ring.map((place) => place[axis]));
    const box = [[Math.min(...x), Math.min(...y)], [Math.max(...x), Math.max(...y)]];
    const view = map.getBounds();
    if (map.getZoom() > 17 && view.contains(box[0]) && view.contains(box[1])) return;
    app.goTo({ bounds: box, pitch: 55, maxZoom: 19 });
  }

  function addLayers() {
    if (map.getSource(SOURCE)) return;
    map.addSource(SOURCE, { type: "geojson", data: { type: "FeatureCollection", features: [] } });
    map.addLayer({ id: "envelope-lot", type: "line", source: SOURCE, filter: ["has", "lot"], paint: { "line-color": COLOUR, "line-width": 3 } });
    map.addLayer({
      id: "envelope", type: "fill-extrusion", source: SOURCE, filter: ["has", "top"],
      paint: { "fill-extrusion-color": COLOUR, "fill-extrusion-base": ["get", "base"], "fill-extrusion-height": ["get", "top"], "fill-extrusion-opacity": 0.55 },
    });
    paint();
  }
  if (map.isStyleLoaded()) addLayers();
  else map.once("style.load", addLayers);
  state.on("asOf", (asOf) => {
    if (!parcel) return;
    filed.value = asOf ?? today();
    ask();
  });
  state.on("language", draw);
  app.envelope = { open, get shown() { return shown; } };
}
