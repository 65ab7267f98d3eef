// How the city is drawn: sources, layers, colours. What a person can show and hide are the groups of layers below.

export const FLAGGED = "#c8281e";
export const CLEAR = "#ddd3bd";
export const UNKNOWN = "#b9bdbb";
export const CHOSEN = "#0b5c8a";
// Height above ground (m) and its colour.
export const HEIGHTS = [[0, "#f3ead3"], [6, "#e3c98f"], [12, "#c99a5b"], [20, "#9a6a48"], [40, "#5b4350"], [100, "#2f2a4a"]];
export const ROOFS = { flat: "#7f95a8", flat_levels: "#4f6b85", sloped: "#c0714f", mixed: "#8a6aa0" };
// Where permits, zones and LIDAR tiles are known by more than their colour: images of sprites.js.
export const EPOCHS = ["#1b7f79", "#a3622b", "#6b55a8", "#3f7a2c"];

// Groups of layers, in the order of the list; `on` at first.
export const GROUPS = [
  { id: "buildings", layers: ["buildings", "built-up", "flags"], on: true },
  { id: "parcels", layers: ["parcels", "parcel-lines", "blocks", "wards"], on: true },
  { id: "permits", layers: ["permits"], on: false },
  { id: "zones", layers: ["zones", "zone-lines", "zone-names"], on: false },
  { id: "roads", layers: ["roads"], on: true },
  { id: "labels", layers: ["road-names", "parcel-numbers", "building-heights"], on: true },
  { id: "lidar", layers: ["lidar", "lidar-lines", "lidar-names"], on: false },
  { id: "hillshade", layers: ["hillshade"], on: false },
  { id: "dtm", layers: ["dtm"], on: true, picture: true },
  { id: "dsm", layers: ["dsm"], on: false, picture: true },
  { id: "ndsm", layers: ["ndsm"], on: false, picture: true },
  { id: "relief3d", layers: [], on: false },
];

// Zoom of the finest heights the terrain is drawn from: a dot of them is about 2 m.
const FINEST_HEIGHTS = 15;

const heightColour = ["interpolate", ["linear"], ["get", "height"], ...HEIGHTS.flat()];
const isChosen = ["boolean", ["feature-state", "chosen"], false];
const FONT = { "text-font": ["diaba"] };
const BOLD = { "text-font": ["diaba bold"] };
const HALO = { "text-halo-color": "#ffffff", "text-halo-width": 1.4, "text-color": "#26312f" };

// The colour of a building by what it is coloured by: verdict, height or roof.
export function buildingColour(by) {
  const rules = {
    verdict: ["match", ["get", "verdict"], "flagged", FLAGGED, "none", CLEAR, UNKNOWN],
    height: ["case", ["has", "height"], heightColour, UNKNOWN],
    roof: ["match", ["get", "roof_type"], ...Object.entries(ROOFS).flat(), UNKNOWN],
  };
  return ["case", isChosen, CHOSEN, rules[by] ?? rules.verdict];
}

// Paint that parts may need of their own: a layer of the city's tiles.
export function cityLayer(id, type, sourceLayer, paint, more = {}) {
  return { id, type, source: "city", "source-layer": sourceLayer, paint, ...more };
}

// `rasters` is the TileJSON of the terrain's pictures: where they reach, and at which zooms.
export const heightText = (locale) => ["concat", ["number-format", ["get", "height"], { locale, "min-fraction-digits": 1, "max-fraction-digits": 1 }], " m"];

export function cityStyle(base, { colourBy = "verdict", shown = null, rasters = {} } = {}) {
  const visible = new Map(GROUPS.flatMap(({ id, layers, on }) => layers.map((layer) => [layer, (shown ? shown.includes(id) : on) ? "visible" : "none"])));
  const wanted = (layer) => ({ ...layer, layout: { ...layer.layout, ...(visible.has(layer.id) ? { visibility: visible.get(layer.id) } : {}) } });
  const { bounds, minzoom = 10, maxzoom = 20 } = rasters;
  // Pictures of 512 dots: a quarter as many requests.
  const relief = (name) => ({ type: "raster", tiles: [`${base}raster/${name}/{z}/{x}/{y}@2x.png`], tileSize: 512, minzoom, maxzoom, ...(bounds ? { bounds } : {}) });
  const heights = () => ({ ...relief("terrarium"), type: "raster-dem", encoding: "terrarium", maxzoom: Math.min(maxzoom, FINEST_HEIGHTS) });
  const face = (subset, weight) => `${base}viewer/fonts/be-vietnam-pro-${subset}-${weight}-normal.woff2`;
  const faces = (weight) => [
    { url: face("vietnamese", weight), "unicode-range": ["U+102-103", "U+110-111", "U+128-129", "U+168-169", "U+1A0-1A1", "U+1AF-1B0", "U+300-309", "U+323", "U+329", "U+1EA0-1EF9", "U+20AB"] },
    { url: face("latin", weight), "unicode-range": ["U+0-FF", "U+2000-206F", "U+2122", "U+2191", "U+2193", "U+2212", "U+2215"] },
  ];
  return {
    version: 8,
    "font-faces": { diaba: faces(400), "diaba bold": faces(600) },
    sources: {
      city: { type: "vector", url: `${base}tiles.json`, promoteId: { buildings: "uid", parcels: "uid", permits: "permit_no", zones: "uid", roads: "uid" } },
      dtm: relief("dtm"),
      dsm: relief("dsm"),
      ndsm: relief("ndsm"),
      shade: heights(),
      heights: heights(),
      lidar: { type: "geojson", data: { type: "FeatureCollection", features: [] }, promoteId: "state_id" },
    },
    light: { anchor: "viewport", position: [1.2, 210, 40], intensity: 0.35 },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": "#eef1ee" } },
      ...["dtm", "dsm", "ndsm"].map((id) => ({ id, type: "raster", source: id, paint: { "raster-opacity": id === "dtm" ? 0.75 : 0.9, "raster-fade-duration": 0 } })),
      { id: "hillshade", type: "hillshade", source: "shade", paint: { "hillshade-exaggeration": 0.35, "hillshade-shadow-color": "#46524f", "hillshade-highlight-color": "#ffffff", "hillshade-accent-color": "#6d7a76" } },
      cityLayer("zones", "fill", "zones", { "fill-pattern": ["concat", "zone-", ["coalesce", ["get", "land_use"], "?"]], "fill-opacity": 0.8 }),
      cityLayer("zone-lines", "line", "zones", { "line-color": "#6b4c9a", "line-width": ["case", isChosen, 4, 1.6] }),
      // What stands for parcels and buildings far away.
      cityLayer("wards", "line", "wards", { "line-color": "#54605e", "line-width": 1.2 }),
      cityLayer("blocks", "line", "blocks", { "line-color": "#54605e", "line-width": 0.7 }),
      cityLayer("built-up", "fill", "built_up", { "fill-color": ["case", ["has", "height"], heightColour, UNKNOWN], "fill-opacity": 0.7 }),
      // Hardly visible, but it can be clicked.
      cityLayer("parcels", "fill", "parcels", { "fill-color": ["case", isChosen, CHOSEN, "#ffffff"], "fill-opacity": ["case", isChosen, 0.3, 0.12] }),
      cityLayer("parcel-lines", "line", "parcels", { "line-color": ["case", isChosen, CHOSEN, "#54605e"], "line-width": ["interpolate", ["linear"], ["zoom"], 15, ["case", isChosen, 2, 0.3], 17, ["case", isChosen, 3, 0.8]] }),
      cityLayer("roads", "line", "roads", {
        "line-color": ["case", isChosen, CHOSEN, "#ffffff"],
        "line-width": ["interpolate", ["exponential", 2], ["zoom"], 12, 0.6, 18, 6],
        "line-opacity": 0.85,
      }, { layout: { "line-cap": "round", "line-join": "round" } }),
      cityLayer("permits", "line", "permits", {
        "line-color": CHOSEN,
        "line-width": ["interpolate", ["linear"], ["zoom"], 15, ["case", isChosen, 2, 0.4], 17.5, ["case", isChosen, 4, 1.8]],
        "line-dasharray": [3, 2],
      }),
      { id: "lidar", type: "fill", source: "lidar", paint: { "fill-pattern": ["concat", "lidar-", ["get", "pattern"]], "fill-opacity": 0.75 } },
      { id: "lidar-lines", type: "line", source: "lidar", paint: { "line-color": ["match", ["get", "pattern"], ...EPOCHS.flatMap((colour, i) => [i, colour]), EPOCHS[0]], "line-width": ["case", isChosen, 4, 1.6] } },
      cityLayer("buildings", "fill-extrusion", "buildings", {
        "fill-extrusion-color": buildingColour(colourBy),
        "fill-extrusion-height": ["coalesce", ["get", "height"], 3],
        "fill-extrusion-opacity": 0.94,
      }),
      cityLayer("road-names", "symbol", "roads", HALO, {
        minzoom: 14.5,
        layout: { ...FONT, "text-field": ["get", "name"], "symbol-placement": "line", "text-size": ["interpolate", ["linear"], ["zoom"], 15, 11, 19, 15], "symbol-spacing": 260, "text-max-angle": 40 },
      }),
      cityLayer("zone-names", "symbol", "zones", { ...HALO, "text-color": "#503578" }, {
        minzoom: 13,
        layout: { ...BOLD, "text-field": ["get", "land_use"], "text-size": 12, "text-padding": 14 },
      }),
      cityLayer("parcel-numbers", "symbol", "parcels", { ...HALO, "text-color": "#41504d" }, {
        minzoom: 18,
        layout: { ...FONT, "text-field": ["concat", ["get", "sheet_no"], "/", ["get", "parcel_no"]], "text-size": 11, "text-anchor": "top", "text-offset": [0, 0.5] },
      }),
      cityLayer("building-heights", "symbol", "buildings", HALO, {
        minzoom: 17.5,
        filter: ["has", "height"],
        layout: { ...BOLD, "text-field": heightText("vi-VN"), "text-size": 12, "text-anchor": "bottom" },
      }),
      // A mark beside the colour: what is to be inspected is known without seeing red.
      cityLayer("flags", "symbol", "buildings", {}, {
        minzoom: 16.5,
        filter: ["==", ["get", "verdict"], "flagged"],
        layout: { "icon-image": "flag", "icon-overlap": ["step", ["zoom"], "never", 17.5, "always"], "icon-padding": 1, "icon-anchor": "bottom", "icon-size": ["interpolate", ["linear"], ["zoom"], 16.5, 0.55, 19, 0.9] },
      }),
      { id: "lidar-names", type: "symbol", source: "lidar", minzoom: 12, layout: { ...BOLD, "text-field": ["get", "epoch"], "text-size": 13 }, paint: HALO },
    ].map(wanted),
  };
}
