// The map: made, kept in step with the state, drawn anew where the city changes.

import { AttributionControl, Map, NavigationControl, ScaleControl } from "./library.js";
import { serveImages } from "./sprites.js";
import { buildingColour, cityStyle, GROUPS, heightText } from "./style.js";

const WORLD_WIDTH = 300;
const CITY_CENTRE = [106.7, 10.78];
export const CLOSE = 18;
const FADE = 300;

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

// ms in which names come into sight: at once where motion is to be reduced.
export const fade = () => (calm.matches ? 0 : FADE);

export function createMap(app, { bounds }) {
  const { state } = app;
  const isEmpty = bounds[2] - bounds[0] > WORLD_WIDTH;
  const asked = state.get("view");
  const padding = { left: window.innerWidth > 700 ? 370 : 20, right: 60, top: 40, bottom: 40 };
  const view = asked ?? (isEmpty ? { center: CITY_CENTRE, zoom: 11 } : { bounds, fitBoundsOptions: { padding, maxZoom: CLOSE, pitch: 50 } });
  const map = new Map({
    container: "map",
    style: cityStyle(app.base, { colourBy: state.get("colourBy"), shown: state.get("layers"), rasters: app.rasters }),
    maxPitch: 75,
    fadeDuration: fade(),
    attributionControl: false,
    // Of this service alone goes the token along.
    transformRequest: (url) => (url.startsWith(app.base) ? { url, headers: app.api.headers() } : { url }),
    locale: words(app),
    ...view,
  });
  map.addControl(new NavigationControl({ visualizePitch: true }), "top-right");
  map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-right");
  map.addControl(new AttributionControl({ compact: false, customAttribution: "© MapLibre" }));
  map.on("error", ({ error }) => {
    if (error?.name !== "AbortError") app.say(error?.message ?? "?", { level: "error" });
  });
  serveImages(map);
  keepView(app, map);
  app.isEmpty = isEmpty;
  app.groups = groups(app, map);
  app.highlight = (selected, on) => highlight(map, app, selected, on);
  // Goes to a place as the person likes it: flying, or at once where motion is to be reduced.
  app.goTo = (where) => {
    const { bounds: box, ...rest } = where;
    const spared = spare();
    if (box) map.fitBounds(box, { padding: spared, maxZoom: CLOSE, animate: !calm.matches, ...rest });
    else map[calm.matches ? "jumpTo" : "flyTo"]({ padding: spared, ...rest });
  };
  app.reach = reach;
  // Numbers on the map are written as those beside it.
  const number = () => map.setLayoutProperty("building-heights", "text-field", heightText(app.texts.locale()));
  state.on("language", number);
  state.on("language", () => map.getCanvas().setAttribute("aria-label", app.t("map.Map.Title")));
  map.once("style.load", number);
  state.on("colourBy", (by) => map.setPaintProperty("buildings", "fill-extrusion-color", buildingColour(by)));
  return map;
}

// The corners of a GeoJSON geometry's box; null of one that is nowhere.
function reach(geometry) {
  const box = [[Infinity, Infinity], [-Infinity, -Infinity]];
  const take = (coordinates) => {
    if (typeof coordinates[0] !== "number") coordinates.forEach(take);
    else for (const axis of [0, 1]) [box[0][axis], box[1][axis]] = [Math.min(box[0][axis], coordinates[axis]), Math.max(box[1][axis], coordinates[axis])];
  };
  take(geometry?.coordinates ?? []);
  return Number.isFinite(box[0][0]) ? box : null;
}

// What panels cover of the map, so that what is shown is beside them.
function spare() {
  const map = document.getElementById("map").getBoundingClientRect();
  const pad = { top: 20, bottom: 20, left: 20, right: 20 };
  for (const id of ["panel", "card"]) {
    const box = document.getElementById(id).getBoundingClientRect();
    if (!box.width) continue;
    if (box.width > 0.8 * map.width) pad.bottom = Math.min(Math.max(pad.bottom, map.bottom - box.top), 0.7 * map.height);
    else if (box.left + box.width / 2 < map.left + map.width / 2) pad.left = Math.max(pad.left, box.right - map.left + 20);
    else pad.right = Math.max(pad.right, map.right - box.left + 20);
  }
  return pad;
}

function keepView(app, map) {
  const { state } = app;
  let own = false;
  map.on("moveend", () => {
    own = true;
    state.set({ view: { zoom: map.getZoom(), center: map.getCenter().toArray(), bearing: map.getBearing(), pitch: map.getPitch() } });
    own = false;
  });
  state.on("view", (view) => {
    if (view && !own) map.jumpTo(view);
  });
}

// Groups of layers that are shown: app.groups.isShown(id), .show(id, whether), .add(group) for a part's own layers.
function groups(app, map) {
  const { state } = app;
  const isShown = (id) => {
    const asked = state.get("layers");
    return asked ? asked.includes(id) : Boolean(GROUPS.find((one) => one.id === id)?.on);
  };
  const apply = () => {
    for (const { id, layers } of GROUPS) {
      for (const layer of layers) if (map.getLayer(layer)) map.setLayoutProperty(layer, "visibility", isShown(id) ? "visible" : "none");
    }
  };
  state.on("layers", apply);
  return {
    isShown,
    show(id, whether) {
      const { picture } = GROUPS.find((one) => one.id === id);
      const kept = GROUPS.filter((one) => {
        if (one.id === id) return whether;
        // One picture lies over the other: one at a time.
        return isShown(one.id) && !(whether && picture && one.picture);
      });
      state.set({ layers: kept.map((one) => one.id) });
    },
    add(group) {
      GROUPS.push(group);
    },
  };
}

// Marks the chosen thing on the map.
function highlight(map, app, { kind, id }, chosen) {
  const told = app.card.kinds.get(kind);
  if (!told?.source || !map.getSource(told.source)) return;
  map.setFeatureState({ source: told.source, sourceLayer: told.sourceLayer, id: told.stateId?.(id) ?? id }, { chosen });
}

function words(app) {
  const keys = ["NavigationControl.ZoomIn", "NavigationControl.ZoomOut", "NavigationControl.ResetBearing", "Map.Title", "ScaleControl.Meters", "ScaleControl.Kilometers"];
  return Object.fromEntries(keys.map((key) => [key, app.t(`map.${key}`)]));
}
