// Shows the service's 3D Tiles on CesiumJS' globe in a browser without a network but this machine, and prints what it
// saw as JSON. Arguments: the service's address, the browser, the folder for pictures, a question as JSON:
// {"tilesets": [{"path", "range", "pick": [[lon, lat, height], …], "terrain": path}, …], "target": [lon, lat, height],
// "terrain": {"path", "places": [[lon, lat], …]}}.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const [address, executablePath, folder, asked] = process.argv.slice(2);
const question = JSON.parse(asked);
const library = join(process.cwd(), "node_modules", "cesium", "Build", "Cesium");
const kinds = {
  ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".wasm": "application/wasm",
  ".jpg": "image/jpeg", ".png": "image/png", ".svg": "image/svg+xml", ".xml": "text/xml",
};
const page_html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>html, body, #globe, #globe * { margin: 0; width: 100%; height: 100%; overflow: hidden }</style>
<div id="globe"></div><script>globalThis.CESIUM_BASE_URL = "/cesium/"</script><script src="/cesium/Cesium.js"></script>`;
const server = createServer(async (request, answer) => {
  const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
  try {
    if (path === "/") return answer.writeHead(200, { "content-type": "text/html" }).end(page_html);
    const file = normalize(path).replace(/^\/cesium\//, "");
    const body = await readFile(join(library, file));
    answer.writeHead(200, { "content-type": kinds[extname(file)] ?? "application/octet-stream" }).end(body);
  } catch {
    answer.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const own = `http://127.0.0.1:${server.address().port}`;

const args = [
  "--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--no-first-run", "--disable-quic", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
];
const browser = await chromium.launch({ executablePath, args });
const seen = { console: [], failed: [], foreign: [], requests: [] };
try {
  const page = await browser.newPage({ viewport: { width: 600, height: 400 } });
  page.on("console", (message) => {
    const text = message.text();
    // Of the drawing by software, not of what is drawn.
    if (/GPU stall|GL Driver Message|software WebGL/i.test(text)) return;
    if (["error", "warning"].includes(message.type())) seen.console.push(`${message.type()}: ${text}`);
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("requestfailed", (request) => seen.failed.push(request.url()));
  page.on("response", (answer) => answer.status() >= 400 && seen.failed.push(`${answer.status()} ${answer.url()}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin === address) seen.requests.push(url.pathname);
    else if (!["blob:", "data:"].includes(url.protocol) && url.origin !== own) seen.foreign.push(url.href);
  });
  await page.goto(own);
  await page.waitForFunction(() => globalThis.Cesium !== undefined);

  seen.terrain = await page.evaluate(async ([url, places]) => {
    const { Cesium } = globalThis;
    const terrain = await Cesium.CesiumTerrainProvider.fromUrl(url, { requestVertexNormals: true });
    const found = await Cesium.sampleTerrainMostDetailed(
      terrain, places.map(([lon, lat]) => Cesium.Cartographic.fromDegrees(lon, lat)),
    );
    return found.map((place) => place.height);
  }, [`${address}${question.terrain.path}`, question.terrain.places]);

  const show = (url, range, ground) => page.evaluate(async ([url, target, range, ground]) => {
    const { Cesium } = globalThis;
    globalThis.shown?.widget.destroy();
    const widget = new Cesium.CesiumWidget("globe", {
      baseLayer: false, skyBox: false, skyAtmosphere: false, useDefaultRenderLoop: false, msaaSamples: 1,
      creditContainer: document.createElement("div"),
      orderIndependentTranslucency: false, contextOptions: { webgl: { preserveDrawingBuffer: true } },
    });
    // What a computer without a graphics card draws slowly.
    Object.assign(widget.scene, { highDynamicRange: false, sun: undefined, moon: undefined });
    widget.scene.fog.enabled = false;
    widget.scene.globe.showGroundAtmosphere = false;
    widget.scene.globe.baseColor = Cesium.Color.fromCssColorString("#9aa58c");
    if (ground) {
      widget.scene.globe.terrainProvider = await Cesium.CesiumTerrainProvider.fromUrl(
        ground, { requestVertexNormals: true },
      );
      widget.scene.globe.enableLighting = true;
    }
    // An afternoon in Vietnam, whatever the hour of the test: what the camera in the south-west looks at is lit.
    widget.clock.currentTime = Cesium.JulianDate.fromIso8601("2026-03-21T08:00:00Z");
    const tileset = await Cesium.Cesium3DTileset.fromUrl(url);
    tileset.pointCloudShading.attenuation = false;
    widget.scene.primitives.add(tileset);
    const failures = [];
    tileset.tileFailed.addEventListener(({ url, message }) => failures.push(`${url}: ${message}`));
    widget.camera.lookAt(
      Cesium.Cartesian3.fromDegrees(...target), new Cesium.HeadingPitchRange(0.6, -0.7, range),
    );
    globalThis.shown = { widget, tileset, failures };
    const start = performance.now();
    let quiet = 0;
    while (quiet < (ground ? 20 : 3) && performance.now() - start < 90000) {
      widget.resize();
      if (ground) widget.clock.tick();
      widget.render();
      await new Promise((resolve) => setTimeout(resolve, 30));
      quiet = tileset.tilesLoaded && widget.scene.globe.tilesLoaded && tileset.statistics.numberOfTilesWithContentReady > 0 ? quiet + 1 : 0;
    }
    const { statistics } = tileset;
    return {
      url, failures, settled: quiet >= 3,
      features: statistics.numberOfFeaturesSelected, triangles: statistics.numberOfTrianglesSelected,
      points: statistics.numberOfPointsSelected, tiles: statistics.selected, extras: tileset.extras ?? tileset.asset.extras,
    };
  }, [url, question.target, range, ground]);

  seen.shown = [];
  for (const [number, tileset] of question.tilesets.entries()) {
    const ground = tileset.terrain && `${address}${tileset.terrain}`;
    seen.shown.push(await show(`${address}${tileset.path}`, tileset.range, ground));
    await page.screenshot({ path: `${folder}/cesium-${number}.png` });
    if (tileset.pick) {
      seen.picked = await page.evaluate((places) => {
        const { Cesium, shown: { widget } } = globalThis;
        return places.map((place) => {
          const at = Cesium.SceneTransforms.worldToWindowCoordinates(
            widget.scene, Cesium.Cartesian3.fromDegrees(...place),
          );
          const feature = widget.scene.pick(at);
          return feature instanceof Cesium.Cesium3DTileFeature
            ? Object.fromEntries(feature.getPropertyIds().map((name) => [name, feature.getProperty(name)]))
            : null;
        });
      }, tileset.pick);
    }
  }
} finally {
  await browser.close();
  server.close();
}
console.log(JSON.stringify(seen));
