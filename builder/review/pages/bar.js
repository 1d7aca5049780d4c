// The bar of a tab: the progress, who rates, what is not saved yet; and lines that screen readers announce.

import { el, showHelp } from "./common.js";
import { rater } from "./rater.js";
import { connection } from "./server.js";

export class Bar {
  constructor(root, title, described) {
    this.refused = "";
    this.progress = el("progress", { max: 1, value: 0, "aria-label": `${title}: progress` });
    this.count = el("span.mc-count");
    this.saving = el("span.mc-saving", { role: "status" });
    const who = el("button.mc-link", { type: "button", title: "another person rates (n)", onclick: () => rater.ask() });
    const help = el("button.mc-key", { type: "button", title: "keys (?)", "aria-label": "show the keys", onclick: () => showHelp(described()) }, "?");
    this.live = el("span.mc-live", { role: "status", "aria-live": "polite" });
    this.heard = el("span.mc-heard", { role: "status", "aria-live": "polite" });
    const lost = el("div.mc-error.mc-lost", { role: "alert", hidden: true });
    this.error = el("div.mc-error", { role: "alert", hidden: true });
    this.tools = el("div.mc-tools", { role: "toolbar", "aria-label": "actions" });
    root.append(el("header.mc-bar", {}, this.progress, this.count, this.saving, this.live, who, help, this.tools, this.heard, lost, this.error));
    rater.watch((name) => { who.textContent = name; });
    const tell = (reason) => write(lost, reason);
    connection.watch(tell);
    tell(connection.reason);
  }

  set(done, total, noun) {
    this.progress.max = Math.max(total, 1);
    this.progress.value = done;
    this.count.textContent = `${done} of ${total} ${noun}`;
  }

  /** Show a message, and announce it. */
  say(text) {
    this.live.textContent = text;
  }

  /** Announce what is seen elsewhere on the page. */
  tell(text) {
    this.heard.textContent = text;
  }

  /** Add a button for a key to the toolbar. */
  tool(key, text, action) {
    this.tools.append(el("button", { type: "button", onclick: action, "data-keys": "" }, el("kbd", {}, key), text));
  }

  /** Show what went wrong; "" ends it. A server that does not answer is shown anyway. */
  fail(text) {
    write(this.error, (text === connection.reason ? "" : text) || this.refused);
  }

  watch(outbox) {
    outbox.watch(({ waiting, reason, refused }) => {
      this.saving.classList.toggle("mc-waiting", waiting > 0 || refused !== "");
      this.saving.textContent = waiting ? `${waiting} not saved yet${reason && reason !== connection.reason ? `: ${reason}` : ""}` : refused ? "the last answer is not saved" : "all saved";
      const text = refused && `not saved: ${refused}`;
      if (text === this.refused) return;
      this.refused = text; // stays until a later answer is saved, whatever else is reported in between
      this.fail("");
    });
  }
}

function write(element, text) {
  element.textContent = text;
  element.hidden = !text;
}
