// Opens the pages for people in a browser without a network but this machine, and prints what it saw as JSON.
// Arguments: the service's address, the browser, the folder for pictures.

import { chromium } from "playwright-core";

const [address, executablePath, folder] = process.argv.slice(2);
const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];
const browser = await chromium.launch({ executablePath, args });
const seen = { console: [], failed: [], foreign: [], titles: [], rows: 0 };
try {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.console.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("response", (answer) => answer.status() >= 400 && seen.failed.push(`${answer.status()} ${answer.url()}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (!["blob:", "data:"].includes(url.protocol) && url.origin !== address) seen.foreign.push(url.href);
  });
  const drawn = () => page.waitForSelector("#features[data-ready=true]");
  await page.goto(`${address}/?f=html`);
  seen.titles.push(await page.title());
  await page.click("text=Lớp dữ liệu · Collections");
  await page.click("text=Thửa đất · Parcels");
  await drawn();
  await page.click("text=Xem dữ liệu · Features");
  await drawn();
  seen.titles.push(await page.title());
  seen.rows = await page.locator("table tr").count() - 1;
  await page.screenshot({ path: `${folder}/features.png` });
  await page.click("text=p-0003");
  await drawn();
  seen.titles.push(await page.title());
  await page.screenshot({ path: `${folder}/feature.png` });
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
