// Events that the server has not acknowledged yet. They are kept in the browser, sent in order, and sent again until
// they are acknowledged; the server stores each id once. So neither a killed server nor a closed page loses one.

import { ask, connection, facts, pause } from "./server.js";

const RETRY = [500, 1000, 2000, 4000];

class Outbox {
  constructor() {
    this.watchers = [];
    this.waiting = new Map();
    this.reason = "";
    this.refused = "";
    this.failures = 0;
    this.sending = false;
    this.count = 0;
    /** Resolves when what an earlier page has left is sent, or cannot be sent now. */
    this.settled = new Promise((resolve) => { this.settle = resolve; });
    this.ready = facts.then(({ key }) => {
      this.prefix = `mycanvas outbox ${key} `;
      this.pump();
    });
  }

  /** Call the watcher with the state, now and after each change. refused: why the last event was refused for good, or "". */
  watch(watcher) {
    this.watchers.push(watcher);
    watcher(this.state);
  }

  get state() {
    return { waiting: this.prefix ? this.keys().length : 0, reason: this.reason, refused: this.refused };
  }

  tell() {
    for (const watcher of this.watchers) watcher(this.state);
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
        if (!error.lasting) {
          this.reason = error.message;
          this.tell();
          this.settle();
          if (connection.reason) await connection.back();
          else await pause(RETRY[Math.min(this.failures++, RETRY.length - 1)]);
          continue;
        }
        refused = error.message;
      }
      this.reason = "";
      this.refused = refused;
      this.failures = 0;
      localStorage.removeItem(key);
      this.waiting.get(key)?.(answer);
      this.waiting.delete(key);
      this.tell();
    }
    this.sending = false;
    this.settle();
  }
}

export const outbox = new Outbox();
