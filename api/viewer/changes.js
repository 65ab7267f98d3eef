// Draws anew what the service says has changed, as long as the page is open.

import { listen } from "./event_stream.js";

const TILES_MOST = 2000;
const WAIT = 100;
const AGAIN = 200;

// The tiles that a box meets, as columns and rows of a zoom.
function tilesIn([west, south, east, north]) {
  const column = (longitude, z) => Math.floor(((longitude + 180) / 360) * 2 ** z);
  const row = (latitude, z) => {
    const sine = Math.sin((latitude * Math.PI) / 180);
    return Math.floor((0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * 2 ** z);
  };
  return (z) => ({ x: [column(west, z), column(east, z)], y: [row(north, z), row(south, z)] });
}

export function mount(app) {
  const { map } = app;
  let boxes = [];
  let everything = false;
  let waiting = null;
  app.refreshed = 0;
  const refresh = () => {
    waiting = null;
    const source = map.getSource("city");
    if (!source?.loaded()) {
      waiting = setTimeout(refresh, AGAIN);
      return;
    }
    const tiles = [];
    for (const box of boxes) {
      const found = tilesIn(box);
      for (let z = source.minzoom; z <= Math.min(source.maxzoom, Math.ceil(map.getZoom()) + 1); z += 1) {
        const { x, y } = found(z);
        if ((x[1] - x[0] + 3) * (y[1] - y[0] + 3) > TILES_MOST) everything = true;
        // A tile shows what lies a little around it.
        else for (let i = x[0] - 1; i <= x[1] + 1; i += 1) for (let j = y[0] - 1; j <= y[1] + 1; j += 1) tiles.push({ x: i, y: j, z });
      }
    }
    map.refreshTiles("city", everything ? undefined : tiles);
    app.refreshed += 1;
    boxes = [];
    everything = false;
  };
  const soon = () => { waiting ??= setTimeout(refresh, WAIT); };
  const follow = () => listen(app.api.url("changes"), app.api.headers, (name, data) => {
    if (name === "change") boxes.push(JSON.parse(data).bbox);
    else if (name === "reset") everything = true;
    soon();
  });
  let stream = follow();
  // Somebody else hears of other changes.
  app.state.on("token", () => {
    stream.stop();
    stream = follow();
  });
  // A page that is left keeps no stream open.
  window.addEventListener("pagehide", () => stream.stop());
}
