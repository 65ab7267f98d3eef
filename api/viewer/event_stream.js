// Events of the service read with fetch: unlike EventSource it can say who listens (the token stays out of the address).

const WAIT = 2000;
const WAIT_MOST = 60_000;

// Listens until `stop` is called: on(name, data) at each event. `headers()` is asked anew at each connection.
export function listen(url, headers, on) {
  const ended = new AbortController();
  let last = null;
  let wait = WAIT;

  async function once() {
    const more = last === null ? {} : { "Last-Event-ID": last };
    const answer = await fetch(url, { headers: { Accept: "text/event-stream", ...headers(), ...more }, signal: ended.signal, cache: "no-store" });
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new Error(answer.statusText);
    }
    wait = WAIT;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop();
      events.forEach(tell);
    }
  }

  function tell(event) {
    const fields = { event: "message", data: [] };
    for (const line of event.split(/\r?\n/)) {
      const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
      if (name === "data") fields.data.push(value);
      else if (name === "id") last = value;
      else if (name) fields[name] = value;
    }
    if (fields.data.length) on(fields.event, fields.data.join("\n"));
  }

  (async () => {
    while (!ended.signal.aborted) {
      try {
        await once();
      } catch {
        // The service is away, or busy: later again.
      }
      if (ended.signal.aborted) return;
      await new Promise((resolve) => { setTimeout(resolve, wait); });
      wait = Math.min(2 * wait, WAIT_MOST);
    }
  })();
  return { stop: () => ended.abort() };
}
