// Checks the viewer's style with MapLibre's own validator and prints what is wrong with it as JSON, and the layers of
// the tiles it draws.

import { validateStyleMin } from "@maplibre/maplibre-gl-style-spec";
import { cityStyle, TOGGLES } from "../../../api/viewer/style.js";

const style = cityStyle("http://localhost/");
const ids = new Set(style.layers.map(({ id }) => id));
console.log(JSON.stringify({
  errors: validateStyleMin(style).map(({ message }) => message),
  drawn: [...new Set(style.layers.map((layer) => layer["source-layer"]).filter(Boolean))],
  dangling: TOGGLES.flatMap(({ layers }) => layers).filter((id) => !ids.has(id)),
}));
