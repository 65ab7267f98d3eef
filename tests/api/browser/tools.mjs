// Works with the viewer's tools as people do, and prints what it saw as JSON.
// Arguments: the service's address, the browser, the folder for pictures, what to look for as JSON.

import { readFile } from "node:fs/promises";
import { axeSource, COARSE, came, idle, judge, launch, patient, watch } from "./browser.mjs";

const [address, executablePath, folder, questions] = process.argv.slice(2);
const ask = JSON.parse(questions);
const browser = await launch(executablePath);
const seen = { broken: [], console: [], failed: [], foreign: [], requests: 0, axe: {}, phone: {} };
const axe = await axeSource();
// Without relief: the tools are looked at, and drawing by software is slow.
const LAYERS = "layers=buildings,parcels,roads";

const state = (page, name) => page.evaluate((key) => globalThis.diaba.state.get(key), name);
const drawn = (page, layer, key = "uid") => page.evaluate(([id, name]) => {
  const found = globalThis.diaba.map.queryRenderedFeatures({ layers: [id] });
  return [...new Set(found.map(({ properties }) => properties[name]))].sort();
}, [layer, key]);
const open = async (page, name) => {
  const tab = page.getByRole("tab", { name, exact: true });
  await tab.focus();
  if (await tab.getAttribute("aria-selected") !== "true") await page.keyboard.press("Enter");
};
const shown = (page, tool, key) => page.waitForFunction(([name, wanted]) => {
  const found = globalThis.diaba[name].shown;
  return found && (!wanted || JSON.stringify(found).includes(wanted));
}, [tool, key ?? null]);
const press = async (page, selector, ...keys) => {
  await page.locator(selector).focus();
  for (const key of keys) await page.keyboard.press(key);
};

async function envelope(page) {
  await page.goto(`${address}/#see=parcels:p-0003&${LAYERS}&at=19/${ask.lot[1]}/${ask.lot[0]}/0/45`);
  await idle(page);
  const button = page.getByRole("button", { name: "Được xây gì ở đây?" });
  await button.focus();
  await page.keyboard.press("Enter");
  await shown(page, "envelope");
  const focus = await page.evaluate(() => document.activeElement.id);
  await page.fill("#envelope-filed_on", "2026-03-02");
  await page.locator("#envelope-filed_on").dispatchEvent("change");
  await shown(page, "envelope", '"filed_on":"2026-03-02"');
  await idle(page);
  await idle(page);
  const picture = async (name) => { await page.screenshot({ path: `${folder}/${name}.png` }); };
  seen.envelope = {
    steps: await page.evaluate(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["envelope"] }).map(({ properties }) => [properties.base, properties.top])),
    text: await page.locator("#part-envelope").innerText(),
    focus,
    files: await page.locator("#part-envelope .links a").evaluateAll((all) => all.map(({ href }) => href)),
  };
  await picture("envelope");
  seen.axe["1280 vi, envelope"] = await judge(page, axe);
  await page.locator("#envelope-use").selectOption("detached");
  await shown(page, "envelope", '"use":"detached"');
  seen.envelope.detached = await page.evaluate(() => globalThis.diaba.envelope.shown.envelope);
  await page.locator("#envelope-use").selectOption("attached");
  await shown(page, "envelope", '"use":"attached"');
  // The rules and the plans of another day.
  await page.evaluate(() => globalThis.diaba.state.set({ asOf: "2012-06-01" }));
  await shown(page, "envelope", '"as_of":"2012-06-01"');
  seen.envelope.before = await page.evaluate(() => [globalThis.diaba.envelope.shown.filed_on, globalThis.diaba.envelope.shown.no_envelope.reason, document.getElementById("part-envelope").innerText]);
  await page.evaluate(() => globalThis.diaba.state.set({ asOf: null }));
  await page.waitForFunction(() => globalThis.diaba.envelope.shown?.as_of !== "2012-06-01");
  await page.getByRole("button", { name: "Xóa khỏi bản đồ" }).press("Enter");
  await idle(page);
  await picture("no-envelope");
  seen.envelope.cleared = await page.evaluate(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["envelope", "envelope-lot"] }).length);
  await page.evaluate(() => globalThis.diaba.state.set({ selected: null }));
}

async function time(page) {
  await page.evaluate((bounds) => globalThis.diaba.map.fitBounds(bounds, { animate: false, pitch: 0 }), ask.bounds);
  await idle(page);
  const now = { buildings: await drawn(page, "buildings"), heights: await drawn(page, "buildings", "height") };
  await open(page, "Thời gian");
  await page.waitForSelector(".marks .mark.epoch");
  seen.time = { now, marks: await page.locator(".marks button").allInnerTexts() };
  seen.axe["1280 vi, time"] = await judge(page, axe);
  // By the keyboard: a month back, a day on.
  const today = Number(await page.locator("#day-slider").inputValue());
  await press(page, "#day-slider", "PageDown");
  await page.waitForFunction(() => globalThis.diaba.state.get("asOf"));
  await press(page, "#day-slider", "ArrowRight");
  await page.waitForTimeout(400);
  seen.time.stepped = { asOf: await state(page, "asOf"), days: today - Number(await page.locator("#day-slider").inputValue()), told: await page.locator("#day-slider").getAttribute("aria-valuetext") };
  // A day between the two surveys.
  await page.fill("#day-date", "2015-06-01");
  await page.locator("#day-date").dispatchEvent("change");
  await page.waitForFunction(() => globalThis.diaba.state.get("asOf") === "2015-06-01");
  await idle(page);
  await page.waitForFunction((count) => new Set(globalThis.diaba.map.queryRenderedFeatures({ layers: ["buildings"] }).map(({ properties }) => properties.uid)).size === count, ask.before);
  seen.time.then = { buildings: await drawn(page, "buildings"), heights: await drawn(page, "buildings", "height"), chip: await page.locator("#day-chip").innerText(), address: page.url() };
  await page.getByRole("button", { name: /Đợt bay 2012/ }).press("Enter");
  seen.time.mark = await state(page, "asOf");
  await page.locator("#day-chip button").press("Enter");
  await page.waitForFunction((count) => new Set(globalThis.diaba.map.queryRenderedFeatures({ layers: ["buildings"] }).map(({ properties }) => properties.uid)).size === count, ask.after);
  seen.time.reset = { asOf: await state(page, "asOf"), chip: await page.locator("#day-chip").isHidden() };
}

async function split(page) {
  const asked = [];
  const listen = (request) => asked.push(request.url());
  page.on("request", listen);
  await page.evaluate(() => globalThis.diaba.groups.show("dtm", true));
  await open(page, "So sánh");
  await page.waitForFunction(() => document.querySelector("#split-one").options.length > 2);
  await page.getByRole("button", { name: "Chia đôi màn hình" }).press("Enter");
  await page.waitForFunction(() => globalThis.diaba.split.map?.loaded());
  const counts = () => page.evaluate(() => {
    const count = (map) => new Set(map.queryRenderedFeatures({ layers: ["buildings"] }).map(({ properties }) => properties.uid)).size;
    return [count(globalThis.diaba.map), count(globalThis.diaba.split.map)];
  });
  await page.waitForFunction(([before, after]) => {
    const count = (map) => new Set(map.queryRenderedFeatures({ layers: ["buildings"] }).map(({ properties }) => properties.uid)).size;
    return count(globalThis.diaba.map) === before && count(globalThis.diaba.split.map) === after;
  }, [ask.before, ask.after]);
  seen.split = { counts: await counts(), labels: await page.locator("#split .side").allInnerTexts(), epochs: [...new Set(asked.filter((url) => url.includes("/raster/dtm/")).map((url) => new URL(url).searchParams.get("epoch")))].sort() };
  page.off("request", listen);
  const places = () => page.evaluate(() => [globalThis.diaba.map, globalThis.diaba.split.map].map((map) => [...map.getCenter().toArray(), map.getZoom(), map.getBearing(), map.getPitch()]));
  // What changed between them is outlined on both.
  await page.waitForFunction(() => globalThis.diaba.split.changes);
  const outlined = () => page.evaluate(() => [globalThis.diaba.map, globalThis.diaba.split.map].map((map) => map.getLayer("split-changes")
    ? [...new Set(map.queryRenderedFeatures({ layers: ["split-changes"] }).map(({ properties }) => `${properties.uid} ${properties.words}`))].sort() : []));
  await page.waitForFunction((count) => [globalThis.diaba.map, globalThis.diaba.split.map].every((map) => map.getLayer("split-changes")
    && new Set(map.queryRenderedFeatures({ layers: ["split-changes"] }).map(({ properties }) => properties.uid)).size === count), ask.changes);
  seen.split.changes = await outlined();
  seen.split.changesTold = await page.locator("#part-split [role=status]").innerText();
  await page.evaluate(() => globalThis.diaba.map.jumpTo({ zoom: globalThis.diaba.map.getZoom() + 0.5, bearing: 20, pitch: 30 }));
  seen.split.led = await places();
  // The right map dragged with the mouse.
  const box = await page.locator("#map").boundingBox();
  await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.5 * box.height);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.75 * box.width, box.y + 0.45 * box.height, { steps: 4 });
  await page.mouse.up();
  seen.split.dragged = await places();
  const at = () => page.locator("#split .divider").getAttribute("aria-valuenow");
  seen.split.at = [await at()];
  await press(page, "#split .divider", "ArrowRight", "ArrowRight", "PageDown");
  seen.split.at.push(await at());
  const divider = await page.locator("#split .divider").boundingBox();
  await page.mouse.move(divider.x + divider.width / 2, divider.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 0.7 * box.width, divider.y + 60, { steps: 3 });
  await page.mouse.up();
  seen.split.at.push(await at());
  seen.split.clip = await page.locator("#split .second").evaluate((element) => getComputedStyle(element).clipPath);
  seen.axe["1280 vi, split"] = await judge(page, axe);
  await page.screenshot({ path: `${folder}/split.png` });
  await press(page, "#split .divider", "Escape");
  await page.waitForFunction(() => globalThis.diaba.split.map === null);
  await page.waitForFunction(() => !globalThis.diaba.map.queryRenderedFeatures({ layers: ["split-changes"] }).length);
  seen.split.after = { asOf: await state(page, "asOf"), focus: await page.evaluate(() => document.activeElement.textContent) };
  await page.evaluate(() => globalThis.diaba.groups.show("dtm", false));
  await page.evaluate((bounds) => globalThis.diaba.map.fitBounds(bounds, { animate: false, pitch: 0, bearing: 0 }), ask.bounds);
  await idle(page);
}

async function profile(page) {
  await open(page, "Mặt cắt");
  await page.fill("#profile-places", ask.line.map((place) => place.join(", ")).join("\n"));
  await page.getByRole("button", { name: "Dùng các tọa độ này" }).press("Enter");
  await shown(page, "profile");
  const told = () => page.evaluate(() => { const { distance, x, y, series } = globalThis.diaba.profile.shown; return { distance, x, y, series: series.map(({ product, epoch, value }) => ({ product, epoch, value })) }; });
  seen.profile = { typed: await told() };
  await press(page, "#profile-at", "ArrowRight", "ArrowRight", "ArrowRight");
  seen.profile.here = await page.locator("#profile-here").innerText();
  await page.locator(".chart").hover({ position: { x: 150, y: 80 } });
  seen.profile.hovered = await page.locator("#profile-here").innerText();
  seen.profile.drawn = await page.evaluate(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["profile", "profile-points"] }).length);
  seen.profile.path = await page.locator('.chart [data-series="0"]').getAttribute("d");
  const waiting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Tải CSV" }).press("Enter");
  const file = await waiting;
  seen.profile.csv = { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
  await page.locator("#part-profile summary").press("Enter");
  seen.profile.rows = await page.locator("#part-profile .scroll tbody tr").count();
  seen.axe["1280 vi, profile"] = await judge(page, axe);
  await page.locator("#profile-epochs").selectOption("*");
  await shown(page, "profile", `"epoch":"${ask.epochs[0]}"`);
  seen.profile.every = await told();
  await page.screenshot({ path: `${folder}/profile.png` });
  // A line that cannot be is told, by its number.
  await page.fill("#profile-places", "106.7, 10.7\nxyz");
  await page.getByRole("button", { name: "Dùng các tọa độ này" }).press("Enter");
  seen.profile.bad = await page.locator("#message").innerText();
  // Drawn with the mouse, then with the map's middle and the keyboard alone.
  await page.getByRole("button", { name: "Vẽ trên bản đồ" }).press("Enter");
  const box = await page.locator("#map").boundingBox();
  const [x, y] = [box.x + 0.62 * box.width, box.y + 0.5 * box.height];
  await page.mouse.click(x, y);
  await page.waitForTimeout(400);
  await page.mouse.dblclick(x + 160, y + 10);
  await page.waitForFunction(() => globalThis.diaba.profile.shown && globalThis.diaba.clickTaker === null);
  seen.profile.mouse = await page.locator("#profile-places").inputValue();
  await page.getByRole("button", { name: "Xóa", exact: true }).press("Enter");
  await page.getByRole("button", { name: "Thêm điểm giữa bản đồ" }).press("Enter");
  await page.evaluate(() => globalThis.diaba.map.panBy([80, 0], { animate: false }));
  await page.getByRole("button", { name: "Thêm điểm giữa bản đồ" }).press("Enter");
  await shown(page, "profile");
  seen.profile.keyboard = await page.locator("#profile-places").inputValue();
  await page.getByRole("button", { name: "Xóa", exact: true }).press("Enter");
}

async function session(page) {
  await open(page, "Tài khoản");
  seen.session = { public: await page.locator("#part-session").innerText() };
  await page.fill("#dev-token", "wrong");
  const refused = seen.failed.length;
  const complained = seen.console.length;
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("message").className === "error");
  seen.session.wrong = await page.locator("#message").innerText();
  seen.session.refused = seen.failed.splice(refused).concat(seen.console.splice(complained)).length;
  await page.fill("#dev-token", ask.token);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => globalThis.diaba.session.now?.subject);
  seen.session.in = await page.locator("#part-session").innerText();
  seen.session.address = page.url();
  seen.axe["1280 vi, session"] = await judge(page, axe);
}

async function cases(page) {
  await open(page, "Kiểm tra");
  await page.waitForSelector("button.case");
  const rows = () => page.locator("button.case").evaluateAll((all) => all.map((one) => one.dataset.case));
  const chosen = () => page.evaluate(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["case-lines"] }).filter(({ properties }) => properties.chosen).map(({ properties }) => properties.id));
  await idle(page);
  seen.cases = { all: await rows(), count: await page.locator("#case-part-list [role=status]").innerText(), onMap: (await drawn(page, "cases", "id")).sort() };
  seen.axe["1280 vi, cases"] = await judge(page, axe);
  await page.locator("#case-kind").selectOption("setback");
  await page.waitForFunction((count) => document.querySelectorAll("button.case").length === count, ask.setbacks.length);
  seen.cases.setbacks = await rows();
  await page.locator("#case-kind").selectOption("");
  await page.locator("#case-min_confidence").selectOption("0.99");
  await page.waitForFunction((count) => document.querySelectorAll("button.case").length === count, ask.sure.length);
  seen.cases.sure = await rows();
  seen.cases.address = await page.evaluate(() => globalThis.diaba.state.address());
  await page.locator("#case-min_confidence").selectOption("");
  await page.locator("#case-sort").selectOption("-delta");
  await page.waitForFunction(([first, count]) => document.querySelector("button.case")?.dataset.case === first && document.querySelectorAll("button.case").length === count, [ask.largest, seen.cases.all.length]);
  seen.cases.sorted = await rows();
  // In the list with arrows, chosen with Enter: it is on the map and in its card.
  await page.locator("button.case").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("card").innerText.includes("Căn cứ") || document.getElementById("card").innerText.includes("Đo được"));
  await idle(page);
  await page.waitForTimeout(300);
  seen.cases.chosen = await chosen();
  seen.cases.card = await page.locator("#card").innerText();
  seen.cases.links = await page.locator("#card .links a").evaluateAll((all) => all.map(({ href }) => href));
  seen.axe["1280 vi, case"] = await judge(page, axe);
  await page.screenshot({ path: `${folder}/case.png` });
  // Its evidence opens with the token of who is signed in, which is in no address.
  const asked = [];
  const listen = async (request) => { if (request.url().includes("/evidence.")) asked.push([request.url(), Boolean((await request.allHeaders()).authorization)]); };
  page.on("request", listen);
  const opening = page.waitForEvent("popup");
  await page.getByRole("link", { name: "Xem phiếu căn cứ" }).press("Enter");
  const sheet = await opening;
  watch(sheet, address, seen);
  await sheet.waitForSelector("main h1");
  seen.cases.sheet = await sheet.evaluate(() => ({
    language: document.documentElement.lang, text: document.body.innerText, address: location.href, scripts: document.scripts.length,
    wide: getComputedStyle(document.querySelector(".qr img")).width, drawn: [...document.images].every(({ naturalWidth }) => naturalWidth > 0),
  }));
  await sheet.close();
  page.off("request", listen);
  seen.cases.sheetAsked = asked;
  // A building chosen on the map is marked in the list.
  await page.evaluate((id) => globalThis.diaba.select({ kind: "buildings", id }), ask.other);
  await page.waitForFunction(() => document.querySelector("button.case[aria-current=true]"));
  seen.cases.current = await page.locator("button.case[aria-current=true]").evaluateAll((all) => all.map((one) => one.dataset.case));
  // Its card leads to its case, and takes the keyboard along.
  await page.getByRole("button", { name: "Hồ sơ: Lấn khoảng lùi" }).press("Enter");
  await page.waitForFunction(() => document.body.dataset.card === "cases");
  seen.cases.fromBuilding = { chosen: await state(page, "selected"), focus: await page.evaluate(() => document.activeElement.id) };
  // Only those in view: a corner without any.
  await page.evaluate((at) => globalThis.diaba.map.jumpTo({ center: at, zoom: 20, pitch: 0 }), ask.nowhere);
  await page.locator("#case-in-view").check();
  await page.waitForFunction(() => !document.querySelector("button.case"));
  seen.cases.nowhere = await page.locator("#case-part-list [role=status]").innerText();
  await page.locator("#case-in-view").uncheck();
  await page.waitForSelector("button.case");
}

// The outcome is written while somebody else changes the case: that is told, and it is saved once more.
async function inspect(page) {
  await page.evaluate((id) => globalThis.diaba.state.set({ selected: { kind: "cases", id } }), ask.largest);
  await page.waitForSelector("#inspection-outcome");
  await page.evaluate(async (id) => {
    const { api } = globalThis.diaba;
    const answer = await api.ask(`compliance/cases/${id}`);
    await answer.json();
    await api.send("POST", `compliance/cases/${id}/assignment`, { assignee: "somebody.else", until: "2099-01-31" }, { "If-Match": answer.headers.get("ETag") });
  }, ask.largest);
  await page.locator("#inspection-outcome").selectOption("confirmed");
  await page.fill("#inspection-value", "12.34");
  await page.fill("#inspection-note", "Đo bằng máy toàn đạc");
  const refused = seen.failed.length;
  const complained = seen.console.length;
  await page.getByRole("button", { name: "Lưu kết quả" }).press("Enter");
  await page.waitForFunction(() => document.getElementById("message").className === "error");
  seen.conflict = { told: await page.locator("#message").innerText(), kept: await page.locator("#inspection-note").inputValue(), card: await page.locator("#card").innerText() };
  seen.conflict.refused = seen.failed.splice(refused).concat(seen.console.splice(complained));
  await page.locator("#inspection-outcome").selectOption("confirmed");
  await page.getByRole("button", { name: "Lưu kết quả" }).press("Enter");
  await page.waitForFunction(() => document.getElementById("card").innerText.includes("Đo bằng máy toàn đạc") && !document.getElementById("card").innerText.includes("Chưa có lần kiểm tra nào"));
  seen.inspected = await page.locator("#card").innerText();
  await page.waitForFunction((id) => document.querySelector(`[data-case="${id}"]`)?.innerText.includes("Đã xác nhận"), ask.largest);
  await page.getByRole("tab", { name: "Thống kê" }).press("Enter");
  await page.waitForSelector("#case-part-statistics table");
  seen.statistics = await page.locator("#case-part-statistics").innerText();
  seen.axe["1280 vi, statistics"] = await judge(page, axe);
  await page.screenshot({ path: `${folder}/statistics.png` });
  // All of it in English, and nothing without words.
  await page.locator("#language").click();
  seen.english = { statistics: await page.locator("#case-part-statistics").innerText(), card: await page.locator("#card").innerText() };
  await page.locator("#language").click();
  await page.evaluate(() => globalThis.diaba.state.set({ selected: null }));
}

// At an issuer that is somebody else's program.
async function atIssuer() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...COARSE });
  const page = patient(await context.newPage());
  await page.goto(`${address}/#${LAYERS}&colour=height&lang=en`);
  await idle(page);
  await open(page, "Account");
  await page.getByRole("button", { name: /^Sign in at/ }).press("Enter");
  await page.waitForSelector("input[name=login]");
  const asked = new URL(page.url());
  await page.fill("input[name=login]", "inspection:26734:change");
  await page.fill("input[name=password]", "x");
  await page.keyboard.press("Enter");
  const back = page.waitForFunction(() => globalThis.diaba?.session?.now?.subject, null, { timeout: 60_000 });
  for (let i = 0; i < 5 && !page.url().startsWith(address); i += 1) {
    await page.waitForLoadState();
    const consent = page.locator("button[type=submit]");
    if (!page.url().startsWith(address) && await consent.count()) await consent.first().click();
  }
  await back;
  const requests = [];
  page.on("request", (request) => requests.push([request.url(), request.headers().authorization ?? null]));
  const own = await page.evaluate(() => ({ ...sessionStorage }));
  seen.oidc = {
    asked: asked.href, address: page.url(), text: await page.evaluate(() => globalThis.diaba.session.now), storage: Object.keys(own), local: await page.evaluate(() => Object.keys(localStorage)),
    colour: await state(page, "colourBy"),
  };
  // Tiles are asked for with the token, and it is there again after the page was loaded anew.
  await page.reload();
  await page.waitForFunction(() => globalThis.diaba?.session?.now?.subject);
  await idle(page);
  await page.evaluate(() => globalThis.diaba.drawAnew());
  await idle(page);
  seen.oidc.again = await page.evaluate(() => globalThis.diaba.session.now.subject);
  seen.oidc.tiles = requests.filter(([url]) => /\/tiles\/\d+\//.test(url)).map(([, header]) => Boolean(header?.startsWith("Bearer ")));
  seen.oidc.stream = requests.filter(([url]) => new URL(url).pathname === "/changes").map(([, header]) => Boolean(header?.startsWith("Bearer ")));
  await open(page, "Account");
  await page.getByRole("button", { name: "Sign out" }).press("Enter");
  await page.waitForFunction(() => globalThis.diaba.session.now && !globalThis.diaba.session.now.subject);
  seen.oidc.left = await page.evaluate(() => Object.keys(sessionStorage));
  // What somebody else's page sends here is not taken.
  await page.goto(`${address}/?code=stolen&state=unknown`);
  await page.waitForFunction(() => document.getElementById("message").className === "error");
  seen.oidc.stolen = { told: await page.locator("#message").innerText(), address: page.url() };
  await context.close();
}

async function onPhone() {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, ...COARSE });
  const page = await context.newPage();
  watch(page, address, seen);
  await page.goto(`${address}/#see=parcels:p-0003&${LAYERS}&lang=en&at=18.5/${ask.lot[1]}/${ask.lot[0]}`);
  await idle(page);
  const fits = () => page.evaluate(() => {
    const small = [];
    for (const element of document.querySelectorAll("#panel button, #panel a[href], #panel input, #panel select, #panel summary, #panel textarea, #card button, #card a[href]")) {
      if (element.closest("[hidden]") || element.matches("input[type=checkbox]")) continue;
      const { width, height } = element.getBoundingClientRect();
      if (width && (Math.round(width) < 44 || Math.round(height) < (element.matches("input[type=range]") ? 32 : 44))) small.push(`${element.tagName} ${element.id || element.className} ${element.textContent.slice(0, 20)} ${Math.round(width)}×${Math.round(height)}`);
    }
    return { small, width: document.documentElement.scrollWidth };
  });
  await page.getByRole("button", { name: "What may I build here?" }).tap();
  await shown(page, "envelope");
  seen.phone.envelope = await fits();
  seen.axe["360 en, envelope"] = await judge(page, axe);
  await page.screenshot({ path: `${folder}/phone-envelope.png` });
  await page.evaluate(() => globalThis.diaba.state.set({ selected: null }));
  for (const name of ["Time", "Compare", "Profile", "Inspect", "Account"]) {
    await page.getByRole("tab", { name, exact: true }).tap();
    await page.waitForTimeout(500);
    seen.phone[name] = await fits();
    seen.axe[`360 en, ${name}`] = await judge(page, axe);
  }
  // A line drawn with the finger.
  await page.getByRole("tab", { name: "Profile", exact: true }).tap();
  await page.getByRole("button", { name: "Draw on the map" }).tap();
  for (const [x, y] of [[90, 120], [270, 150]]) {
    await page.touchscreen.tap(x, y);
    await page.waitForTimeout(500);
  }
  await page.getByRole("button", { name: "Done" }).tap();
  await shown(page, "profile");
  seen.phone.profile = await page.evaluate(() => globalThis.diaba.profile.shown.count);
  await page.screenshot({ path: `${folder}/phone-profile.png` });
  seen.missing = [...(seen.missing ?? []), ...await page.evaluate(() => [...globalThis.diaba.texts.missing])];
  await context.close();
}

try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, ...COARSE });
  watch(page, address, seen);
  for (const part of [envelope, time, split, profile, session, cases, inspect]) {
    try {
      await part(page);
      came(part.name);
    } catch (error) {
      // What comes after it is tried too: one run tells all.
      await page.screenshot({ path: `${folder}/broken-${part.name}.png` }).catch(() => {});
      seen.broken.push(`${part.name}: ${error.message}`);
    }
  }
  seen.missing = await page.evaluate(() => [...globalThis.diaba.texts.missing]);
  await page.close();
  for (const part of [atIssuer, onPhone]) {
    await part().catch((error) => seen.broken.push(`${part.name}: ${error.message}`));
    came(part.name);
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
