// What the tests in a browser share: a Chromium that draws by software, and what a page complains of.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];

export const launch = (executablePath) => chromium.launch({ executablePath, args });

// A quarter of the dots: drawing them is most of the work where no graphics card does it.
export const COARSE = { deviceScaleFactor: 0.5, reducedMotion: "reduce" };

// Looks ten times a second, not at every frame: what is waited for needs the processor more.
const POLLED = 100;
export function patient(page, timeout = 90_000) {
  page.setDefaultTimeout(timeout);
  const wait = page.waitForFunction.bind(page);
  page.waitForFunction = (test, what, options) => wait(test, what, { polling: POLLED, ...options });
  return page;
}

// Everything a page complains of, and every host it asks but its own, kept in `seen`.
export function watch(page, address, seen) {
  patient(page);
  page.on("console", (message) => {
    // Of the drawing by software, not of what is drawn.
    if (/GPU stall|GL Driver Message|software WebGL/i.test(message.text())) return;
    if (["error", "warning"].includes(message.type())) seen.console.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("requestfailed", (request) => {
    // A tile that is no more wanted.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") seen.failed.push(request.url());
  });
  page.on("response", (answer) => answer.status() >= 400 && seen.failed.push(`${answer.status()} ${answer.url()}`));
  page.on("request", (request) => {
    seen.requests += 1;
    const url = new URL(request.url());
    if (!["blob:", "data:"].includes(url.protocol) && url.origin !== address) seen.foreign.push(url.href);
  });
}

// The map has drawn all it knows. Its own event `idle` is not waited for: with terrain it may not come.
export async function idle(page) {
  await page.waitForFunction(() => globalThis.diaba?.isReady);
  await page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
  await page.waitForFunction(() => {
    const { map } = globalThis.diaba;
    return map.loaded() && map.areTilesLoaded() && !map.isMoving();
  });
}

// What axe-core finds serious or critical, as short texts.
export async function judge(page, source) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(source);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ target }) => target.join(" ")).join(", ")}`);
  });
}

export const axeSource = () => readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// How far it has come, for whoever waits for it.
export const came = (to) => process.stderr.write(`${to}\n`);
