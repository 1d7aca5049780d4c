// Who rates: one name for all tabs.

import { el, show } from "./common.js";
import { address, connection, facts } from "./server.js";

const NAME = "mycanvas rater";
const GIVEN_AT = "mycanvas rater given at"; // the page of the server on which the name was given

/** A name that was given on this page counts before the server's --rater, and that before one of an earlier server. */
class Rater {
  constructor() {
    this.watchers = [];
    this.name = "";
    this.known = facts.then(({ rater: started }) => {
      const kept = localStorage.getItem(NAME) || "";
      this.set(this.name || (started && localStorage.getItem(GIVEN_AT) !== address("") ? started : kept));
    });
  }

  /** Call the watcher with the name: now, if it is known, and whenever another person rates. */
  watch(watcher) {
    this.watchers.push(watcher);
    if (this.name) watcher(this.name);
  }

  set(name) {
    if (name === this.name) return;
    this.name = name;
    for (const watcher of this.watchers) watcher(name);
  }

  /** Ask for a name, if none is known yet. */
  async need() {
    await this.known;
    if (!this.name) this.ask();
  }

  /** Ask for a name in a dialog. */
  ask() {
    if (this.dialog?.isConnected) return;
    const name = el("input", { type: "text", value: this.name, maxLength: 80, required: true, id: "mc-rater", autocomplete: "off" });
    const form = el("form", { method: "dialog" },
      el("label", { for: "mc-rater" }, "Your name"),
      el("p", {}, "Ranks are kept by name. People do not see each other's."),
      name,
      el("div.mc-buttons", {}, el("button.mc-primary", { type: "submit" }, "Start")));
    this.dialog = el("dialog.mc-dialog", {}, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = name.value.trim().normalize("NFC");
      if (!given) return;
      localStorage.setItem(NAME, given);
      localStorage.setItem(GIVEN_AT, address(""));
      this.dialog.close();
      this.set(given);
    });
    this.dialog.addEventListener("cancel", (event) => this.name || event.preventDefault());
    show(this.dialog);
    name.select();
  }
}

export const rater = new Rater();

/** Begin a page with whoever rates, and again with another person; recover it when the server answers again. */
export async function follow(page) {
  rater.watch((name) => page.begin(name));
  connection.watch((reason) => reason || page.recover());
  await rater.need();
}
