// The tab Study: the pictures of one prompt side by side, without the names of their arms.

import { Bar } from "./bar.js";
import { bindKeys, el } from "./common.js";
import { outbox } from "./outbox.js";
import { follow, rater } from "./rater.js";
import { RETRY, address, ask, eventOf, isSeen } from "./server.js";

const KEYS = {
  scores: [
    ["1 … 9 0", "score from 1 to 10 (0), and go to the next"],
    ["← → ↑ ↓", "choose the picture and the question"],
    ["Enter", "next prompt"],
    ["p", "previous prompt"],
    ["r", "go to the first that is not complete"],
    ["u Ctrl+Z", "undo the last score"],
    ["n", "another person rates"],
  ],
  pairs: [
    ["← 1", "the left picture is better"],
    ["→ 2", "the right picture is better"],
    ["↑ ↓", "previous and next question"],
    ["Enter", "next pair"],
    ["p", "previous pair"],
    ["r", "go to the first that is not complete"],
    ["u Ctrl+Z", "undo the last choice"],
    ["n", "another person rates"],
  ],
};

export async function start(root) {
  const page = new Study(root);
  await follow(page);
}

class Study {
  constructor(root) {
    this.bar = new Bar(root, "Study", () => KEYS[this.kind || "scores"]);
    this.bar.watch(outbox);
    this.prompt = el("p.mc-caption");
    this.state = el("p.mc-state");
    this.pictures = el("div.mc-arms");
    this.questionRows = el("div");
    this.photos = el("aside.mc-concept-photos", { "aria-label": "photos of the objects" });
    this.board = el("div.mc-board", { hidden: true },
      el("div.mc-judged", {}, this.prompt, this.state, this.pictures, this.questionRows), this.photos);
    root.append(this.board);
    this.root = root;
    this.bar.tool("p", "back", () => this.move(-1));
    this.bar.tool("Enter", "next", () => this.move(1));
    this.bar.tool("u", "undo", () => this.undo());
    this.at = 0;
    this.question = 0;
    this.position = 0;
    this.comparisons = [];
  }

  /** Begin with the comparisons of a person. */
  async begin(name) {
    this.name = name;
    this.comparisons = [];
    this.board.hidden = true;
    await outbox.ready;
    await outbox.settled;
    await this.load(name);
  }

  async load(name) {
    let listed;
    try {
      listed = await ask(`api/study?rater=${encodeURIComponent(name)}`);
    } catch (error) {
      if (name !== this.name) return;
      this.bar.fail(error.message);
      if (!error.lasting) setTimeout(() => this.load(name), RETRY);
      return;
    }
    if (name !== this.name || this.comparisons.length) return;
    Object.assign(this, listed);
    this.bar.fail("");
    if (!this.bound) this.bind();
    this.board.hidden = false;
    this.resume();
  }

  /** Load what could not be loaded while the server did not answer. */
  recover() {
    if (this.name && !this.comparisons.length) this.load(this.name);
  }

  bind() {
    this.bound = true;
    const upDown = { ArrowUp: () => this.step(0, -1), ArrowDown: () => this.step(0, 1) };
    const acts = { Enter: () => this.move(1), p: () => this.move(-1), r: () => this.resume(), u: () => this.undo(), n: () => rater.ask() };
    if (this.kind === "pairs") {
      const [left, right] = [() => this.choose(0), () => this.choose(1)];
      bindKeys(this.root, { moves: upDown, acts: { ...acts, ArrowLeft: left, ArrowRight: right, 1: left, 2: right } }, KEYS.pairs);
      return;
    }
    const digits = Object.fromEntries([..."1234567890"].map((digit) => [digit, () => this.answer(Number(digit) || 10)]));
    const moves = { ...upDown, ArrowLeft: () => this.step(-1, 0), ArrowRight: () => this.step(1, 0) };
    bindKeys(this.root, { moves, acts: { ...acts, ...digits } }, KEYS.scores);
  }

  /** The answers of a comparison, in the order in which they are asked: [question, position, answer]. */
  cells(comparison) {
    return this.questions.flatMap(({ name }, question) => this.kind === "pairs"
      ? [[question, 0, comparison.answers[name]]]
      : comparison.answers[name].map((answer, position) => [question, position, answer]));
  }

  isDone(comparison) {
    return this.cells(comparison).every(([, , answer]) => answer !== null);
  }

  resume() {
    const first = this.comparisons.findIndex((each) => !this.isDone(each));
    if (first < 0) this.bar.say("Everything is answered. Thank you.");
    this.show(first < 0 ? this.comparisons.length - 1 : first);
  }

  move(step) {
    if (!this.comparisons.length) return;
    const next = this.at + step;
    if (next >= 0 && next < this.comparisons.length) this.show(next);
    else this.resume();
  }

  picture(comparison, position) {
    return address(`pictures/study/${comparison.id}/${position}?rater=${encodeURIComponent(this.name)}`);
  }

  /** Go to a comparison; it gets answers when its pictures are there. */
  show(at) {
    this.at = at;
    const comparison = this.comparisons[at];
    const open = this.cells(comparison).find(([, , answer]) => answer === null);
    [this.question, this.position] = open || [0, 0];
    this.prompt.textContent = comparison.prompt;
    this.board.style.setProperty("--arms", comparison.pictures);
    this.images = [...Array(comparison.pictures).keys()].map((position) => el("img", { src: this.picture(comparison, position), alt: `picture ${letter(position)}` }));
    this.pictures.replaceChildren(...this.images.map((image, position) => el("figure", {}, image, el("figcaption", {}, letter(position)))));
    this.photos.replaceChildren(...comparison.concepts.map((name) => this.concept(name)));
    this.draw();
    this.wait();
    this.bar.tell(`${at + 1} of ${this.comparisons.length}: ${comparison.prompt}`);
    const after = this.comparisons[at + 1];
    this.ahead = after ? [...Array(after.pictures).keys()].map((position) => Object.assign(new Image(), { src: this.picture(after, position) })) : [];
  }

  /** Mark the board as busy until all pictures of the comparison are there. */
  async wait() {
    const { images } = this;
    if (images.every(isSeen)) {
      this.board.removeAttribute("aria-busy");
      return;
    }
    this.board.setAttribute("aria-busy", "true");
    await Promise.all(images.map((image) => isSeen(image) || seen(image)));
    if (images === this.images) this.board.removeAttribute("aria-busy");
  }

  /** The photos of one concept: what the objects should look like. */
  concept(name) {
    const { noun, photos } = this.concepts[name];
    return el("figure", {},
      el("div.mc-others", {}, ...photos.map((sha256) => el("img", { src: address(`pictures/photos/${sha256}?small=true`), alt: `photo of ${name}` }))),
      el("figcaption", {}, noun ? `${name}: ${noun}` : name));
  }

  draw() {
    const comparison = this.comparisons[this.at];
    const done = this.comparisons.filter((each) => this.isDone(each)).length;
    const pairs = this.kind === "pairs";
    this.bar.set(done, this.comparisons.length, pairs ? "pairs" : "prompts");
    this.state.textContent = `${this.at + 1} / ${this.comparisons.length} · ${pairs ? "Which is better?" : "Score from 1 (worst) to 10 (best)."}`;
    const rows = this.questions.map(({ name, text }, question) => {
      const asked = pairs && question === this.question ? ".mc-asked" : "";
      return el(`fieldset.mc-question${asked}`, { "aria-current": asked ? "true" : null }, el("legend", {}, text),
        ...this.images.map((_, position) => pairs
          ? this.choice(question, position, comparison.answers[name] === position)
          : this.cell(question, position, comparison.answers[name][position])));
    });
    const digits = pairs ? [] : [el("div.mc-digits", { role: "group", "aria-label": "score" },
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((score) => el("button", { type: "button", "data-keys": "", onclick: () => this.answer(score) }, String(score))))];
    this.questionRows.replaceChildren(...rows, ...digits);
  }

  choice(question, position, chosen) {
    return el("button.mc-cell", {
      type: "button", "data-keys": "", "aria-pressed": String(chosen), onclick: () => { this.question = question; this.choose(position); },
    }, `${letter(position)} is better`, chosen ? el("b", {}, "✓") : null);
  }

  cell(question, position, answer) {
    const active = question === this.question && position === this.position;
    return el(`button.mc-cell${active ? ".mc-active" : ""}`, {
      type: "button", "data-keys": "", "aria-current": active ? "true" : null,
      onclick: () => { [this.question, this.position] = [question, position]; this.draw(); },
    }, el("span", {}, letter(position)), el("b", {}, answer === null ? "·" : String(answer)));
  }

  step(across, down) {
    if (!this.comparisons.length) return;
    const comparison = this.comparisons[this.at];
    this.position = Math.min(Math.max(this.position + across, 0), comparison.pictures - 1);
    this.question = Math.min(Math.max(this.question + down, 0), this.questions.length - 1);
    this.draw();
  }

  answer(score) {
    if (!this.isShown()) return;
    const comparison = this.comparisons[this.at];
    const { question, position } = this;
    const { name } = this.questions[question];
    this.send("api/study/scores", comparison, comparison.answers[name], position, score, { position, question: name, score });
    this.advance(`${letter(position)}: ${score}`);
  }

  choose(position) {
    if (!this.isShown()) return;
    const comparison = this.comparisons[this.at];
    const { name } = this.questions[this.question];
    this.send("api/study/choices", comparison, comparison.answers, name, position, { question: name, chosen: position });
    this.advance(`${letter(position)} is better`);
  }

  /** Whether all pictures are there; else nothing is answered. */
  isShown() {
    const shown = this.comparisons.length > 0 && this.images.every(isSeen);
    if (!shown) this.bar.say("Wait for the pictures.");
    return shown;
  }

  /** Send an answer, and keep it as answers[key]; take it back if the server refuses it for good. */
  async send(path, comparison, answers, key, answer, values) {
    const before = answers[key];
    answers[key] = answer;
    if (await outbox.send(path, eventOf(this.name, { comparison: comparison.id, ...values }))) return;
    if (answers[key] === answer) answers[key] = before;
    if (this.comparisons.includes(comparison)) this.draw();
  }

  /** Go to the next open answer of the prompt, or to the next prompt. */
  advance(message) {
    const comparison = this.comparisons[this.at];
    const open = this.cells(comparison).find(([, , answer]) => answer === null);
    if (open) {
      [this.question, this.position] = open;
      this.draw();
    } else this.move(1);
    this.bar.say(message);
  }

  async undo() {
    const answer = await outbox.send("api/study/undo", eventOf(this.name));
    const at = this.comparisons.findIndex((each) => each.id === answer?.undone);
    if (at < 0) {
      this.bar.say("Nothing is left to undo.");
      return;
    }
    this.comparisons[at].answers = answer.answers;
    this.show(at);
    this.bar.say("undone");
  }
}

const letter = (position) => String.fromCharCode(65 + position);

/** Resolves when the picture of an element is there; it is asked for again until then. */
function seen(image) {
  return new Promise((resolve) => {
    image.addEventListener("load", resolve, { once: true });
    image.addEventListener("error", () => setTimeout(() => { image.src = image.src; }, RETRY));
  });
}
