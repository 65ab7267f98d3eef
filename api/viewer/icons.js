// The page's own icons: lines of one width on a square of 24.

const PATHS = {
  layers: "M12 3 3 8l9 5 9-5-9-5ZM3 12.5l9 5 9-5M3 17l9 5 9-5",
  list: "M8 6h13M8 12h13M8 18h13M3.5 6h.01M3.5 12h.01M3.5 18h.01",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM16 16l5 5",
  close: "M6 6l12 12M18 6 6 18",
  flag: "M5 21V4M5 4h13l-3 4 3 4H5",
  calendar: "M4 6h16v15H4zM4 10h16M8 3v4M16 3v4",
  split: "M4 4h16v16H4zM12 4v16",
  profile: "M3 20h18M3 17l5-7 4 4 4-9 5 8",
  home: "M4 11 12 4l8 7M6 10v10h12V10M10 20v-6h4v6",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4 21c1-4 4.5-6 8-6s7 2 8 6",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5M12 7.5h.01",
  warning: "M12 4 2.5 20h19L12 4ZM12 10v4M12 17h.01",
  pin: "M12 21s7-6.5 7-11.5a7 7 0 0 0-14 0C5 14.5 12 21 12 21ZM12 12a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  parcel: "M4 6l7-2 9 4-2 12-12-2L4 6Z",
  building: "M5 21V4h9v17M14 9h5v12M3 21h18M8 8h3M8 12h3M8 16h3",
  permit: "M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h7",
  zone: "M4 4h16v16H4zM4 12 12 4M4 20 20 4M12 20l8-8",
  road: "M8 3 5 21M16 3l3 18M12 4v3M12 10v4M12 17v4",
  scan: "M12 3v5M12 8l-7 13M12 8l7 13M12 8v13M3 21h18",
  mountain: "M3 20 9.5 8l4 7 2.5-4 5 9H3Z",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  chevron: "M9 6l6 6-6 6",
  target: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 2v5M12 17v5M2 12h5M17 12h5",
  language: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
};

const SVG = "http://www.w3.org/2000/svg";

// An icon as an element; it says nothing to screen readers, beside it stands a word.
export function icon(name, size = 20) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", class: "icon" };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.info);
  svg.append(path);
  return svg;
}

// A part's own icon: the path of a line.
export function addIcon(name, path) {
  PATHS[name] = path;
}
