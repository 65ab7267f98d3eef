// The map's own images, drawn here: the mark of a difference, and patterns that say without colour what an area is.

import { EPOCHS, FLAGGED } from "./style.js";

const SIDE = 24;
const RATIO = 2;
// Land use (its first letters) → how its zone is hatched, and its colour. Codes of Circular 08/2024/TT-BTNMT, group by group.
export const ZONES = [
  { start: "OD", hatch: "rising", colour: "#c0803a" },
  { start: "ON", hatch: "rising", colour: "#c0803a" },
  { start: "TM", hatch: "cross", colour: "#b5484f" },
  { start: "SK", hatch: "cross", colour: "#7a5a86" },
  { start: "DG", hatch: "flat", colour: "#777f7d" },
  { start: "DK", hatch: "dots", colour: "#3c8a4b" },
  { start: "CL", hatch: "dots", colour: "#5c9a3c" },
  { start: "LU", hatch: "dots", colour: "#8aa23c" },
  { start: "", hatch: "falling", colour: "#6b4c9a" },
];
const EPOCH_HATCHES = ["rising", "falling", "dots", "cross"];

export const zoneOf = (landUse) => ZONES.find(({ start }) => (landUse ?? "").startsWith(start));
export const epochHatch = (number) => ({ hatch: EPOCH_HATCHES[number % EPOCH_HATCHES.length], colour: EPOCHS[number % EPOCHS.length] });

function canvas(side) {
  const made = document.createElement("canvas");
  made.width = made.height = side * RATIO;
  const pen = made.getContext("2d", { willReadFrequently: true });
  pen.scale(RATIO, RATIO);
  return [made, pen];
}

// A pattern that repeats without seams.
export function hatched({ hatch, colour }, side = SIDE) {
  const [made, pen] = canvas(side);
  pen.fillStyle = `${colour}26`;
  pen.fillRect(0, 0, side, side);
  pen.strokeStyle = pen.fillStyle = `${colour}b0`;
  pen.lineWidth = 1.4;
  const line = (...ends) => { pen.beginPath(); pen.moveTo(...ends.slice(0, 2)); pen.lineTo(...ends.slice(2)); pen.stroke(); };
  const step = side / 2;
  for (let i = -2; i <= 2; i += 1) {
    const at = i * step;
    if (["rising", "cross"].includes(hatch)) line(at, side, at + side, 0);
    if (["falling", "cross"].includes(hatch)) line(at, 0, at + side, side);
    if (hatch === "flat") line(0, at + step / 2, side, at + step / 2);
  }
  if (hatch === "dots") {
    for (const [x, y] of [[0.25, 0.25], [0.75, 0.75]]) {
      pen.beginPath();
      pen.arc(x * side, y * side, 1.8, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  return made;
}

function flag() {
  const [made, pen] = canvas(SIDE);
  pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(12, 2);
  pen.lineTo(22.5, 21);
  pen.lineTo(1.5, 21);
  pen.closePath();
  pen.fillStyle = FLAGGED;
  pen.strokeStyle = "#ffffff";
  pen.lineWidth = 2.5;
  pen.stroke();
  pen.fill();
  pen.fillStyle = "#ffffff";
  pen.fillRect(11, 8, 2, 6.5);
  pen.fillRect(11, 16, 2, 2.2);
  return made;
}

// Images by the names the style uses.
function image(name) {
  if (name === "flag") return flag();
  if (name.startsWith("zone-")) return hatched(zoneOf(name.slice(5)));
  if (name.startsWith("lidar-")) return hatched(epochHatch(Number(name.slice(6)) || 0));
  return null;
}

// Draws each image when the map first asks for it.
export function serveImages(map) {
  map.setMissingStyleImageResolver((id) => {
    const made = image(id);
    if (!made || map.hasImage(id)) return;
    map.addImage(id, made.getContext("2d").getImageData(0, 0, made.width, made.height), { pixelRatio: RATIO });
  });
}
