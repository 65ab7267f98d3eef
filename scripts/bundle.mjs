// Bundles the viewer into api/viewer/built, which is not committed: the page's modules as one file, MapLibre as a chunk
// of its own beside its worker, stylesheets, and the typeface.
//   node scripts/bundle.mjs            make it
//   node scripts/bundle.mjs --check    exit 1 where it is not what would be made of the sources of now

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(checkout, "api", "viewer");
const built = join(source, "built");
const library = join(checkout, "node_modules");
const FONT = join(library, "@fontsource", "be-vietnam-pro", "files");
const SUBSETS = ["vietnamese", "latin"];
const WEIGHTS = [400, 600];
const BROWSERS = ["chrome111", "firefox114", "safari16.4"];

// Says what the bundle is made of: the sources and the libraries' versions.
async function digest() {
  const hash = createHash("sha256");
  const names = (await readdir(source, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile() && !join(one.parentPath ?? one.path, one.name).startsWith(built))
    .map((one) => join(one.parentPath ?? one.path, one.name)).sort();
  const lock = join(checkout, "package-lock.json");
  for (const name of [fileURLToPath(import.meta.url), lock, ...names]) {
    const text = await readFile(name);
    hash.update(`${text.length} `).update(text);
  }
  return hash.digest("hex");
}

const made = await digest();
const mark = join(built, "made-of.txt");
if (process.argv.includes("--check")) process.exit((await readFile(mark, "utf8").catch(() => "")) === made ? 0 : 1);

const { build } = await import("esbuild");
const folder = `${built}.${process.pid}`;
await rm(folder, { recursive: true, force: true });
await mkdir(join(folder, "fonts"), { recursive: true });
try {
  const common = { bundle: true, minify: true, legalComments: "linked", target: BROWSERS, logLevel: "warning", outdir: folder };
  const code = { ...common, format: "esm", define: { "process.env.NODE_ENV": '"production"' } };
  const worker = join(library, "maplibre-gl", "dist", "maplibre-gl-worker.mjs");
  const named = await readFile(worker);
  // Its name changes with its bytes, as those of the chunks do: a browser keeps them for good.
  const workerName = `maplibre-worker-${createHash("sha256").update(named).digest("hex").slice(0, 8)}`;
  await build({ ...code, entryPoints: { [workerName]: worker } });
  await build({
    ...code,
    define: { ...code.define, MAPLIBRE_WORKER: JSON.stringify(`./${workerName}.js`) },
    entryPoints: { app: join(source, "app.js"), features: join(source, "features.js") },
    splitting: true,
    chunkNames: "chunk-[hash]",
  });
  await build({ ...common, entryPoints: [join(source, "viewer.css"), join(source, "pages.css")], external: ["./fonts/*"] });
  for (const subset of SUBSETS) {
    for (const weight of WEIGHTS) {
      const name = `be-vietnam-pro-${subset}-${weight}-normal.woff2`;
      await cp(join(FONT, name), join(folder, "fonts", name));
    }
  }
  for (const page of ["index.html", "sheet.html"]) await cp(join(source, page), join(folder, page));
  await writeFile(join(folder, "made-of.txt"), made);
  await rm(built, { recursive: true, force: true });
  await rename(folder, built);
} finally {
  await rm(folder, { recursive: true, force: true });
}
