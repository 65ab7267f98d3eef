// Coordinates as people write them.

const DEGREES = /^\s*(\d{1,3})\s*[°d]\s*(?:(\d{1,2})\s*['′m]\s*)?(?:(\d{1,2}(?:[.,]\d+)?)\s*(?:["″s]|'')\s*)?([NSEWBĐTO])?/i;
const NUMBER = /^[+-]?\d+(?:[.,]\d+)?$/;
// Of metres: no latitude or longitude is that large.
const METRES_FROM = 1000;

// A text as a place: { latitude, longitude } in degrees (WGS84), { east, north } in metres (VN-2000), or null.
// Of two numbers in degrees the first is the latitude unless it cannot be one; of two in metres the larger is the
// northing, as everywhere in Vietnam, in whichever order they are written.
export function place(text) {
  return fromDegrees(text) ?? fromNumbers(text);
}

function fromNumbers(text) {
  let parts = text.trim().split(/\s*[;\s]\s*|,\s+/).filter(Boolean);
  if (parts.length === 1) parts = text.trim().split(",");
  if (parts.length !== 2 || !parts.every((one) => NUMBER.test(one))) return null;
  const [first, second] = parts.map((one) => Number(one.replace(",", ".")));
  if (first >= METRES_FROM && second >= METRES_FROM) return { east: Math.min(first, second), north: Math.max(first, second) };
  if (Math.abs(first) <= 90 && Math.abs(second) <= 180) return { latitude: first, longitude: second };
  if (Math.abs(second) <= 90 && Math.abs(first) <= 180) return { latitude: second, longitude: first };
  return null;
}

// 10°46'35.4"N 106°41'43"E, or with B (bắc) and Đ (đông).
function fromDegrees(text) {
  const found = [];
  let rest = text.trim();
  while (rest && found.length < 3) {
    const match = DEGREES.exec(rest);
    if (!match) return null;
    const [whole, degrees, minutes = "0", seconds = "0", side = ""] = match;
    if (Number(minutes) >= 60 || Number(seconds.replace(",", ".")) >= 60) return null;
    const value = Number(degrees) + Number(minutes) / 60 + Number(seconds.replace(",", ".")) / 3600;
    const isSouthOrWest = /^[SWNT]$/i.test(side) && !/^N$/i.test(side);
    found.push({ value: isSouthOrWest ? -value : value, side: side.toUpperCase() });
    rest = rest.slice(whole.length).replace(/^[\s,;]+/, "");
  }
  if (found.length !== 2 || rest) return null;
  const [first, second] = /^[EWĐT]$/.test(found[0].side) ? [found[1], found[0]] : found;
  if (Math.abs(first.value) > 90 || Math.abs(second.value) > 180) return null;
  return { latitude: first.value, longitude: second.value };
}
