// The tab Cut-outs: a grid per concept; a click or a key uses or refuses a cut-out.

import { Bar } from "./bar.js";
import { fixMask } from "./brush.js";
import { showLarge } from "./closeup.js";
import { askChoice, askText, bindKeys, el } from "./common.js";
import { rater } from "./rater.js";
import { address, ask, connection } from "./server.js";

const KEYS = [
  ["← → ↑ ↓", "move"],
  ["a r", "use it, or refuse it, and go to the next"],
  ["Enter Space", "change from used to refused, or back"],
  ["z", "show it large"],
  ["t", "type a reason"],
  ["d", "withdraw the decision: the build decides"],
  ["x", "fix the outline with a brush"],
  ["m", "replace the outline by a file"],
  ["v", "show the whole photo beside each cut-out, or not"],
  ["j k", "next and previous concept"],
  ["u Ctrl+Z", "undo"],
  ["n", "another person decides"],
];

export async function start(root) {
  const page = new Cutouts(root);
  connection.watch((reason) => reason || page.photos.length || page.load());
  await page.load();
  await rater.need();
}

class Cutouts {
  constructor(root) {
    this.root = root;
    this.bar = new Bar(root, "Cut-outs", () => KEYS);
    this.bar.saving.textContent = "all saved";
    for (const [key, text, action] of [
      ["a", "use", () => this.judge("use")], ["r", "refuse", () => this.judge("refuse")], ["z", "large", () => this.enlarge()], ["t", "reason", () => this.reason()], ["x", "fix outline", () => this.fix()],
      ["m", "mask file", () => this.file.click()], ["d", "withdraw", () => this.withdraw()], ["v", "photos", () => this.toggle()], ["u", "undo", () => this.undo()],
    ]) this.bar.tool(key, text, action);
    this.grid = el("div.mc-concepts");
    this.empty = el("p.mc-empty", { hidden: true });
    root.append(this.empty, this.grid);
    this.undos = [];
    this.pending = 0;
    this.photos = [];
    this.at = 0;
    this.file = el("input", { type: "file", accept: "image/png,image/*", hidden: true, onchange: () => this.replace() });
    root.append(this.file);
    bindKeys(root, {
      moves: {
        ArrowLeft: () => this.focus(this.at - 1),
        ArrowRight: () => this.focus(this.at + 1),
        ArrowUp: () => this.moveLine(-1),
        ArrowDown: () => this.moveLine(1),
        j: () => this.moveConcept(1),
        k: () => this.moveConcept(-1),
      },
      acts: {
        Enter: () => this.flip(),
        " ": () => this.flip(),
        a: () => this.judge("use"),
        r: () => this.judge("refuse"),
        z: () => this.enlarge(),
        t: () => this.reason(),
        d: () => this.withdraw(),
        x: () => this.fix(),
        m: () => this.file.click(),
        v: () => this.toggle(),
        u: () => this.undo(),
        n: () => rater.ask(),
      },
    }, KEYS);
    document.addEventListener("mycanvas-cutout", () => this.pointed());
  }

  async load() {
    let concepts;
    try {
      ({ concepts } = await ask("api/cutouts"));
    } catch (error) {
      this.bar.fail(error.message);
      return;
    }
    this.bar.fail("");
    this.empty.hidden = concepts.length > 0;
    this.empty.textContent = "There are no cut-outs yet: run the same `mycanvas build` again, then reload this page.";
    this.photos = [];
    this.grid.replaceChildren(...concepts.map((concept) => this.section(concept)));
    this.progress();
    if (!this.pointed() && this.photos.length) this.resume();
  }

  section(concept) {
    const tiles = concept.photos.map((photo) => {
      const entry = { photo, concept: concept.name };
      this.photos.push(entry);
      entry.tile = this.tile(entry, this.photos.length - 1);
      return entry.tile;
    });
    const count = el("span.mc-count");
    const section = el("section", { "aria-label": concept.name }, el("h2", {}, concept.name, el("small", {}, concept.noun), count), el("div.mc-grid", {}, ...tiles),
      ...concept.unreadable.map((text) => el("p.mc-unreadable", {}, `not readable: ${text}`)));
    section.count = () => {
      const own = this.photos.filter((entry) => entry.concept === concept.name);
      count.textContent = `${own.filter((entry) => entry.photo.used).length} of ${own.length} used`;
    };
    section.count();
    return section;
  }

  tile(entry, index) {
    const { photo } = entry;
    const source = (kind) => address(`pictures/${kind}/${photo.sha256}`);
    const verdict = photo.used ? "used" : "refused";
    const by = photo.verdict ? "by a person" : "";
    const picture = photo.found
      ? el("img.mc-check", { src: `${source("cutouts")}?mask=${photo.mask || ""}`, alt: "", loading: "lazy" })
      : el("div.mc-none", {}, "no cut-out");
    const name = photo.id.split("/").pop();
    const tile = el(`div.mc-tile.mc-${verdict}`, {
      role: "button", tabIndex: -1, "data-keys": "", "aria-pressed": String(photo.used),
      "aria-label": `${photo.id}: ${verdict} ${by}. ${photo.reason || photo.why}`,
      onclick: () => { this.focus(index); this.flip(); },
      onfocus: () => this.took(index),
    },
      el("div.mc-pair", {}, el("img.mc-source", { src: `${source("photos")}?small=true`, alt: "", loading: "lazy" }), picture),
      el("div.mc-words", {},
        el("b", {}, verdict), photo.verdict ? el("span.mc-by", {}, photo.mask ? "new outline" : by) : null,
        el("span", {}, photo.quality === null ? "" : photo.quality), el("span.mc-name", {}, name),
        el("small", {}, photo.reason || photo.why)));
    return tile;
  }

  /** Start at the first cut-out that nobody has decided about. */
  resume() {
    const first = Math.max(this.photos.findIndex((entry) => !entry.photo.verdict), 0);
    this.focus(first, false);
    if (first) this.photos[first].tile.scrollIntoView({ block: "center" });
  }

  get current() {
    return this.photos[this.at];
  }

  step(by) {
    this.focus(this.at + by);
  }

  took(index) {
    this.photos[this.at]?.tile.setAttribute("tabindex", "-1");
    this.photos[this.at]?.tile.classList.remove("mc-current");
    this.at = index;
    this.photos[index].tile.classList.add("mc-current");
    this.photos[index].tile.setAttribute("tabindex", "0");
  }

  focus(index, moves = true) {
    if (!this.photos.length) return;
    const to = Math.min(Math.max(index, 0), this.photos.length - 1);
    this.took(to);
    if (moves) this.photos[to].tile.focus();
  }

  moveLine(step) {
    if (!this.photos.length) return;
    const from = this.photos[this.at].tile.getBoundingClientRect();
    let best = null;
    this.photos.forEach(({ tile }, index) => {
      const to = tile.getBoundingClientRect();
      const down = (to.top - from.top) * step;
      if (down < from.height / 2) return;
      const far = down * 10 + Math.abs(to.left - from.left);
      if (!best || far < best.far) best = { far, index };
    });
    if (best) this.focus(best.index);
  }

  moveConcept(step) {
    if (!this.photos.length) return;
    const names = [...new Set(this.photos.map((entry) => entry.concept))];
    const at = names.indexOf(this.photos[this.at].concept) + step;
    if (names[at] !== undefined) this.focus(this.photos.findIndex((entry) => entry.concept === names[at]));
  }

  /** Go to the cut-out that a flag of a scene pointed at. */
  pointed() {
    const sha256 = sessionStorage.getItem("mycanvas cut-out");
    const index = this.photos.findIndex((entry) => entry.photo.sha256 === sha256);
    if (!sha256 || index < 0) return false;
    sessionStorage.removeItem("mycanvas cut-out");
    const go = () => {
      if (this.root.offsetParent === null) {
        requestAnimationFrame(go); // Gradio shows the tab a moment later
        return;
      }
      this.focus(index);
      this.photos[index].tile.scrollIntoView({ block: "center" });
      this.bar.say(`The flag points at ${this.photos[index].photo.id}: Enter refuses its cut-out.`);
    };
    requestAnimationFrame(go);
    return true;
  }

  progress() {
    this.bar.set(this.photos.filter((entry) => entry.photo.verdict).length, this.photos.length, "decided");
    for (const section of this.grid.children) section.count();
  }

  /** Send a decision, or any request that answers with the photo, and draw the tile again. */
  async change(index, send, { keeps = true } = {}) {
    const entry = this.photos[index];
    const before = entry.photo;
    this.bar.saving.textContent = "saving";
    this.pending += 1;
    let after;
    try {
      after = await send(before);
      this.pending -= 1;
    } catch (error) {
      this.pending -= 1;
      this.bar.saving.textContent = "not saved";
      this.bar.saving.classList.add("mc-waiting");
      this.bar.fail(`not saved: ${error.message}`);
      return false;
    }
    this.bar.fail("");
    this.bar.saving.classList.remove("mc-waiting");
    this.bar.saving.textContent = this.pending ? "saving" : "all saved";
    if (keeps) this.undos.push({ index, before });
    // A decision is kept by content: it holds for every copy of the photo.
    this.photos.forEach(({ photo }, at) => photo.sha256 === after.sha256 && this.redraw(at, { ...after, id: photo.id }));
    this.progress();
    this.bar.say(`${before.id}: ${after.used ? "used" : "refused"}`);
    return true;
  }

  redraw(index, photo) {
    const entry = this.photos[index];
    entry.photo = photo;
    const tile = this.tile(entry, index);
    const focused = entry.tile === document.activeElement;
    entry.tile.replaceWith(tile);
    entry.tile = tile;
    if (this.at === index) this.focus(index, focused || document.activeElement === document.body);
  }

  decide(index, values, options) {
    return this.change(index, (photo) => ask(`api/cutouts/${photo.sha256}`, {
      rater: rater.name, verdict: photo.verdict, reason: photo.reason, mask: photo.mask, key: photo.key, ...values,
    }), options);
  }

  /** Decide about the current cut-out, and go to the next; whoever agrees with the build says so too. */
  async judge(verdict) {
    if (!this.photos.length || (verdict === "use" && !this.hasCutout())) return;
    const index = this.at;
    const { photo } = this.current;
    this.step(1);
    if (photo.verdict !== verdict) await this.decide(index, { verdict, reason: "" });
  }

  flip() {
    if (!this.photos.length) return;
    const { photo } = this.current;
    if (!photo.used && !this.hasCutout()) return;
    this.decide(this.at, { verdict: photo.used ? "refuse" : "use", reason: "" });
  }

  hasCutout() {
    const { found } = this.current.photo;
    if (!found) this.bar.say("There is no cut-out to use: draw one with x, or give a mask with m.");
    return found;
  }

  async enlarge() {
    if (!this.photos.length) return;
    this.focus(this.photos.indexOf(await showLarge(this)));
  }

  withdraw() {
    if (this.photos[this.at]?.photo.verdict) this.decide(this.at, { verdict: null, reason: "", mask: null });
  }

  async reason() {
    if (!this.photos.length) return;
    const index = this.at;
    const { photo } = this.photos[index];
    const verdict = photo.verdict || await this.askVerdict(photo);
    if (verdict) {
      const text = await askText({ title: `Why ${verdict} ${photo.id}?`, text: photo.reason });
      if (text !== null) await this.decide(index, { verdict, reason: text.trim() });
    }
    this.focus(index);
  }

  /** A reason belongs to a decision: ask for it where nobody has decided yet. */
  async askVerdict({ id, found }) {
    const verdicts = found ? ["refuse", "use"] : ["refuse"];
    const chosen = await askChoice(`A reason to refuse or to use ${id}?`, verdicts.map((text) => ({ text })));
    return chosen === null ? null : verdicts[chosen];
  }

  sendMask(index, content, reason) {
    return this.change(index, ({ sha256 }) => ask(
      `api/cutouts/${sha256}/mask?rater=${encodeURIComponent(rater.name)}&reason=${encodeURIComponent(reason)}`, content, { raw: true }));
  }

  async replace() {
    const [content] = this.file.files;
    this.file.value = "";
    if (content && this.photos.length) await this.sendMask(this.at, content, "mask from a file");
  }

  async fix() {
    if (!this.photos.length) return;
    const index = this.at;
    const { photo } = this.photos[index];
    await fixMask({
      title: photo.id,
      photo: address(`pictures/photos/${photo.sha256}`),
      mask: address(`pictures/masks/${photo.sha256}?of=${photo.mask || ""}`),
      save: (content) => this.sendMask(index, content, "fixed with a brush"),
    });
    this.focus(index);
  }

  toggle() {
    this.root.classList.toggle("mc-sources");
  }

  async undo() {
    const last = this.undos.pop();
    if (!last) {
      this.bar.say("Nothing is left to undo on this page.");
      return;
    }
    const { verdict, reason, mask } = last.before;
    this.focus(last.index);
    if (await this.decide(last.index, { verdict, reason, mask }, { keeps: false })) this.bar.say("undone");
    else this.undos.push(last);
  }
}
