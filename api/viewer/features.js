// The small map of a page: the page's features alone, on nothing else, so that no other host is asked.

import { Map, NavigationControl, ScaleControl } from "./library.js";

const place = document.getElementById("features");
const COLOUR = "#0b5c8a";
const MARGIN = 30;
const CLOSEST = 19;

function corners(coordinates, found) {
  if (typeof coordinates[0] === "number") found.push(coordinates);
  else for (const part of coordinates) corners(part, found);
  return found;
}

function reach(features) {
  const all = features.flatMap(({ geometry }) => (geometry ? corners(geometry.coordinates, []) : []));
  const [x, y] = [all.map((one) => one[0]), all.map((one) => one[1])];
  return all.length ? [[Math.min(...x), Math.min(...y)], [Math.max(...x), Math.max(...y)]] : null;
}

async function show() {
  const answer = await fetch(place.dataset.source);
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail ?? answer.statusText);
  const bounds = reach(document.features ?? [document]);
  if (bounds === null) {
    place.hidden = true;
    return;
  }
  const style = {
    version: 8,
    sources: { features: { type: "geojson", data: document } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": "#eef1ee" } },
      { id: "areas", type: "fill", source: "features", filter: ["==", ["geometry-type"], "Polygon"],
        paint: { "fill-color": COLOUR, "fill-opacity": 0.25 } },
      { id: "lines", type: "line", source: "features", paint: { "line-color": COLOUR, "line-width": 1.5 } },
    ],
  };
  const map = new Map({ container: place, style, bounds, fitBoundsOptions: { padding: MARGIN, maxZoom: CLOSEST },
    attributionControl: false, cooperativeGestures: true });
  map.addControl(new NavigationControl({ showCompass: false }));
  map.addControl(new ScaleControl());
  map.once("idle", () => { place.dataset.ready = "true"; });
}

show().catch((error) => { place.textContent = error.message; });
