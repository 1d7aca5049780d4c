// Requests to our server, and whether it answers.

const BASE = document.baseURI;
const POLL = 1000; // milliseconds between two questions to a server that does not answer
export const RETRY = 2000; // milliseconds after which a page asks again for what could not be loaded

export const address = (path) => new URL(path, BASE).href;

export const facts = fetch(address("api/facts")).then((answer) => answer.json());

/** An error whose message may be shown; `lasting`: sending again would give it again. */
export class Refused extends Error {
  constructor(message, lasting) {
    super(message);
    this.lasting = lasting;
  }
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Whether the server answers. Once it does not, it is asked until it does; watchers get the reason, "" when it is back. */
class Connection {
  reason = "";
  watchers = [];

  watch(watcher) {
    this.watchers.push(watcher);
  }

  set(reason) {
    if (reason === this.reason) return;
    const asks = reason && !this.reason;
    this.reason = reason;
    for (const watcher of this.watchers) watcher(reason);
    if (asks) this.poll();
  }

  async poll() {
    while (this.reason) {
      await pause(POLL);
      await ask("api/facts").catch(() => {});
    }
  }

  /** Resolves when the server answers. */
  async back() {
    while (this.reason) await pause(POLL / 5);
  }
}

export const connection = new Connection();

/** Ask our server. Throws Refused. */
export async function ask(path, body, { raw = false } = {}) {
  let answer;
  try {
    answer = await fetch(address(path), body === undefined ? {} : {
      method: "POST",
      headers: raw ? {} : { "Content-Type": "application/json" },
      body: raw ? body : JSON.stringify(body),
    });
  } catch {
    throw lost("the server does not answer; is `mycanvas review` still running?");
  }
  if (answer.status === 403 || answer.status === 404) throw lost("the server was started again: open the address that it printed");
  connection.set("");
  if (answer.ok) return answer.json();
  const { error } = await answer.json().catch(() => ({}));
  throw new Refused(error || `the server failed (${answer.status})`, answer.status === 422);
}

function lost(reason) {
  connection.set(reason);
  return new Refused(reason, false);
}

const session = crypto.randomUUID();

/** Something that a person enters; by its id, the server stores it once however often it is sent. */
export function eventOf(rater, values = {}) {
  return { id: crypto.randomUUID(), rater, session, ...values };
}

/** A picture once it is there. */
export function loaded(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Refused("the picture cannot be loaded", false));
    image.src = source;
  });
}

/** Whether the picture of an element is there: what nobody has seen gets no rank. */
export const isSeen = (image) => image.complete && image.naturalWidth > 0;

connection.watch((reason) => {
  if (reason) return;
  for (const image of document.querySelectorAll(".mc img")) if (image.complete && !isSeen(image)) image.src = image.src;
});
