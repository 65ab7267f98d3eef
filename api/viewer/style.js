// How the city is drawn: sources, layers, colours. No text in the map, so no glyphs are fetched.

export const FLAGGED = "#c8281e";
export const UNKNOWN = "#b9bdbb";
// Height above ground (m) and its colour.
export const HEIGHTS = [[0, "#f3ead3"], [6, "#e3c98f"], [12, "#c99a5b"], [20, "#9a6a48"], [40, "#5b4350"], [100, "#2f2a4a"]];

const heightColour = ["interpolate", ["linear"], ["get", "height"], ...HEIGHTS.flat()];
const buildingColour = [
  "case",
  ["==", ["get", "verdict"], "flagged"], FLAGGED,
  ["has", "height"], heightColour,
  UNKNOWN,
];

// What a person can show and hide; `layers` are ids of the style below.
export const TOGGLES = [
  { label: "Địa hình · Terrain", layers: ["relief"], on: true },
  { label: "Quy hoạch · Planning zones", layers: ["zones", "zone-lines"], on: false },
  { label: "Đường · Roads", layers: ["roads"], on: true },
  { label: "Thửa đất · Parcels", layers: ["parcels", "parcel-lines", "blocks", "wards"], on: true },
  { label: "Giấy phép xây dựng · Permits", layers: ["permits"], on: false },
  { label: "Công trình · Buildings", layers: ["buildings", "built-up"], on: true },
];

export function cityStyle(base) {
  const shown = new Map(TOGGLES.flatMap(({ layers, on }) => layers.map((id) => [id, on ? "visible" : "none"])));
  const layer = (id, type, sourceLayer, paint, more = {}) => ({
    id,
    type,
    source: "city",
    "source-layer": sourceLayer,
    layout: { visibility: shown.get(id) ?? "visible" },
    paint,
    ...more,
  });
  return {
    version: 8,
    sources: {
      city: { type: "vector", url: `${base}tiles.json`, promoteId: { buildings: "uid", parcels: "uid" } },
      relief: { type: "raster", url: `${base}raster/dtm/tiles.json`, tileSize: 256 },
    },
    light: { anchor: "viewport", position: [1.2, 210, 40], intensity: 0.35 },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": "#eef1ee" } },
      { id: "relief", type: "raster", source: "relief", layout: { visibility: shown.get("relief") } },
      layer("zones", "fill", "zones", { "fill-color": "#7a5ba6", "fill-opacity": 0.15 }),
      layer("zone-lines", "line", "zones", { "line-color": "#7a5ba6", "line-width": 1.5 }),
      // What stands for parcels and buildings far away.
      layer("wards", "line", "wards", { "line-color": "#54605e", "line-width": 1.2 }),
      layer("blocks", "line", "blocks", { "line-color": "#54605e", "line-width": 0.7 }),
      layer("built-up", "fill", "built_up", {
        "fill-color": ["case", ["has", "height"], heightColour, UNKNOWN],
        "fill-opacity": 0.7,
      }),
      // Invisible, but it can be clicked.
      layer("parcels", "fill", "parcels", { "fill-color": "#000000", "fill-opacity": 0 }),
      layer("parcel-lines", "line", "parcels", {
        "line-color": ["case", ["boolean", ["feature-state", "chosen"], false], "#0b5c8a", "#54605e"],
        "line-width": ["case", ["boolean", ["feature-state", "chosen"], false], 3, 0.8],
      }),
      layer("roads", "line", "roads", {
        "line-color": "#ffffff",
        "line-width": ["interpolate", ["exponential", 2], ["zoom"], 12, 0.5, 18, 5],
        "line-opacity": 0.8,
      }),
      layer("permits", "line", "permits", { "line-color": "#0b5c8a", "line-width": 1.5, "line-dasharray": [3, 2] }),
      layer("buildings", "fill-extrusion", "buildings", {
        "fill-extrusion-color": ["case", ["boolean", ["feature-state", "chosen"], false], "#0b5c8a", buildingColour],
        "fill-extrusion-height": ["coalesce", ["get", "height"], 3],
        "fill-extrusion-opacity": 0.92,
      }),
    ],
  };
}
