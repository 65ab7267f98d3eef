// Uses the viewer as people do, in a browser without a network but this machine, and prints what it saw as JSON.
// Arguments: the service's address, the browser, the folder for pictures, what to look for as JSON.

import { axeSource, COARSE, came, idle, judge, launch, watch } from "./browser.mjs";

const [address, executablePath, folder, questions] = process.argv.slice(2);
const ask = JSON.parse(questions);
const browser = await launch(executablePath);
const seen = { console: [], failed: [], foreign: [], requests: 0, axe: {}, phone: {} };
const axe = await axeSource();

// ids of the features that are really drawn in a layer.
const drawn = (page, layer, key = "uid") => page.evaluate(([id, name]) => {
  const found = globalThis.diaba.map.queryRenderedFeatures({ layers: [id] });
  return [...new Set(found.map(({ properties }) => properties[name]))];
}, [layer, key]);
const centre = (page) => page.evaluate(() => globalThis.diaba.map.getCenter().toArray());
// A box or choice of the panel, by its words: chosen by its own click, whatever moves beneath it.
const tick = (page, label) => page.locator("#part-layers").getByLabel(label, { exact: true }).evaluate((element) => element.click());
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  return element.id || element.dataset.thing || element.className || element.tagName;
});
const card = async (page, expected) => {
  await page.waitForFunction((text) => document.getElementById("card").innerText.includes(text), expected);
  return page.locator("#card").innerText();
};

async function onDesk() {
  const page = await browser.newPage({ viewport: { width: 1280, height: 560 }, ...COARSE });
  watch(page, address, seen);
  await page.goto(`${address}/`);
  await idle(page);
  await page.screenshot({ path: `${folder}/viewer.png` });
  seen.first = {
    buildings: (await drawn(page, "buildings")).length,
    parcels: (await drawn(page, "parcels")).length,
    flagged: await page.evaluate(() => [...new Set(globalThis.diaba.map.queryRenderedFeatures({ layers: ["flags"] }).map(({ properties }) => properties.uid))]),
    roads: await drawn(page, "road-names", "name"),
    title: await page.title(),
    language: await page.evaluate(() => document.documentElement.lang),
    message: await page.locator("#message").textContent(),
    fonts: await page.evaluate(() => [...document.fonts].filter(({ status }) => status === "loaded").map(({ family }) => family.replaceAll('"', ""))),
    legend: await page.locator(".legend").first().innerText(),
  };
  came("first picture");
  seen.axe["1280 vi, layers"] = await judge(page, axe);

  // Buildings coloured by height: nothing is red any more; then by their roofs.
  await tick(page, "Chiều cao");
  await idle(page);
  await page.screenshot({ path: `${folder}/height.png` });
  seen.heightLegend = await page.locator(".legend").first().innerText();
  await tick(page, "Loại mái");
  await idle(page);
  seen.roofs = await drawn(page, "buildings", "roof_type");
  await tick(page, "Kiểm tra");

  came("coloured");
  // Layers that are hidden at first.
  for (const label of ["Giấy phép xây dựng", "Quy hoạch", "Phủ LIDAR"]) await tick(page, label);
  await page.waitForFunction(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["lidar"] }).length > 0);
  await idle(page);
  seen.layers = {
    permits: (await drawn(page, "permits", "permit_no")).length,
    zones: await drawn(page, "zones"),
    lidar: (await drawn(page, "lidar", "epoch")).sort(),
    legend: await page.locator(".legend").nth(1).innerText(),
    patterns: await page.evaluate(() => globalThis.diaba.map.listImages().sort()),
    address: page.url(),
  };
  await page.screenshot({ path: `${folder}/layers.png` });
  await tick(page, "Công trình");
  await idle(page);
  seen.layers.hidden = (await drawn(page, "buildings")).length;
  await tick(page, "Công trình");

  came("layers");
  // Terrain in 3D: how high the map itself thinks the ground is, and how much higher when it is exaggerated.
  const ground = (place) => page.evaluate((at) => globalThis.diaba.map.queryTerrainElevation(at), place);
  // It is asked of a small map without anything that stands on it: all would be drawn over the ground again and again.
  const shown = await page.evaluate(() => globalThis.diaba.state.get("layers"));
  await page.setViewportSize({ width: 720, height: 320 });
  await page.evaluate((at) => {
    globalThis.diaba.state.set({ layers: [] });
    globalThis.diaba.map.jumpTo({ center: at, zoom: 17, pitch: 0, bearing: 0 });
  }, ask.hill);
  await tick(page, "Địa hình 3D");
  await idle(page);
  await idle(page);
  seen.terrain = { hill: await ground(ask.hill), foot: await ground(ask.foot) };
  await tick(page, "4 ×");
  await idle(page);
  seen.terrain.steeper = await page.evaluate(() => globalThis.diaba.map.getTerrain().exaggeration);
  await tick(page, "1 ×");
  await tick(page, "Địa hình 3D");
  seen.terrain.off = await page.evaluate(() => globalThis.diaba.map.getTerrain());
  await page.evaluate((layers) => globalThis.diaba.state.set({ layers }), shown);
  await page.setViewportSize({ width: 1280, height: 560 });

  came("terrain");
  await click(page);
  came("clicked");
  await search(page);
  came("searched");
  const other = await deepLink(page);
  came("linked");
  seen.missing = await page.evaluate(() => [...globalThis.diaba.texts.missing]);
  await page.close();
  await byKeyboard(other);
  came("keyboard");
}

// A click on the middle of a flagged building's roof, seen from above.
async function click(page) {
  await page.evaluate((at) => globalThis.diaba.map.jumpTo({ center: at, zoom: 19.5, pitch: 0, bearing: 0 }), ask.flaggedAt);
  await idle(page);
  seen.labels = { parcels: await drawn(page, "parcel-numbers", "parcel_no"), heights: (await drawn(page, "building-heights")).length };
  const box = await page.locator("#map").boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  seen.card = await card(page, ask.flagged);
  seen.links = await page.locator("#card .links a").evaluateAll((all) => all.map((one) => one.href));
  seen.chosen = await page.evaluate((id) => globalThis.diaba.map.getFeatureState({ source: "city", sourceLayer: "buildings", id }), ask.flagged);
  await idle(page);
  await page.screenshot({ path: `${folder}/card.png` });
  await page.getByRole("button", { name: "Switch to English" }).or(page.locator("#language")).click();
  seen.english = { card: await card(page, "Building"), language: await page.evaluate(() => document.documentElement.lang), tabs: await page.locator("#rail").innerText() };
  seen.axe["1280 en, card and layers"] = await judge(page, axe);
}

async function search(page) {
  const box = page.getByRole("combobox");
  const found = {};
  for (const [name, { text, expected }] of Object.entries(ask.searches)) {
    came(`searching by ${name}`);
    await box.fill(text);
    await page.waitForFunction((wanted) => !document.getElementById("search-list").hidden && document.getElementById("search-list").innerText.includes(wanted), expected);
    const options = await page.getByRole("option").allInnerTexts();
    if (name === "number") seen.axe["1280 en, search"] = await judge(page, axe);
    await box.press("ArrowDown");
    const active = await box.getAttribute("aria-activedescendant");
    await box.press("Enter");
    found[name] = { options, active, card: await card(page, ask.searches[name].card), focus: await focused(page) };
    await idle(page);
    found[name].centre = await centre(page);
    if (name === "receipt") {
      await page.getByLabel("Secret on the receipt").fill(ask.secret);
      await page.getByLabel("Secret on the receipt").press("Enter");
      found[name].card = await card(page, "Filed");
      found[name].address = page.url();
    }
  }
  seen.searches = found;
}

// The address alone makes the same view again.
async function deepLink(page) {
  await page.evaluate((id) => globalThis.diaba.select({ kind: "buildings", id }), ask.flagged);
  await card(page, ask.flagged);
  await tick(page, "Roof type");
  const link = await page.evaluate(() => globalThis.diaba.state.address());
  const other = await browser.newPage({ viewport: { width: 1280, height: 560 }, ...COARSE });
  watch(other, address, seen);
  await other.goto(link);
  await idle(other);
  seen.link = {
    link, card: await card(other, ask.flagged), language: await other.evaluate(() => document.documentElement.lang),
    colour: await other.evaluate(() => globalThis.diaba.state.get("colourBy")), before: await centre(page), after: await centre(other),
    permits: await other.locator("#part-layers").getByLabel("Building permits").isChecked(),
  };
  return other;
}

// Without a mouse, on a page that nobody has touched: what Tab reaches, and whether one sees where one is.
async function byKeyboard(page) {
  await page.evaluate((at) => {
    const { map, state } = globalThis.diaba;
    state.set({ selected: null, language: "vi", layers: null, colourBy: "verdict" });
    map.jumpTo({ center: at, zoom: 18, pitch: 50, bearing: 0 });
  }, ask.flaggedAt);
  await idle(page);
  const stops = [];
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return null;
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      const ring = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 ? true : boxShadow !== "none";
      return { name: element.id || element.getAttribute("aria-label") || element.className || element.tagName, ring };
    });
    if (stop === null) break;
    stops.push(stop);
  }
  seen.stops = stops;
  // The list of what is in view, by the second link of the page; the first of it opened, closed, and back.
  await page.evaluate(() => document.getElementById("skip-list").focus());
  await page.keyboard.press("Enter");
  await page.waitForSelector(".thing");
  const list = await page.locator("#part-view").innerText();
  await page.locator(".thing").first().focus();
  await page.keyboard.press("ArrowDown");
  const second = await focused(page);
  await page.keyboard.press("ArrowUp");
  const first = await focused(page);
  await page.keyboard.press("Enter");
  const opened = await card(page, ask.flagged);
  const inside = await focused(page);
  seen.axe["1280 vi, list and card"] = await judge(page, axe);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.getElementById("card").hidden);
  const back = await focused(page);
  await page.keyboard.press("Escape");
  seen.keyboard = { list, first, second, opened, inside, back, closed: await page.locator("#panel").isHidden(), tab: await focused(page) };
  await page.keyboard.press("ArrowUp");
  seen.keyboard.other = await focused(page);
  // On the map: arrows move it, Enter opens what is in the middle.
  await page.evaluate((at) => globalThis.diaba.map.jumpTo({ center: at, zoom: 19.5, pitch: 0 }), ask.flaggedAt);
  await idle(page);
  await page.locator("canvas.maplibregl-canvas").focus();
  await page.keyboard.press("Enter");
  seen.keyboard.middle = await card(page, ask.flagged);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.getElementById("card").hidden);
  const before = await centre(page);
  await page.locator("canvas.maplibregl-canvas").focus();
  await page.keyboard.press("ArrowRight");
  await idle(page);
  seen.keyboard.moved = [before, await centre(page)];
  seen.keyboard.aloud = await page.locator("#aloud").textContent();
  await page.close();
}

// What is too small for a finger, and whether the page is wider than the screen.
const fits = (page) => page.evaluate(() => {
  const small = [];
  for (const element of document.querySelectorAll("button, a[href], input, select, label.toggle, .choices label, [role=option]")) {
    if (element.closest("[hidden]") || element.matches(".skip") || element.closest(".maplibregl-ctrl-attrib")) continue;
    const target = element.matches("input[type=checkbox], input[type=radio]") ? element.closest("label") : element;
    const { width, height } = target.getBoundingClientRect();
    if (width && (Math.round(width) < 44 || Math.round(height) < 44)) small.push(`${element.tagName} ${element.id || element.className} ${element.textContent.slice(0, 20)} ${Math.round(width)}×${Math.round(height)}`);
  }
  return { small, width: document.documentElement.scrollWidth };
});

async function onPhone() {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, ...COARSE });
  const page = await context.newPage();
  watch(page, address, seen);
  await page.goto(`${address}/`);
  await idle(page);
  seen.phone.first = { ...await fits(page), buildings: (await drawn(page, "buildings")).length, panel: await page.locator("#panel").isHidden() };
  await page.getByRole("tab", { name: "Lớp" }).tap();
  seen.phone.panel = { ...await fits(page), box: await page.locator("#part-layers").boundingBox() };
  seen.axe["360 vi, layers"] = await judge(page, axe);
  await page.screenshot({ path: `${folder}/phone.png` });
  await page.getByRole("tab", { name: "Đang thấy" }).tap();
  await page.locator(".thing").first().tap();
  await card(page, ask.flagged);
  await page.locator("#language").tap();
  seen.phone.card = { ...await fits(page), box: await page.locator("#card").boundingBox() };
  seen.axe["360 en, card"] = await judge(page, axe);
  await page.screenshot({ path: `${folder}/phone-card.png` });
  await context.close();
}

try {
  await onDesk();
  await onPhone();
  came("phone");
} catch (error) {
  // What was seen until then tells more than a time-out.
  console.error(JSON.stringify(seen));
  throw error;
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
