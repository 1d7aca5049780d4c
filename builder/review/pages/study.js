// The tab Study: the pictures of one prompt side by side, without the names of their arms.

import { Bar, address, ask, askRater, bindKeys, el, eventOf, rater, showHelp } from "./common.js";
import { outbox } from "./outbox.js";

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
  await page.begin(await rater());
}

class Study {
  constructor(root) {
    this.bar = new Bar(root, "Study");
    this.bar.watch(outbox);
    this.prompt = el("p.mc-caption");
    this.state = el("p.mc-state");
    this.board = el("div.mc-board");
    root.append(this.prompt, this.state, this.board);
    this.root = root;
    this.bar.tool("p", "back", () => this.move(-1));
    this.bar.tool("Enter", "next", () => this.move(1));
    this.bar.tool("u", "undo", () => this.undo());
    this.bar.who.onclick = () => askRater(this.name);
    document.addEventListener("mycanvas-rater", ({ detail }) => detail !== this.name && this.begin(detail));
    this.bar.help.onclick = () => showHelp(KEYS[this.kind]);
    this.at = 0;
    this.question = 0;
    this.position = 0;
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
      Object.assign(this, await ask(`api/study?rater=${encodeURIComponent(this.name)}`));
      this.bar.fail("");
    } catch (error) {
      this.bar.fail(error.message);
      return;
    }
    if (!this.bound) this.bind();
    this.resume();
  }

  bind() {
    this.bound = true;
    const digits = Object.fromEntries([..."1234567890"].map((digit) => [digit, () => this.answer(Number(digit) || 10)]));
    const shared = { Enter: () => this.move(1), p: () => this.move(-1), r: () => this.resume(), u: () => this.undo(), n: () => askRater(this.name),
      ArrowUp: () => this.step(0, -1), ArrowDown: () => this.step(0, 1) };
    bindKeys(this.root, this.kind === "pairs"
      ? { ...shared, ArrowLeft: () => this.choose(0), ArrowRight: () => this.choose(1), 1: () => this.choose(0), 2: () => this.choose(1) }
      : { ...shared, ...digits, ArrowLeft: () => this.step(-1, 0), ArrowRight: () => this.step(1, 0) }, KEYS[this.kind]);
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
    const next = this.at + step;
    if (next >= 0 && next < this.comparisons.length) this.show(next);
    else this.resume();
  }

  picture(comparison, position) {
    return address(`pictures/study/${comparison.id}/${position}?rater=${encodeURIComponent(this.name)}`);
  }

  show(at) {
    this.at = at;
    const comparison = this.comparisons[at];
    const open = this.cells(comparison).find(([, , answer]) => answer === null);
    [this.question, this.position] = open || [0, 0];
    this.prompt.textContent = comparison.prompt;
    this.draw();
    this.bar.tell(`${at + 1} of ${this.comparisons.length}: ${comparison.prompt}`);
    const after = this.comparisons[at + 1];
    if (after) for (let position = 0; position < after.pictures; position++) new Image().src = this.picture(after, position);
  }

  draw() {
    const comparison = this.comparisons[this.at];
    const done = this.comparisons.filter((each) => this.isDone(each)).length;
    this.bar.set(done, this.comparisons.length, this.kind === "pairs" ? "pairs" : "prompts");
    this.state.textContent = `${this.at + 1} / ${this.comparisons.length} · ${this.kind === "pairs" ? "Which is better?" : "Score from 1 (worst) to 10 (best)."}`;
    const letters = [...Array(comparison.pictures).keys()].map((index) => String.fromCharCode(65 + index));
    const figures = letters.map((letter, position) => el("figure", {}, el("img", { src: this.picture(comparison, position), alt: `picture ${letter}` }), el("figcaption", {}, letter)));
    const rows = this.questions.map(({ name, text }, question) => el("fieldset.mc-question", {}, el("legend", {}, text),
      ...letters.map((letter, position) => this.kind === "pairs"
        ? this.cell(`${letter} is better`, question, position, comparison.answers[name] === position ? "✓" : "")
        : this.cell(letter, question, position, comparison.answers[name][position]))));
    const pictures = el("div.mc-arms", {}, ...figures);
    this.board.style.setProperty("--arms", letters.length);
    const digits = this.kind === "pairs" ? null : el("div.mc-digits", { role: "group", "aria-label": "score" },
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((score) => el("button", { type: "button", "data-keys": "", onclick: () => this.answer(score) }, String(score))));
    this.board.replaceChildren(...[pictures, ...rows, digits].filter(Boolean));
  }

  cell(label, question, position, answer) {
    const active = question === this.question && (this.kind === "pairs" || position === this.position);
    return el(`button.mc-cell${active ? ".mc-active" : ""}`, {
      type: "button", "data-keys": "", "aria-current": active ? "true" : null,
      onclick: () => { [this.question, this.position] = [question, position]; this.kind === "pairs" ? this.choose(position) : this.draw(); },
    }, el("span", {}, label), el("b", {}, answer === null || answer === undefined ? "·" : String(answer)));
  }

  step(across, down) {
    const comparison = this.comparisons[this.at];
    this.position = Math.min(Math.max(this.position + across, 0), comparison.pictures - 1);
    this.question = Math.min(Math.max(this.question + down, 0), this.questions.length - 1);
    this.draw();
  }

  answer(score) {
    const comparison = this.comparisons[this.at];
    const { name } = this.questions[this.question];
    comparison.answers[name][this.position] = score;
    outbox.send("api/study/scores", eventOf(this.name, { comparison: comparison.id, position: this.position, question: name, score }));
    this.advance(`${String.fromCharCode(65 + this.position)}: ${score}`);
  }

  choose(position) {
    const comparison = this.comparisons[this.at];
    const { name } = this.questions[this.question];
    comparison.answers[name] = position;
    outbox.send("api/study/choices", eventOf(this.name, { comparison: comparison.id, question: name, chosen: position }));
    this.advance(`${String.fromCharCode(65 + position)} is better`);
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
