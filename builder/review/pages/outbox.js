// Events that the server has not acknowledged yet. They are kept in the browser, sent in order, and sent again until
// they are acknowledged; the server stores each id once. So neither a killed server nor a closed page loses one.

import { Refused, ask, facts } from "./common.js";

const RETRY = [500, 1000, 2000, 4000];

class Outbox {
  constructor() {
    this.watchers = [];
    this.waiting = new Map();
    this.reason = "";
    this.failures = 0;
    this.sending = false;
    this.count = 0;
    this.ready = facts.then(({ key }) => {
      this.prefix = `mycanvas outbox ${key} `;
      this.pump();
    });
  }

  watch(watcher) {
    this.watchers.push(watcher);
    this.tell();
  }

  tell(refused = "") {
    const state = { waiting: this.prefix ? this.keys().length : 0, reason: this.reason, refused };
    for (const watcher of this.watchers) watcher(state);
  }

  keys() {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).sort();
  }

  /** Send an event with an id; resolves to the server's answer, or to null if the server refused it for good. */
  async send(path, body) {
    await this.ready;
    const order = `${String(Date.now()).padStart(15, "0")}-${String(this.count++).padStart(6, "0")}`;
    const key = `${this.prefix}${order} ${body.id}`;
    localStorage.setItem(key, JSON.stringify({ path, body }));
    const answer = new Promise((resolve) => this.waiting.set(key, resolve));
    this.tell();
    this.pump();
    return answer;
  }

  async pump() {
    if (this.sending) return;
    this.sending = true;
    for (let key; (key = this.keys()[0]); ) {
      const { path, body } = JSON.parse(localStorage.getItem(key));
      let answer = null;
      let refused = "";
      try {
        answer = await ask(path, body);
      } catch (error) {
        if (!(error instanceof Refused) || !error.lasting) {
          this.reason = error.message;
          this.tell();
          await new Promise((resolve) => setTimeout(resolve, RETRY[Math.min(this.failures++, RETRY.length - 1)]));
          continue;
        }
        refused = error.message;
      }
      this.reason = "";
      this.failures = 0;
      localStorage.removeItem(key);
      this.waiting.get(key)?.(answer);
      this.waiting.delete(key);
      this.tell(refused);
    }
    this.sending = false;
  }
}

export const outbox = new Outbox();
