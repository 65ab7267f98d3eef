// How the page asks the service: by addresses relative to it, with the token of whoever is signed in.

export class Refused extends Error {
  constructor(status, detail, document) {
    super(detail || String(status));
    Object.assign(this, { status, detail, document });
  }
}

export function createApi(base, state) {
  // Of paths and queries; what is null, undefined or "" is left out.
  function url(path, query = {}) {
    const found = new URL(path.replace(/^\//, ""), base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== "") found.searchParams.set(name, value);
    }
    return found;
  }

  const headers = () => (state.get("token") ? { Authorization: `Bearer ${state.get("token")}` } : {});

  async function ask(path, query, init = {}) {
    const answer = await fetch(url(path, query), { ...init, headers: { Accept: "application/json", ...headers(), ...init.headers } });
    if (answer.ok) return answer;
    const document = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, document.detail ?? answer.statusText, document);
  }

  return {
    url,
    headers,
    // The answer itself, for what is no JSON, or whose headers are needed (ETag).
    ask,
    json: async (path, query, init) => (await ask(path, query, init)).json(),
    // Sends a document; gives the answer's, or null where it has none.
    async send(method, path, body, more = {}) {
      const sent = { method, body: body === undefined ? undefined : JSON.stringify(body) };
      const answer = await ask(path, {}, { ...sent, headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...more } });
      const told = await answer.text();
      return told ? JSON.parse(told) : null;
    },
  };
}
