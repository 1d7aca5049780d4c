// The tab Scenes: rank one scene after the other.

import { Bar, address, ask, askChoice, askRater, askText, bindKeys, el, eventOf, openTab, rater, showHelp } from "./common.js";
import { outbox } from "./outbox.js";

const COLOURS = ["#e6194b", "#3cb44b", "#0082c8", "#ffe119", "#911eb4"];
const MEANING = { 1: "unusable", 2: "poor", 3: "fair", 4: "good", 5: "very good" };
const AHEAD = 5; // scenes whose pictures are loaded before they are needed
const RETRY = 2000; // milliseconds after which a scene that could not be loaded is asked for again
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
  await page.begin(await rater());
}

class Scenes {
  constructor(root) {
    this.bar = new Bar(root, "Scenes");
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
    this.at = 0;
    this.order = [];
    this.bar.who.onclick = () => askRater(this.name);
    document.addEventListener("mycanvas-rater", ({ detail }) => detail !== this.name && this.begin(detail));
    this.bar.help.onclick = () => showHelp(KEYS);
    bindKeys(root, {
      ...Object.fromEntries([1, 2, 3, 4, 5].map((rank) => [String(rank), () => this.rank(rank)])),
      ArrowLeft: () => this.move(-1),
      ArrowRight: () => this.move(1),
      f: () => this.flag(),
      e: () => this.edit(),
      b: () => this.toggle(),
      u: () => this.undo(),
      r: () => this.resume(),
      n: () => askRater(this.name),
    }, KEYS);
  }

  async begin(name) {
    if (!name) {
      await askRater("");
      return;
    }
    this.name = name;
    this.bar.who.textContent = name;
    await outbox.ready;
    await this.load();
  }

  async load() {
    try {
      const { order, flags } = await ask(`api/scenes?rater=${encodeURIComponent(this.name)}`);
      this.order = order;
      this.flags = flags;
      this.bar.fail("");
    } catch (error) {
      this.bar.fail(error.message);
      return;
    }
    this.empty.hidden = this.order.length > 0;
    this.empty.textContent = "There are no scenes yet: run the same `mycanvas build` again, then reload this page.";
    this.body.hidden = this.order.length === 0;
    if (this.order.length) this.resume();
  }

  /** Scenes of refused cut-outs come last, and need no rank: they leave the dataset whatever it is. */
  resume() {
    const first = this.order.findIndex((scene) => !scene.rank && !scene.flag);
    this.show(first < 0 ? this.order.length - 1 : first);
    if (first < 0) this.bar.say("Every scene has a rank or a flag.");
    else if (this.order[first].leaves) this.bar.say("Every other scene has a rank or a flag. These show refused cut-outs, and need none.");
  }

  move(step) {
    const next = Math.min(Math.max(this.at + step, 0), this.order.length - 1);
    if (next !== this.at) this.show(next);
    else this.bar.say(step > 0 ? "This is the last scene." : "This is the first scene.");
  }

  picture(scene) {
    return address(`pictures/scenes/${encodeURIComponent(scene.id)}`);
  }

  async show(at) {
    this.at = at;
    this.found = null; // until the facts of this scene are there
    const scene = this.order[at];
    clearTimeout(this.timer);
    this.image.onload = () => this.draw();
    this.image.onerror = () => this.retry();
    this.boxes.replaceChildren();
    if (this.image.src !== this.picture(scene) || !this.isSeen()) this.image.src = this.picture(scene);
    this.mark();
    this.ahead = this.order.slice(at + 1, at + 1 + AHEAD).map((near) => Object.assign(new Image(), { src: this.picture(near) }));
    let found;
    try {
      found = await ask(`api/scenes/${encodeURIComponent(scene.id)}`);
    } catch (error) {
      if (this.order[this.at] !== scene) return;
      this.bar.fail(error.message);
      if (!error.lasting) this.retry();
      return;
    }
    if (this.order[this.at] !== scene) return;
    this.bar.fail("");
    this.found = found;
    this.caption.textContent = found.caption;
    this.image.alt = found.caption;
    this.bar.tell(`Scene ${at + 1} of ${this.order.length}: ${found.caption}`);
    this.photos.replaceChildren(...found.photos.map((photo, index) => this.photo(photo, index, found)));
    if (this.isSeen()) this.draw();
  }

  /** Show the scene again in a moment: the server may have been started again by then. */
  retry() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(this.at), RETRY);
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
    const scene = this.order[this.at];
    this.ranks.forEach((button, index) => button.setAttribute("aria-pressed", String(scene.rank === index + 1)));
    const parts = [scene.rank ? `rank ${scene.rank}` : "no rank yet"];
    if (scene.flag) parts.push(`flag: ${scene.flag}`);
    if (scene.leaves) parts.push("shows a refused cut-out");
    this.state.textContent = `${this.at + 1} / ${this.order.length} · ${parts.join(" · ")}`;
    const counted = this.order.filter((each) => !each.leaves);
    this.bar.set(counted.filter((each) => each.rank || each.flag).length, counted.length, "scenes");
  }

  draw() {
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

  /** Whether the picture is there: a scene that nobody has seen gets no rank. */
  isSeen() {
    return this.image.complete && this.image.naturalWidth > 0;
  }

  toggle() {
    this.showsBoxes = !this.showsBoxes;
    this.draw();
    this.bar.say(this.showsBoxes ? "boxes on" : "boxes off");
  }

  rank(rank) {
    const scene = this.order[this.at];
    if (!scene) return;
    if (!this.isSeen()) {
      this.bar.say("Wait for the picture.");
      return;
    }
    scene.rank = rank;
    outbox.send("api/ranks", eventOf(this.name, { item: scene.id, score: rank }));
    this.mark();
    if (this.at + 1 < this.order.length) this.show(this.at + 1);
    this.bar.say(`ranked ${rank}`);
  }

  async flag() {
    const scene = this.order[this.at];
    const found = this.found;
    if (!found) return;
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
    scene.flag = reason;
    outbox.send("api/flags", eventOf(this.name, { item: scene.id, reason, photo }));
    this.mark();
    this.bar.say(reason ? `flagged: ${reason}` : "flag removed");
    const sha256 = photos.find((each) => each.id === photo)?.sha256;
    if (sha256) {
      sessionStorage.setItem("mycanvas cut-out", sha256);
      openTab("Cut-outs");
      document.dispatchEvent(new CustomEvent("mycanvas-cutout"));
    } else if (reason && this.at + 1 < this.order.length) this.show(this.at + 1);
  }

  async edit() {
    const scene = this.order[this.at];
    const found = this.found;
    if (!found) return;
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
    await this.show(at);
    this.bar.say(`undone: ${answer.undone}`);
  }
}
