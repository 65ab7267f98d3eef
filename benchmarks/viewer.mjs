// Measures the viewer in Chromium; prints JSON. Arguments: address, browser, visits of each kind, seconds of panning.

import { chromium } from "playwright-core";

const [address, executablePath, runs, seconds] = process.argv.slice(2);
const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];
const PATIENCE = 300_000;
const browser = await chromium.launch({ executablePath, args });
const seen = { browser: `Chromium ${browser.version()}`, cold: [], warm: [] };

// One visit: milliseconds from the request to the map idle with buildings, what was asked for and how many bytes came.
async function visit(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const client = await context.newCDPSession(page);
  await client.send("Network.enable");
  let bytes = 0;
  const urls = [];
  client.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
  page.on("request", (request) => /^http/.test(request.url()) && !request.url().endsWith("/changes") && urls.push(request.url()));
  const began = performance.now();
  await page.goto(`${address}/`);
  await page.waitForFunction(() => globalThis.diaba?.isReady);
  await page.evaluate(() => new Promise((resolve) => {
    const { map } = globalThis.diaba;
    const look = () => (map.queryRenderedFeatures({ layers: ["buildings"] }).length ? resolve() : map.once("idle", look));
    if (map.loaded() && map.areTilesLoaded()) look();
    else map.once("idle", look);
  }));
  const picture = performance.now() - began;
  const buildings = await page.evaluate(() => new Set(globalThis.diaba.map.queryRenderedFeatures({ layers: ["buildings"] }).map(({ properties }) => properties.uid)).size);
  return { page, told: { picture, bytes, requests: urls.length, buildings }, urls };
}

// The limit: the same addresses fetched at once by a page that draws nothing.
async function fetched(context, urls) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`${address}/health/live`);
  const took = await page.evaluate(async (all) => {
    const began = performance.now();
    await Promise.all(all.map((url) => fetch(url).then((answer) => answer.arrayBuffer())));
    return performance.now() - began;
  }, [...new Set(urls)]);
  await page.close();
  return took;
}

// Frames a second while the map is moved to and fro; `isEmpty` without its layers.
const panned = (page, isEmpty) => page.evaluate(async ([span, empty]) => {
  const { map } = globalThis.diaba;
  if (empty) for (const { id, type } of map.getStyle().layers) if (type !== "background") map.setLayoutProperty(id, "visibility", "none");
  let frames = 0;
  const count = () => { frames += 1; };
  map.on("render", count);
  const began = performance.now();
  for (let step = 0; performance.now() - began < span; step += 1) {
    map.panBy([Math.sin(step / 10) * 12, Math.cos(step / 10) * 12], { animate: false });
    await new Promise(requestAnimationFrame);
  }
  map.off("render", count);
  return (1000 * frames) / (performance.now() - began);
}, [seconds * 1000, isEmpty]);

try {
  // The service's own caches are warm in both: what differs is the browser.
  const first = await browser.newContext({ viewport: { width: 1280, height: 760 } });
  await (await visit(first)).page.close();
  await first.close();
  for (let run = 0; run < Number(runs); run += 1) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 760 } });
    const limits = await browser.newContext();
    const cold = await visit(context);
    await cold.page.close();
    seen.cold.push({ ...cold.told, limit: await fetched(limits, cold.urls) });
    const warm = await visit(context);
    seen.warm.push({ ...warm.told, limit: await fetched(limits, warm.urls) });
    if (run === Number(runs) - 1) {
      seen.frames = await panned(warm.page, false);
      seen.frames_empty = await panned(warm.page, true);
    }
    await context.close();
    await limits.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
