// Opens the viewer in a browser without a network but this machine, and prints what it saw as JSON.
// Arguments: the service's address, the browser, the folder for pictures.

import { chromium } from "playwright-core";

const [address, executablePath, folder] = process.argv.slice(2);
const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];
const browser = await chromium.launch({ executablePath, args });
const seen = { console: [], failed: [], foreign: [], requests: 0 };
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 700 } });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.console.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("requestfailed", (request) => seen.failed.push(request.url()));
  page.on("response", (answer) => answer.status() >= 400 && seen.failed.push(`${answer.status()} ${answer.url()}`));
  page.on("request", (request) => {
    seen.requests += 1;
    const url = new URL(request.url());
    if (!["blob:", "data:"].includes(url.protocol) && url.origin !== address) seen.foreign.push(url.href);
  });

  const idle = () => page.evaluate(() => new Promise((resolve) => {
    const { map } = globalThis.diaba;
    if (map.loaded() && map.areTilesLoaded() && !map.isMoving()) resolve();
    else map.once("idle", resolve);
  }));
  await page.goto(`${address}/viewer/`);
  await page.waitForFunction(() => globalThis.diaba?.map.isStyleLoaded());
  await idle();
  await page.screenshot({ path: `${folder}/viewer.png` });
  Object.assign(seen, await page.evaluate(() => {
    const { map } = globalThis.diaba;
    const features = (layer) => map.queryRenderedFeatures({ layers: [layer] });
    const flagged = features("buildings").filter(({ properties }) => properties.verdict === "flagged");
    return {
      buildings: new Set(features("buildings").map(({ properties }) => properties.uid)).size,
      parcels: new Set(features("parcels").map(({ properties }) => properties.uid)).size,
      flagged: [...new Set(flagged.map(({ properties }) => properties.uid))],
      terrain: map.isSourceLoaded("relief"),
      title: document.title,
      message: document.getElementById("message").textContent,
    };
  }));

  // A click on the middle of a flagged building's roof, seen from above.
  const uid = seen.flagged[0];
  await page.evaluate(async ([base, wanted]) => {
    const found = await (await fetch(`${base}/buildings/${encodeURIComponent(wanted)}`)).json();
    const ring = found.geometry.coordinates[0];
    const centre = [0, 1].map((axis) => (Math.min(...ring.map((p) => p[axis])) + Math.max(...ring.map((p) => p[axis]))) / 2);
    globalThis.diaba.map.jumpTo({ center: centre, zoom: 19, pitch: 0, bearing: 0 });
  }, [address, uid]);
  await idle();
  await page.mouse.click(500, 350);
  await page.waitForSelector(".card");
  seen.card = await page.locator(".card").innerText();
  await idle();
  await page.screenshot({ path: `${folder}/card.png` });

  await page.getByLabel("Công trình · Buildings").uncheck();
  await idle();
  seen.hidden = await page.evaluate(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["buildings"] }).length);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
