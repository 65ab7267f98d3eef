// The page's words in Vietnamese and English, and how numbers and days are written in each.

import en from "./texts/en.js";
import vi from "./texts/vi.js";

const languages = { vi: { ...vi }, en: { ...en } };
const LOCALES = { vi: "vi-VN", en: "en-GB" };
let language = "vi";
// Keys that were asked for and are not there: the tests look at it.
const missing = new Set();

// The text of a key, {names} in it replaced by values.
export function t(key, values = {}) {
  const found = languages[language][key];
  if (found === undefined) {
    missing.add(`${language}:${key}`);
    return key;
  }
  return found.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// A part's own texts: texts("profile", { vi: { title: "…" }, en: { title: "…" } }) makes `profile.title`.
export function texts(part, { vi: inVietnamese, en: inEnglish }) {
  for (const [name, own] of [["vi", inVietnamese], ["en", inEnglish]]) {
    for (const [key, text] of Object.entries(own)) languages[name][`${part}.${key}`] = text;
  }
}

texts.missing = missing;
texts.locale = () => LOCALES[language];
// Whether there is a text of that key.
texts.has = (key) => key in languages[language];

export function setLanguage(name) {
  language = name;
  document.documentElement.lang = name;
}

export function number(value, digits = 1) {
  if (value === null || value === undefined || Number.isNaN(Number(value))) return null;
  return Number(value).toLocaleString(LOCALES[language], { maximumFractionDigits: digits });
}

// A measure as people write it: 12,4 ± 0,1 m.
export function measure(value, unit, { sigma = null, digits = 1 } = {}) {
  const shown = number(value, digits);
  if (shown === null) return null;
  const fixed = (one) => Number(one).toLocaleString(LOCALES[language], { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return sigma === null || sigma === undefined ? `${shown} ${unit}` : `${fixed(value)} ± ${fixed(sigma)} ${unit}`;
}

// Of 2026-01-31: 31/01/2026 in both languages' manner.
export function day(value) {
  if (!value) return null;
  const found = new Date(`${String(value).slice(0, 10)}T00:00:00Z`);
  return Number.isNaN(found.getTime()) ? String(value) : found.toLocaleDateString(LOCALES[language], { timeZone: "UTC", day: "2-digit", month: "2-digit", year: "numeric" });
}

// "Thửa đất · Parcels", as the service names things in both languages: the half of the language of now.
export function half(text) {
  const [first, second = first] = String(text).split(" · ");
  return language === "vi" ? first : second;
}
