// One cut-out after the other, large: the photo, and what is cut out of it.

import { el, show } from "./common.js";
import { address } from "./server.js";

/**
 * Show the current cut-out of a page large; `page` has `current`, `step(by)` and `judge(verdict)`.
 * Resolves to the last one when it is closed, as the browser then moves the focus to where it was before.
 */
export function showLarge(page) {
  return new Promise((resolve) => {
    const title = el("h2", { "aria-live": "polite" });
    const words = el("p");
    const pictures = el("div.mc-large");
    const button = (key, text, action) => el("button", { type: "button", onclick: action }, el("kbd", {}, key), text);
    const dialog = el("dialog.mc-dialog.mc-wide", { "aria-label": "cut-out" }, title, pictures, words,
      el("div.mc-tools", {}, button("←", "back", () => step(-1)), button("→", "next", () => step(1)), button("a", "use", () => judge("use")),
        button("r", "refuse", () => judge("refuse")), button("z", "close", () => dialog.close())));

    let last;
    const draw = () => {
      last = page.current;
      const { photo } = last;
      const source = (kind) => address(`pictures/${kind}/${photo.sha256}`);
      const mask = `url("${source("masks")}?of=${photo.mask || ""}")`;
      const decided = photo.verdict ? " by a person" : "";
      title.textContent = `${photo.id}: ${photo.used ? "used" : "refused"}${decided}`;
      words.textContent = photo.reason || photo.why;
      const cut = photo.found
        ? el("div.mc-check", {}, el("img", { src: source("photos"), alt: "the cut-out", style: `mask: ${mask} 0 0 / 100% 100% luminance` }))
        : el("div.mc-none", {}, "no cut-out");
      pictures.replaceChildren(el("img", { src: source("photos"), alt: "the photo" }), cut);
    };
    const step = (by) => {
      page.step(by);
      draw();
    };
    const judge = async (verdict) => {
      const judged = page.judge(verdict);
      draw();
      await judged;
      if (dialog.open) draw();
    };
    const actions = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), a: () => judge("use"), r: () => judge("refuse"), z: () => dialog.close(),
    };
    dialog.addEventListener("keydown", (event) => {
      const action = event.ctrlKey || event.metaKey || event.altKey ? null : actions[event.key];
      if (!action) return;
      event.preventDefault();
      if (!event.repeat || event.key.startsWith("Arrow")) action();
    });
    dialog.addEventListener("close", () => resolve(last));
    show(dialog);
    draw();
  });
}
