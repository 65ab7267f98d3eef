// Signing in: at the city's issuer (OpenID Connect, code flow with PKCE), or with a token of development. The token is
// in this page's memory and in the session's storage; never in an address.

import { fill, h, put } from "./dom.js";

const TOKEN = "diaba.token";
const ASKED = "diaba.sign-in";
const BYTES = 48;
// Sooner than it ends, so that no request is refused on its way.
const BEFORE_END = 10_000;

const TEXTS = {
  vi: {
    title: "Tài khoản",
    out: "Chưa đăng nhập: bạn thấy dữ liệu công khai.",
    in: "Đăng nhập là {subject}",
    at: "Đăng nhập tại {issuer}",
    leave: "Đăng xuất",
    none: "Dịch vụ này không có nơi đăng nhập.",
    token: "Mã của môi trường phát triển",
    tokenNote: "Lấy bằng lệnh: diaba token inspection:*:change",
    use: "Dùng mã này",
    ended: "Phiên đăng nhập đã hết hạn. Hãy đăng nhập lại.",
    welcome: "Đã đăng nhập: {subject}",
    left: "Đã đăng xuất",
    wrong: "Lần đăng nhập này không do trang này yêu cầu. Hãy thử lại.",
    failed: "Không đăng nhập được: {why}",
    department: "Bộ phận",
    wards: "Địa bàn",
    may: "Quyền",
    reads: "xem",
    changes: "xem và cập nhật",
    every: "toàn thành phố",
    land: "Đất đai",
    construction: "Cấp phép xây dựng",
    inspection: "Thanh tra xây dựng",
    planning: "Quy hoạch",
    grants: "Phạm vi được giao",
  },
  en: {
    title: "Account",
    out: "Not signed in: you see the public's data.",
    in: "Signed in as {subject}",
    at: "Sign in at {issuer}",
    leave: "Sign out",
    none: "This service has no place to sign in.",
    token: "Token of development",
    tokenNote: "Made by: diaba token inspection:*:change",
    use: "Use this token",
    ended: "The session has ended. Sign in again.",
    welcome: "Signed in: {subject}",
    left: "Signed out",
    wrong: "This sign-in was not asked for by this page. Try again.",
    failed: "Signing in failed: {why}",
    department: "Department",
    wards: "Area",
    may: "May",
    reads: "see",
    changes: "see and change",
    every: "the whole city",
    land: "Land",
    construction: "Building permits",
    inspection: "Inspection",
    planning: "Planning",
    grants: "What is granted",
  },
};

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(BYTES)));
const challenge = async (verifier) => base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));

// What a token says of itself; {} where it cannot be read. Whether it is good only the service knows.
function claims(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (one) => one.charCodeAt(0))));
  } catch {
    return {};
  }
}

export function mount(app) {
  const { api, state, t } = app;
  app.texts("session", TEXTS);
  const box = h("div", { class: "tool" });
  const page = new URL(".", app.base).href;
  let session = null;
  let ending = null;
  app.session = { get now() { return session; }, may };

  // Whether whoever is signed in works for a department in a ward, and may change what is its to change.
  function may(department, ward = null) {
    return Boolean(session?.grants.some((one) => one.department === department && one.may_change && (one.wards.includes("*") || ward === null || one.wards.includes(ward))));
  }

  async function ask() {
    try {
      session = await api.json("session");
    } catch (error) {
      if (error.status !== 401) throw error;
      leave(t("session.ended"));
      return;
    }
    state.set({ session: session.subject ? { subject: session.subject } : null });
    draw();
  }

  function enter(token, seconds) {
    const until = seconds ? Date.now() + 1000 * seconds : 1000 * (claims(token).exp ?? 0) || null;
    sessionStorage.setItem(TOKEN, JSON.stringify({ token, until }));
    keep(token, until);
  }

  function keep(token, until) {
    clearTimeout(ending);
    if (until) ending = setTimeout(() => leave(t("session.ended"), "error"), Math.min(until - Date.now() - BEFORE_END, 2 ** 31 - 1));
    state.set({ token });
  }

  function leave(why, level = "show") {
    clearTimeout(ending);
    sessionStorage.removeItem(TOKEN);
    state.set({ token: null });
    app.say(why, { level });
  }

  // Goes to the issuer; what the page shows is kept for the way back.
  async function goThere({ authorization_endpoint: where, client_id: client, scope, resource }) {
    const asked = { state: random(), nonce: random(), verifier: random(), hash: new URL(state.address()).hash };
    sessionStorage.setItem(ASKED, JSON.stringify(asked));
    const url = new URL(where);
    const query = {
      response_type: "code", client_id: client, redirect_uri: page, scope, state: asked.state, nonce: asked.nonce,
      code_challenge: await challenge(asked.verifier), code_challenge_method: "S256", ...(resource ? { resource } : {}),
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    location.assign(url);
  }

  // Back from the issuer: the code leaves the address at once, then it is exchanged.
  async function comeBack() {
    const query = new URLSearchParams(location.search);
    if (!query.has("state") || !(query.has("code") || query.has("error"))) return false;
    const asked = JSON.parse(sessionStorage.getItem(ASKED) ?? "null");
    sessionStorage.removeItem(ASKED);
    history.replaceState(null, "", `${location.pathname}${asked?.hash ?? ""}`);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
    if (!asked || asked.state !== query.get("state")) throw new Error(t("session.wrong"));
    if (query.has("error")) throw new Error(query.get("error_description") ?? query.get("error"));
    const told = await api.send("POST", "session/token", { code: query.get("code"), code_verifier: asked.verifier, redirect_uri: page });
    if (told.id_token && claims(told.id_token).nonce !== asked.nonce) throw new Error(t("session.wrong"));
    enter(told.access_token, told.expires_in);
    return true;
  }

  function draw() {
    if (!session) return;
    const { oidc, development } = session.sign_in;
    if (session.subject) {
      const rows = session.grants.map(({ department, wards, may_change: changes }) => h("tr", {},
        h("td", { class: "left" }, t(`session.${department}`)),
        h("td", { class: "left" }, wards.includes("*") ? t("session.every") : wards.join(", ")),
        h("td", { class: "left" }, t(changes ? "session.changes" : "session.reads"))));
      const heads = ["department", "wards", "may"].map((name) => h("th", { scope: "col" }, t(`session.${name}`)));
      fill(box,
        h("p", { class: "who" }, t("session.in", { subject: session.subject })),
        h("table", { label: "session.grants" }, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)),
        h("button", { type: "button", class: "second", on: { click: () => leave(t("session.left")) } }, t("session.leave")));
      return;
    }
    fill(box, h("p", { class: "who" }, t("session.out")));
    if (oidc) put(box, h("button", { type: "button", class: "main", on: { click: () => goThere(oidc) } }, t("session.at", { issuer: new URL(oidc.issuer).host })));
    if (development) put(box, byToken());
    if (!oidc && !development) put(box, h("p", { class: "note" }, t("session.none")));
  }

  function byToken() {
    const field = h("input", { type: "password", id: "dev-token", autocomplete: "off", spellcheck: "false", required: true });
    const form = h("form", { class: "form" },
      h("label", { for: "dev-token" }, t("session.token")), field,
      h("p", { class: "note" }, t("session.tokenNote")),
      h("button", { type: "submit", class: "main" }, t("session.use")));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const token = field.value.trim();
      try {
        // Asked before it is kept: a wrong one is told, and what is shown stays.
        const found = await api.json("session", {}, { headers: { Authorization: `Bearer ${token}` } });
        enter(token);
        app.say(t("session.welcome", { subject: found.subject }), { level: "show" });
      } catch (error) {
        app.say(t("session.failed", { why: error.message }), { level: "error" });
      }
    });
    return form;
  }

  const panel = app.panel("session", { title: "session.title", icon: "person", order: 90, element: box });
  state.on("token", () => {
    ask().catch((error) => app.say(error.message, { level: "error" }));
    app.drawAnew?.();
  });
  state.on("language", draw);
  const kept = JSON.parse(sessionStorage.getItem(TOKEN) ?? "null");
  comeBack()
    .then((came) => {
      if (came) return;
      if (kept && (!kept.until || kept.until > Date.now() + BEFORE_END)) keep(kept.token, kept.until);
      else return ask();
    })
    .catch((error) => {
      app.say(t("session.failed", { why: error.message }), { level: "error" });
      panel.open();
      return ask();
    })
    .catch((error) => app.say(error.message, { level: "error" }));
}
