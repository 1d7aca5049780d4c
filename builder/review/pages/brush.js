// Fix an outline with a brush: a dialog with the photo, over which the mask is drawn. By pointer, or by keys.

import { el, keyOf, show } from "./common.js";
import { loaded } from "./server.js";

const TINT = [255, 0, 120];
const KEYS = "a add · e erase · [ ] size · + - zoom · arrows and Space paint · u undo · s save · Esc cancel";
const HISTORY = 30;

/** Open the dialog; `save` gets the mask as a PNG, and answers whether it was saved. Resolves when it is closed. */
export async function fixMask({ title, photo, mask, save }) {
  const [picture, outline] = await Promise.all([loaded(photo), loaded(mask)]);
  return new Promise((resolve) => new Brush(title, picture, outline, save, resolve));
}

class Brush {
  constructor(title, picture, outline, save, done) {
    const { naturalWidth: width, naturalHeight: height } = picture;
    Object.assign(this, { picture, save, width, height, adds: true, size: Math.max(4, Math.round(Math.max(width, height) / 30)), zoom: 1, past: [], stroke: null });
    this.mask = el("canvas", { width, height });
    this.paper = this.mask.getContext("2d", { willReadFrequently: true });
    this.readMask(outline);
    this.canvas = el("canvas.mc-brush", { width, height, tabIndex: 0, "aria-label": `outline of ${title}` });
    this.sheet = this.canvas.getContext("2d");
    this.cursor = { x: width / 2, y: height / 2 };
    this.info = el("p", { role: "status", "aria-live": "polite" });
    this.error = el("p.mc-error", { role: "alert", hidden: true });
    this.frame = el("div.mc-brushing", {}, this.canvas);
    const button = (text, action) => el("button", { type: "button", onclick: () => { action(); this.canvas.focus(); } }, text);
    this.dialog = el("dialog.mc-dialog.mc-fixing", { "aria-label": `outline of ${title}` },
      el("h2", {}, title),
      el("div.mc-fixed", {}, this.frame, el("div", {},
        el("div.mc-tools", {}, button("add", () => this.use(true)), button("erase", () => this.use(false)), button("smaller", () => this.resize(0.8)),
          button("larger", () => this.resize(1.25)), button("zoom +", () => this.scale(1.25)), button("zoom −", () => this.scale(0.8)), button("undo", () => this.undo())),
        this.info, el("small", {}, KEYS), this.error,
        el("div.mc-buttons", {}, el("button", { type: "button", onclick: () => this.dialog.close() }, "Cancel"),
          el("button.mc-primary", { type: "button", onclick: () => this.finish() }, "Save")))));
    this.listen();
    this.dialog.addEventListener("close", () => done());
    show(this.dialog);
    this.canvas.focus();
    this.scale(1);
    this.draw();
  }

  /** The mask is kept as a tint of some opacity: alpha is the mask. */
  readMask(outline) {
    this.paper.drawImage(outline, 0, 0, this.width, this.height);
    const pixels = this.paper.getImageData(0, 0, this.width, this.height);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const value = pixels.data[at];
      [pixels.data[at], pixels.data[at + 1], pixels.data[at + 2]] = TINT;
      pixels.data[at + 3] = value;
    }
    this.paper.putImageData(pixels, 0, 0);
  }

  listen() {
    this.canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.canvas.focus();
      this.canvas.setPointerCapture(event.pointerId);
      this.keep();
      this.stroke = { erases: event.button === 2 || !this.adds };
      this.paint(this.place(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const to = this.place(event);
      if (this.stroke) this.paint(to);
      else {
        this.cursor = to;
        this.draw();
      }
    });
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => { this.stroke = null; });
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const key = keyOf(event);
    const step = Math.max(1, this.size / 2);
    const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
    const actions = {
      a: () => this.use(true), e: () => this.use(false), "[": () => this.resize(0.8), "]": () => this.resize(1.25),
      "+": () => this.scale(1.25), "=": () => this.scale(1.25), "-": () => this.scale(0.8), u: () => this.undo(), s: () => this.finish(),
      " ": () => this.dot(),
    };
    if (key === " " && document.activeElement !== this.canvas) return;
    if (move) {
      this.cursor = { x: clamp(this.cursor.x + move[0], this.width), y: clamp(this.cursor.y + move[1], this.height) };
      if (event.shiftKey) this.dot();
      this.draw();
      this.follow();
    } else if (key in actions) {
      if (!event.repeat || !"us".includes(key)) actions[key]();
    } else return;
    event.preventDefault();
  }

  /** Scroll the frame so that the cursor is seen. */
  follow() {
    const scale = this.canvas.clientWidth / this.width;
    const { clientWidth, clientHeight } = this.frame;
    this.frame.scrollTo(this.cursor.x * scale - clientWidth / 2, this.cursor.y * scale - clientHeight / 2);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * this.width, y: ((event.clientY - box.top) / box.height) * this.height };
  }

  keep() {
    this.past.push(this.paper.getImageData(0, 0, this.width, this.height));
    if (this.past.length > HISTORY) this.past.shift();
  }

  dot() {
    this.keep();
    this.stroke = { erases: !this.adds };
    this.paint(this.cursor);
    this.stroke = null;
  }

  paint(to) {
    const from = this.stroke.last || to;
    this.paper.globalCompositeOperation = this.stroke.erases ? "destination-out" : "source-over";
    this.paper.strokeStyle = `rgb(${TINT.join(" ")})`;
    this.paper.lineWidth = this.size;
    this.paper.lineCap = "round";
    this.paper.beginPath();
    this.paper.moveTo(from.x, from.y);
    this.paper.lineTo(to.x + 0.01, to.y);
    this.paper.stroke();
    this.paper.globalCompositeOperation = "source-over";
    this.stroke.last = to;
    this.cursor = to;
    this.draw();
  }

  use(adds) {
    this.adds = adds;
    this.draw();
  }

  resize(factor) {
    this.size = Math.min(Math.max(2, this.size * factor), Math.max(this.width, this.height));
    this.draw();
  }

  scale(factor) {
    this.zoom = Math.min(Math.max(1, this.zoom * factor), 8);
    const around = this.dialog.offsetWidth - this.frame.offsetWidth; // the tools beside the photo, if they are there
    const fit = Math.min((window.innerWidth * 0.96 - around) / this.width, parseFloat(getComputedStyle(this.frame).maxHeight) / this.height);
    this.canvas.style.width = `${Math.floor(this.width * fit * this.zoom)}px`;
    this.draw();
    this.follow();
  }

  undo() {
    const last = this.past.pop();
    if (last) this.paper.putImageData(last, 0, 0);
    this.draw();
  }

  draw() {
    const { sheet } = this;
    sheet.drawImage(this.picture, 0, 0, this.width, this.height);
    sheet.globalAlpha = 0.5;
    sheet.drawImage(this.mask, 0, 0);
    sheet.globalAlpha = 1;
    const pixel = this.width / Math.max(this.canvas.clientWidth, 1);
    for (const [colour, wide] of [["black", 3], [this.adds ? "white" : "#ffb000", 1.5]]) {
      sheet.strokeStyle = colour;
      sheet.lineWidth = wide * pixel;
      sheet.beginPath();
      sheet.arc(this.cursor.x, this.cursor.y, this.size / 2, 0, 7);
      sheet.stroke();
    }
    this.info.textContent = `${this.adds ? "adds" : "erases"} · brush of ${Math.round(this.size)} pixels · zoom ${this.zoom.toFixed(1)}`;
  }

  /** The mask as a PNG of the photo's size: white where the object is. */
  content() {
    const given = this.paper.getImageData(0, 0, this.width, this.height);
    for (let at = 0; at < given.data.length; at += 4) {
      given.data.fill(given.data[at + 3], at, at + 3);
      given.data[at + 3] = 255;
    }
    const sheet = el("canvas", { width: this.width, height: this.height });
    sheet.getContext("2d").putImageData(given, 0, 0);
    return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
  }

  async finish() {
    if (await this.save(await this.content())) {
      this.dialog.close();
      return;
    }
    this.error.textContent = "The mask was not saved; try again, or cancel to see why.";
    this.error.hidden = false;
  }
}

function clamp(value, limit) {
  return Math.min(Math.max(value, 0), limit);
}
