// Draws the README's pictures of the viewer: opens the service at an address in Chromium and writes PNG files.
//   node scripts/screenshots.mjs ADDRESS BROWSER FOLDER

import { chromium } from "playwright-core";

const [address, executablePath, folder] = process.argv.slice(2);
const SETTLED = 600_000;
const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];

// Each picture: how large, which part of the address, and what is done before it is taken.
const PICTURES = [
  { name: "viewer", width: 1280, height: 760, part: "" },
  { name: "viewer-card", width: 1280, height: 760, part: "", act: (page) => open(page, 18.3, 52) },
  { name: "viewer-phone", width: 360, height: 740, part: "#lang=en", act: (page) => open(page, 18, 45) },
];

async function idle(page) {
  await page.waitForFunction(() => globalThis.diaba?.isReady, null, { timeout: SETTLED });
  await page.waitForFunction(() => {
    const { map } = globalThis.diaba;
    return map.loaded() && map.areTilesLoaded() && !map.isMoving();
  }, null, { timeout: SETTLED, polling: 500 });
}

async function look(page, zoom, pitch) {
  await page.evaluate((view) => globalThis.diaba.map.jumpTo(view), { zoom, pitch, bearing: -20 });
  await idle(page);
}

// The card of the flagged building nearest to the middle.
async function open(page, zoom, pitch) {
  await look(page, zoom, pitch);
  // Marks are placed after the tiles are there.
  await page.waitForFunction(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["flags"] }).length, null, { timeout: SETTLED, polling: 500 });
  await page.evaluate(() => {
    const { map, select } = globalThis.diaba;
    const middle = map.project(map.getCenter());
    const far = ({ geometry }) => {
      const [longitude, latitude] = geometry.coordinates.flat(Infinity);
      return map.project([longitude, latitude]).dist(middle);
    };
    const [nearest] = map.queryRenderedFeatures({ layers: ["flags"] }).sort((a, b) => far(a) - far(b));
    if (nearest) select({ kind: "buildings", id: nearest.properties.uid });
  });
  await page.waitForSelector("#card:not([hidden]) table");
  // Beside the card, not under it.
  await page.locator("#card .tools button").first().click();
  await idle(page);
}

const browser = await chromium.launch({ executablePath, args });
try {
  for (const { name, width, height, part, act } of PICTURES) {
    const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce", hasTouch: width < 700, isMobile: width < 700 });
    const page = await context.newPage();
    page.setDefaultTimeout(SETTLED);
    await page.goto(`${address}/${part}`);
    await idle(page);
    if (act) await act(page);
    await page.screenshot({ path: `${folder}/${name}.png`, timeout: SETTLED });
    await context.close();
  }
} finally {
  await browser.close();
}
