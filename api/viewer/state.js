// What the page shows, by name; those that make a view of the city are kept in the address, so that it can be sent on.

const text = { read: (value) => value, write: (value) => value ?? "" };

// Name → where it stands in the address (`hash`; none: only in this page), its value at first, how it is read and
// written.
const KNOWN = {
  view: { hash: "at", initial: null, read: readView, write: writeView },
  layers: { hash: "layers", initial: null, read: (value) => value.split(",").filter(Boolean), write: (value) => value?.join(",") || (value ? "-" : "") },
  colourBy: { hash: "colour", initial: "verdict", ...text },
  asOf: { hash: "as_of", initial: null, ...text },
  knownAt: { hash: "known_at", initial: null, ...text },
  epoch: { hash: "epoch", initial: null, ...text },
  selected: { hash: "see", initial: null, read: readSelected, write: (value) => (value ? `${value.kind}:${value.id}` : "") },
  caseFilter: { hash: "cases", initial: null, ...text },
  language: { hash: "lang", initial: "vi", read: (value) => (value === "en" ? "en" : "vi"), write: (value) => value },
  // Never in the address.
  token: { initial: null },
};

export function createState(places = window) {
  const known = { ...KNOWN };
  const values = new Map();
  const listeners = new Map();
  let writing = null;

  const write = () => {
    writing = null;
    const parts = [];
    for (const [name, { hash, initial, write: written }] of Object.entries(known)) {
      if (!hash || !written) continue;
      const value = written(values.get(name));
      if (value && value !== written(initial)) parts.push(`${hash}=${encode(value)}`);
    }
    const address = `${places.location.pathname}${places.location.search}${parts.length ? `#${parts.join("&")}` : ""}`;
    places.history.replaceState(places.history.state, "", address);
  };

  // Names whose values in the address differ from those of now.
  const read = () => {
    const found = new Map(places.location.hash.slice(1).split("&").map((part) => [part.split("=")[0], decode(part.slice(part.indexOf("=") + 1))]));
    const changes = {};
    for (const [name, { hash, initial, read: parsed, write: written }] of Object.entries(known)) {
      if (!hash) continue;
      const value = found.has(hash) ? parsed(found.get(hash)) : initial;
      if (!values.has(name) || written(values.get(name)) !== written(value)) changes[name] = value;
    }
    return changes;
  };

  const state = {
    get: (name) => values.get(name),
    // Sets several at once; listeners are told after all of them are set, each with its value and the one before.
    set(changes) {
      const changed = Object.entries(changes).filter(([name, value]) => {
        const { write: written = (one) => one } = known[name] ?? {};
        return !values.has(name) || written(values.get(name)) !== written(value);
      });
      const before = new Map(values);
      for (const [name, value] of changed) values.set(name, value);
      for (const [name, value] of changed) for (const listener of listeners.get(name) ?? []) listener(value, before.get(name));
      if (changed.some(([name]) => known[name]?.hash)) writing ??= setTimeout(write, 150);
    },
    // Calls `listener(value, before)` at each change; gives what ends that.
    on(name, listener) {
      if (!listeners.has(name)) listeners.set(name, new Set());
      listeners.get(name).add(listener);
      return () => listeners.get(name).delete(listener);
    },
    // A further name: { hash, initial, read, write } as above.
    define(name, kind) {
      known[name] = { ...text, initial: null, ...kind };
      values.set(name, read()[name] ?? known[name].initial);
    },
    // For links: the address of now, at once.
    address() {
      if (writing !== null) clearTimeout(writing);
      write();
      return places.location.href;
    },
  };
  for (const [name, { initial }] of Object.entries(known)) values.set(name, initial);
  for (const [name, value] of Object.entries(read())) values.set(name, value);
  places.addEventListener("hashchange", () => state.set(read()));
  return state;
}

function readView(value) {
  const numbers = value.split("/").map(Number);
  if (numbers.length < 3 || numbers.some((one) => !Number.isFinite(one)) || Math.abs(numbers[1]) > 85 || Math.abs(numbers[2]) > 180) return null;
  const [zoom, latitude, longitude, bearing = 0, pitch = 0] = numbers;
  return { zoom, center: [longitude, latitude], bearing, pitch };
}

function writeView(view) {
  if (!view) return "";
  const { zoom, center: [longitude, latitude], bearing, pitch } = view;
  const parts = [zoom.toFixed(2), latitude.toFixed(6), longitude.toFixed(6)];
  if (bearing || pitch) parts.push(bearing.toFixed(0), pitch.toFixed(0));
  return parts.join("/");
}

function readSelected(value) {
  const at = value.indexOf(":");
  return at > 0 ? { kind: value.slice(0, at), id: value.slice(at + 1) } : null;
}

const encode = (value) => encodeURIComponent(value).replace(/%2F/g, "/").replace(/%2C/g, ",").replace(/%3A/g, ":");

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return "";
  }
}
