// Opens the viewer, says what a parcel's use is, waits for an edit by somebody else, and says it again: no reload, no
// click. Arguments: the service's address, the browser, the folder for pictures.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [address, executablePath, folder] = process.argv.slice(2);
const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];
const browser = await chromium.launch({ executablePath, args });
const seen = { console: [], failed: [] };
try {
  const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.console.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("response", (answer) => answer.status() >= 400 && seen.failed.push(`${answer.status()} ${answer.url()}`));
  const uses = () => page.evaluate(() => {
    const found = globalThis.diaba.map.queryRenderedFeatures({ layers: ["parcels"] });
    return Object.fromEntries(found.map(({ properties }) => [properties.uid, properties.land_use]));
  });
  await page.goto(`${address}/viewer/`);
  await page.waitForFunction(() => globalThis.diaba?.map?.loaded() && globalThis.diaba.map.areTilesLoaded());
  await page.waitForFunction(() => globalThis.diaba.map.queryRenderedFeatures({ layers: ["parcels"] }).length > 0);
  const before = await uses();
  console.log(JSON.stringify({ uses: before }));
  await new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve));
  await page.waitForFunction(([old]) => {
    const found = globalThis.diaba.map.queryRenderedFeatures({ layers: ["parcels"] });
    return found.some(({ properties }) => old[properties.uid] && old[properties.uid] !== properties.land_use);
  }, [before], { timeout: 20000 }).catch(() => undefined);
  const refreshed = await page.evaluate(() => globalThis.diaba.refreshed);
  await page.screenshot({ path: `${folder}/refreshed.png` });
  console.log(JSON.stringify({ ...seen, uses: await uses(), refreshed }));
} finally {
  await browser.close();
}
process.exit(0);
