// Shared by the tabs: elements, requests, the rater, keys, help and announcements.
// Text of the dataset is only ever set as text, never as HTML.

const BASE = document.baseURI;

export const facts = fetch(new URL("api/facts", BASE)).then((answer) => answer.json());

/** An element with properties and children; strings become text. Keys with a dash or "role" become attributes. */
export function el(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name || "div");
  made.classList.add(...classes);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export const address = (path) => new URL(path, BASE).href;

/** An error whose message may be shown; `lasting`: sending again would give it again. */
export class Refused extends Error {
  constructor(message, lasting) {
    super(message);
    this.lasting = lasting;
  }
}

/** Ask our server. Throws Refused. */
export async function ask(path, body, { raw = false } = {}) {
  let answer;
  try {
    answer = await fetch(address(path), body === undefined ? {} : {
      method: "POST",
      headers: raw ? {} : { "Content-Type": "application/json" },
      body: raw ? body : JSON.stringify(body),
    });
  } catch {
    throw new Refused("the server does not answer; is `mycanvas review` still running?", false);
  }
  if (answer.ok) return answer.json();
  if (answer.status === 403 || answer.status === 404) {
    throw new Refused("the server was started again: open the address that it printed", false);
  }
  const { error } = await answer.json().catch(() => ({}));
  throw new Refused(error || `the server failed (${answer.status})`, answer.status === 422);
}

const session = crypto.randomUUID();

/** Something that a person enters; by its id, the server stores it once however often it is sent. */
export function eventOf(rater, values = {}) {
  return { id: crypto.randomUUID(), rater, session, ...values };
}

/** Names to call a person by; asked once, kept in the browser. */
export async function rater() {
  const { rater: given } = await facts;
  return given || localStorage.getItem("mycanvas rater") || "";
}

/** A bar with the progress, the rater and what is not saved yet; and a line that screen readers announce. */
export class Bar {
  constructor(root, title) {
    this.progress = el("progress", { max: 1, value: 0, "aria-label": `${title}: progress` });
    this.count = el("span.mc-count");
    this.saving = el("span.mc-saving", { role: "status" });
    this.who = el("button.mc-link", { type: "button", title: "another person rates (n)" });
    this.help = el("button.mc-key", { type: "button", title: "keys (?)", "aria-label": "show the keys" }, "?");
    this.live = el("span.mc-live", { role: "status", "aria-live": "polite" });
    this.heard = el("span.mc-heard", { role: "status", "aria-live": "polite" });
    this.error = el("div.mc-error", { role: "alert", hidden: true });
    this.tools = el("div.mc-tools", { role: "toolbar", "aria-label": "actions" });
    this.element = el("header.mc-bar", {}, this.progress, this.count, this.saving, this.live, this.who, this.help, this.tools, this.heard);
    root.append(this.element, this.error);
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

  fail(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
  }

  watch(outbox) {
    const show = ({ waiting, reason, refused }) => {
      this.saving.classList.toggle("mc-waiting", waiting > 0);
      this.saving.textContent = waiting ? `${waiting} not saved yet${reason ? `: ${reason}` : ""}` : "all saved";
      if (refused) this.fail(`not saved: ${refused}`);
    };
    outbox.watch(show);
  }
}

/** Ask for the rater's name in a dialog; resolves to the name. */
export function askRater(current) {
  return new Promise((resolve) => {
    const name = el("input", { type: "text", value: current, maxLength: 80, required: true, id: "mc-rater", autocomplete: "off" });
    const form = el("form", { method: "dialog" },
      el("label", { for: "mc-rater" }, "Your name"),
      el("p", {}, "Ranks are kept by name. People do not see each other's."),
      name,
      el("div.mc-buttons", {}, el("button.mc-primary", { type: "submit" }, "Start")));
    const dialog = el("dialog.mc-dialog", {}, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = name.value.trim();
      if (!given) return;
      localStorage.setItem("mycanvas rater", given);
      document.dispatchEvent(new CustomEvent("mycanvas-rater", { detail: given }));
      dialog.close();
      resolve(given);
    });
    dialog.addEventListener("cancel", (event) => current ? resolve(current) : event.preventDefault());
    show(dialog);
    name.select();
  });
}

/** Show a dialog, and remove it when it closes. Keys within it stay in it. */
export function show(dialog) {
  const parent = document.createElement("div");
  parent.className = "mc";
  document.body.append(parent);
  parent.append(dialog);
  dialog.addEventListener("close", () => parent.remove());
  dialog.showModal();
}

const modals = () => document.querySelector("dialog[open]") !== null;
const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

/** The key of an event: letters in lower case, "u" for Ctrl+Z; null with another modifier than Shift. */
export function keyOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey || event.altKey) return key === "z" && !event.altKey ? "u" : null;
  return key;
}

/**
 * Keys of a tab: handlers by key; they get the event. Active while the tab is visible, no dialog is open, and nobody
 * types. `described`: rows [keys, meaning] of the overlay that "?" opens.
 */
export function bindKeys(root, handlers, described) {
  const all = {
    "?": () => showHelp(described),
    ",": () => changeTab(-1),
    ".": () => changeTab(1),
    ...handlers,
  };
  root.tabIndex = -1;
  leaveTab(root);
  document.addEventListener("click", (event) => event.target.closest("[role=tab]") && setTimeout(() => leaveTab(root)));
  document.addEventListener("keydown", (event) => {
    if (root.offsetParent === null || modals() || event.defaultPrevented) return;
    if (typing(event.target)) return;
    const key = keyOf(event);
    if (key === null) return;
    const onButton = event.target.closest("button, a, summary, [role=tab]") !== null;
    if (onButton && (key === "Enter" || key === " ") && !event.target.closest("[data-keys]")) return;
    if (event.target.closest("[role=tab]") && key.startsWith("Arrow")) return;
    const handler = all[key];
    if (!handler) return;
    event.preventDefault();
    handler(event);
  });
}

/** Move the focus from the tab that was opened to its page, where arrows and Enter have other meanings. */
function leaveTab(root) {
  if (root.offsetParent !== null && document.activeElement?.closest("[role=tab]")) root.focus({ preventScroll: true });
}

export function showHelp(described) {
  const rows = [...described, [", .", "previous and next tab"], ["?", "this help; Esc closes it"]];
  const dialog = el("dialog.mc-dialog", { "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("table", {}, ...rows.map(([keys, meaning]) =>
      el("tr", {}, el("td", {}, ...keys.split(" ").map((key) => el("kbd", {}, key))), el("td", {}, meaning)))),
    el("form.mc-buttons", { method: "dialog" }, el("button.mc-primary", {}, "Close")));
  show(dialog);
}

export function changeTab(step) {
  const tabs = [...document.querySelectorAll("[role=tab]")].filter((tab) => tab.offsetParent !== null);
  const at = tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
  const next = tabs[(at + step + tabs.length) % tabs.length];
  if (next) next.click();
}

export function openTab(title) {
  const found = [...document.querySelectorAll("[role=tab]")].find((tab) => tab.textContent.trim() === title);
  if (found) found.click();
}

/** A text typed in a dialog; null if it was cancelled. */
export function askText({ title, text = "", note = "", lines = 1, check = async () => {} }) {
  return new Promise((resolve) => {
    const field = lines > 1 ? el("textarea", { value: text, rows: lines, maxLength: 1000 }) : el("input", { type: "text", value: text, maxLength: 200 });
    field.setAttribute("aria-label", title);
    const error = el("p.mc-error", { role: "alert", hidden: true });
    const form = el("form", { method: "dialog" }, el("h2", {}, title), note ? el("p", {}, note) : null, field, error,
      el("div.mc-buttons", {}, el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), el("button.mc-primary", { type: "submit" }, "Save")));
    const dialog = el("dialog.mc-dialog", {}, form);
    let result = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await check(field.value);
      } catch (refused) {
        error.textContent = refused.message;
        error.hidden = false;
        return;
      }
      result = field.value;
      dialog.close();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (lines === 1 || event.ctrlKey || !event.shiftKey)) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    dialog.addEventListener("close", () => resolve(result));
    show(dialog);
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  });
}

/** One of several choices, by its number or by arrows and Enter; null if it was cancelled. */
export function askChoice(title, choices) {
  return new Promise((resolve) => {
    let result = null;
    const buttons = choices.map((choice, index) => el("button.mc-choice", {
      type: "button",
      onclick: () => { result = index; dialog.close(); },
    }, el("kbd", {}, String(index + 1)), choice.picture ? el("img", { src: choice.picture, alt: "" }) : null, choice.text));
    const dialog = el("dialog.mc-dialog", { "aria-label": title }, el("h2", {}, title), ...buttons,
      el("form.mc-buttons", { method: "dialog" }, el("button", {}, "Cancel")));
    dialog.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(document.activeElement);
      if (event.key >= "1" && event.key <= String(buttons.length)) buttons[Number(event.key) - 1].click();
      else if (event.key === "ArrowDown") buttons[(at + 1) % buttons.length].focus();
      else if (event.key === "ArrowUp") buttons[(at - 1 + buttons.length) % buttons.length].focus();
      else return;
      event.preventDefault();
    });
    dialog.addEventListener("close", () => resolve(result));
    show(dialog);
    buttons[0].focus();
  });
}
