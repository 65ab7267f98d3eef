// Checks the viewer's style with MapLibre's own validator and prints what is wrong with it as JSON, the layers of the
// tiles it draws, and texts that are in one language alone.

import { validateStyleMin } from "@maplibre/maplibre-gl-style-spec";
import { cityStyle, GROUPS } from "../../../api/viewer/style.js";
import en from "../../../api/viewer/texts/en.js";
import vi from "../../../api/viewer/texts/vi.js";

const style = cityStyle("http://localhost/");
const ids = new Set(style.layers.map(({ id }) => id));
console.log(JSON.stringify({
  errors: validateStyleMin(style).map(({ message }) => message),
  drawn: [...new Set(style.layers.map((layer) => layer["source-layer"]).filter(Boolean))],
  dangling: GROUPS.flatMap(({ layers }) => layers).filter((id) => !ids.has(id)),
  untranslated: [...Object.keys(vi).filter((key) => !(key in en)), ...Object.keys(en).filter((key) => !(key in vi))],
}));
