// The tab Scenes: rank one scene after the other.

import { Bar } from "./bar.js";
import { askChoice, askText, bindKeys, el, openTab } from "./common.js";
import { outbox } from "./outbox.js";
import { follow, rater } from "./rater.js";
import { RETRY, address, ask, eventOf, loaded } from "./server.js";

const COLOURS = ["#e6194b", "#3cb44b", "#0082c8", "#ffe119", "#911eb4"];
const MEANING = { 1: "unusable", 2: "poor", 3: "fair", 4: "good", 5: "very good" };
const AHEAD = 5; // scenes that are loaded before they are needed
const KEYS = [
  ["1 2 3 4 5", "rank from 1 (unusable) to 5 (very good), and show the next scene"],
  ["← →", "previous and next scene, without a rank"],
  ["f", "flag what is wrong"],
  ["e", "edit the caption"],
  ["b", "boxes on or off"],
  ["u Ctrl+Z", "undo the last rank, flag or caption"],
  ["r", "go to the first scene without a rank"],
  ["n", "another person rates"],
];

export async function start(root) {
  const page = new Scenes(root);
  await follow(page);
}

/**
 * The scene on screen is order[at], with all that belongs to it: picture, caption, boxes, photos. Only it gets a rank,
 * and only while it is the one that the person asked for: `target` is the scene that is being loaded, null if none is.
 * A scene is drawn at once when all of it is there; until then, the one before stays.
 */
class Scenes {
  constructor(root) {
    this.bar = new Bar(root, "Scenes", () => KEYS);
    this.bar.watch(outbox);
    this.image = el("img", { alt: "" });
    this.boxes = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.boxes.setAttribute("aria-hidden", "true");
    this.frame = el("div.mc-frame", {}, this.image, this.boxes);
    this.caption = el("p.mc-caption");
    this.state = el("p.mc-state");
    this.photos = el("div.mc-photos");
    this.ranks = [1, 2, 3, 4, 5].map((rank) => el("button.mc-rank", {
      type: "button", title: MEANING[rank], "data-keys": "", onclick: () => this.rank(rank),
    }, el("kbd", {}, String(rank)), el("span", {}, MEANING[rank])));
    for (const [key, text, action] of [
      ["←", "back", () => this.move(-1)], ["→", "next", () => this.move(1)], ["f", "flag", () => this.flag()],
      ["e", "caption", () => this.edit()], ["b", "boxes", () => this.toggle()], ["u", "undo", () => this.undo()],
    ]) this.bar.tool(key, text, action);
    this.empty = el("p.mc-empty", { hidden: true });
    this.body = el("div.mc-scene", { hidden: true },
      el("div.mc-picture", {}, this.frame),
      el("div.mc-side", {}, this.caption, this.state, el("div.mc-ranks", { role: "group", "aria-label": "rank" }, ...this.ranks), this.photos));
    root.append(this.empty, this.body);
    this.showsBoxes = true;
    this.order = [];
    this.clear();
    bindKeys(root, {
      moves: { ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1) },
      acts: {
        ...Object.fromEntries([1, 2, 3, 4, 5].map((rank) => [String(rank), () => this.rank(rank)])),
        f: () => this.flag(),
        e: () => this.edit(),
        b: () => this.toggle(),
        u: () => this.undo(),
        r: () => this.resume(),
        n: () => rater.ask(),
      },
    }, KEYS);
  }

  /** Show no scene. */
  clear() {
    clearTimeout(this.timer);
    this.at = null;
    this.found = null;
    this.target = null;
    this.held = new Map(); // scenes that are loaded or being loaded, by id
    this.body.hidden = true;
  }

  /** Begin with the scenes of a person. */
  async begin(name) {
    this.name = name;
    this.order = [];
    this.clear();
    await outbox.ready;
    await outbox.settled;
    await this.load(name);
  }

  async load(name) {
    let listed;
    try {
      listed = await ask(`api/scenes?rater=${encodeURIComponent(name)}`);
    } catch (error) {
      if (name !== this.name) return;
      this.bar.fail(error.message);
      if (!error.lasting) this.timer = setTimeout(() => this.load(name), RETRY);
      return;
    }
    if (name !== this.name || this.order.length) return;
    this.order = listed.order;
    this.flags = listed.flags;
    this.bar.fail("");
    this.empty.hidden = this.order.length > 0;
    this.empty.textContent = "There are no scenes yet: run the same `mycanvas build` again, then reload this page.";
    if (this.order.length) this.resume();
  }

  /** Load what could not be loaded while the server did not answer. */
  recover() {
    this.held.clear();
    if (this.name && !this.order.length) this.load(this.name);
    else if (this.target !== null) this.show(this.target);
  }

  /** Scenes of refused cut-outs come last, and need no rank: they leave the dataset whatever it is. */
  resume() {
    const first = this.order.findIndex((scene) => !scene.rank && !scene.flag);
    this.show(first < 0 ? this.order.length - 1 : first);
    if (first < 0) this.bar.say("Every scene has a rank or a flag.");
    else if (this.order[first].leaves) this.bar.say("Every other scene has a rank or a flag. These show refused cut-outs, and need none.");
  }

  move(step) {
    if (!this.order.length) return;
    const from = this.target ?? this.at;
    const next = Math.min(Math.max(from + step, 0), this.order.length - 1);
    if (next !== from) this.show(next);
    else this.bar.say(step > 0 ? "This is the last scene." : "This is the first scene.");
  }

  /** A scene, asked for once: `found` and `image` are null until all of it is there. */
  hold(scene) {
    let held = this.held.get(scene.id);
    if (!held) {
      const path = encodeURIComponent(scene.id);
      held = { found: null, image: null, photos: [] };
      held.loading = Promise.all([ask(`api/scenes/${path}`), loaded(address(`pictures/scenes/${path}`))]).then(([found, image]) => {
        Object.assign(held, { found, image, photos: found.photos.map((photo, index) => this.photo(photo, index, found)) });
      });
      held.loading.catch(() => this.held.get(scene.id) === held && this.held.delete(scene.id));
      this.held.set(scene.id, held);
    }
    return held;
  }

  /** Go to a scene; it is drawn when all of it is there. */
  async show(at) {
    clearTimeout(this.timer);
    this.target = at;
    const scene = this.order[at];
    const held = this.hold(scene);
    if (!held.image) {
      this.body.setAttribute("aria-busy", "true");
      try {
        await held.loading;
      } catch (error) {
        if (this.order[this.target] !== scene) return;
        this.bar.fail(error.message);
        this.bar.say(`Scene ${at + 1} cannot be shown yet.`);
        this.timer = setTimeout(() => this.show(at), RETRY);
        return;
      }
      if (this.order[this.target] !== scene) return;
    }
    this.draw(held);
  }

  /** Put the scene that was asked for on screen. */
  draw({ found, image, photos }) {
    if (this.body.getAttribute("aria-busy")) {
      this.body.removeAttribute("aria-busy");
      this.bar.fail("");
      this.bar.say("");
    }
    this.at = this.target;
    this.target = null;
    this.found = found;
    this.image.replaceWith(image);
    this.image = image;
    image.alt = found.caption;
    this.caption.textContent = found.caption;
    this.photos.replaceChildren(...photos);
    this.body.hidden = false;
    this.outline();
    this.mark();
    this.bar.tell(`Scene ${this.at + 1} of ${this.order.length}: ${found.caption}`);
    const near = this.order.slice(this.at, this.at + 1 + AHEAD);
    const ids = new Set(near.map(({ id }) => id));
    for (const id of this.held.keys()) if (!ids.has(id)) this.held.delete(id);
    for (const scene of near) this.hold(scene);
  }

  /** The scene on screen, for an act about it; null, with a message, while another is being loaded. */
  seen() {
    if (this.at !== null && this.target === null) return this.order[this.at];
    this.bar.say("Wait for the scene.");
    return null;
  }

  photo(photo, index, found) {
    const label = el("figcaption", {}, el("span.mc-dot", { style: `background:${COLOURS[index]}` }), `${found.tokens[index]} ${found.nouns[index]}`);
    if (!photo.sha256) return el("figure", {}, label);
    const source = (kind) => address(`pictures/${kind}/${photo.sha256}`);
    return el("figure", {},
      el("div.mc-pair", {}, el("img", { src: `${source("photos")}?small=true`, alt: `photo ${photo.id}` }),
        el("img.mc-check", { src: source("cutouts"), alt: `cut-out of ${photo.id}` })),
      el("div.mc-others", {}, ...photo.others.map((sha256) => el("img", { src: address(`pictures/photos/${sha256}?small=true`), alt: "" }))),
      label);
  }

  mark() {
    if (this.at === null) return;
    const scene = this.order[this.at];
    this.ranks.forEach((button, index) => button.setAttribute("aria-pressed", String(scene.rank === index + 1)));
    const parts = [scene.rank ? `rank ${scene.rank}` : "no rank yet"];
    if (scene.flag) parts.push(`flag: ${scene.flag}`);
    if (scene.leaves) parts.push("shows a refused cut-out");
    this.state.textContent = `${this.at + 1} / ${this.order.length} · ${parts.join(" · ")}`;
    const counted = this.order.filter((each) => !each.leaves);
    this.bar.set(counted.filter((each) => each.rank || each.flag).length, counted.length, "scenes");
  }

  outline() {
    if (!this.found) return;
    const { naturalWidth: width, naturalHeight: height } = this.image;
    this.frame.style.setProperty("--aspect", width / height);
    this.boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.boxes.replaceChildren();
    this.boxes.style.display = this.showsBoxes ? "" : "none";
    this.found.boxes.forEach(([x, y, w, h], index) => {
      const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const values = { x, y, width: w, height: h, fill: "none", stroke: COLOURS[index], "stroke-width": 2, "vector-effect": "non-scaling-stroke" };
      for (const [name, value] of Object.entries(values)) box.setAttribute(name, value);
      this.boxes.append(box);
    });
  }

  toggle() {
    this.showsBoxes = !this.showsBoxes;
    this.outline();
    this.bar.say(this.showsBoxes ? "boxes on" : "boxes off");
  }

  rank(rank) {
    const scene = this.seen();
    if (!scene) return;
    this.send("api/ranks", scene, { rank }, { score: rank });
    this.next();
    this.bar.say(`ranked ${rank}`);
  }

  /** Send an event about a scene, and mark it; take the mark back if the server refuses it for good. */
  async send(path, scene, marks, values) {
    const before = Object.fromEntries(Object.keys(marks).map((key) => [key, scene[key]]));
    Object.assign(scene, marks);
    this.mark();
    if (await outbox.send(path, eventOf(this.name, { item: scene.id, ...values }))) return;
    for (const [key, mark] of Object.entries(marks)) if (scene[key] === mark) scene[key] = before[key];
    this.mark();
  }

  next() {
    if (this.at + 1 < this.order.length) this.show(this.at + 1);
  }

  async flag() {
    const scene = this.seen();
    if (!scene) return;
    const { found } = this;
    const { photos } = found;
    const choices = [...this.flags, ...(scene.flag ? ["remove the flag"] : [])];
    const chosen = await askChoice("What is wrong with this scene?", choices.map((text) => ({ text })));
    if (chosen === null) return;
    const reason = this.flags[chosen] || null;
    let photo = "";
    if (reason === this.flags.at(-1)) {
      const which = photos.length === 1 ? 0 : await askChoice("Which cut-out is bad?", photos.map((each, index) => ({
        text: `${found.nouns[index]}: ${each.id}`,
        picture: each.sha256 ? address(`pictures/cutouts/${each.sha256}`) : null,
      })));
      if (which === null) return;
      photo = photos[which].id;
    }
    this.send("api/flags", scene, { flag: reason }, { reason, photo });
    this.bar.say(reason ? `flagged: ${reason}` : "flag removed");
    const sha256 = photos.find((each) => each.id === photo)?.sha256;
    if (sha256) {
      sessionStorage.setItem("mycanvas cut-out", sha256);
      openTab("Cut-outs");
      document.dispatchEvent(new CustomEvent("mycanvas-cutout"));
    } else if (reason) this.next();
  }

  async edit() {
    const scene = this.seen();
    if (!scene) return;
    const { found } = this;
    const note = `It must name: ${[...new Set(found.nouns)].join(", ")}. At most ${found.max_words} words; an empty text restores the scene's own.`;
    let saved = null;
    const text = await askText({ title: "Caption", text: found.caption, note, lines: 3, check: async (text) => {
      saved = await ask("api/captions", eventOf(this.name, { item: scene.id, caption: text.trim() || null }));
    } });
    if (text === null) return;
    found.caption = saved.caption;
    if (this.found === found) this.caption.textContent = saved.caption;
    this.bar.say("caption saved");
  }

  async undo() {
    const answer = await outbox.send("api/scenes/undo", eventOf(this.name));
    if (!answer?.undone) {
      this.bar.say("Nothing is left to undo.");
      return;
    }
    const at = this.order.findIndex((scene) => scene.id === answer.item);
    if (at < 0) return;
    Object.assign(this.order[at], { rank: answer.rank, flag: answer.flag });
    this.held.delete(answer.item); // its caption may be another
    await this.show(at);
    this.bar.say(`undone: ${answer.undone}`);
  }
}
