// Shared by the tabs: elements, dialogs, keys and the tabs themselves.
// Text of the dataset is only ever set as text, never as HTML.

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

/** Show a dialog, and remove it when it closes. Keys within it stay in it. */
export function show(dialog) {
  const parent = document.createElement("div");
  parent.className = "mc";
  document.body.append(parent);
  parent.append(dialog);
  dialog.addEventListener("close", () => parent.remove());
  dialog.addEventListener("keydown", (event) => event.repeat && event.key === "Enter" && event.preventDefault());
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
 * types. Held keys repeat `moves` only: an act decides about what its key was pressed for. `described`: rows
 * [keys, meaning] of the overlay that "?" opens.
 */
export function bindKeys(root, { moves = {}, acts }, described) {
  const all = {
    "?": () => showHelp(described),
    ",": () => changeTab(-1),
    ".": () => changeTab(1),
    ...moves,
    ...acts,
  };
  root.tabIndex = -1;
  leaveTab(root);
  document.addEventListener("click", (event) => event.target.closest("[role=tab]") && setTimeout(() => leaveTab(root)));
  document.addEventListener("keydown", (event) => {
    if (root.offsetParent === null || modals() || event.defaultPrevented) return;
    if (typing(event.target)) return;
    const key = keyOf(event);
    if (key === null) return;
    const presses = key === "Enter" || key === " ";
    const onButton = event.target.closest("button, a, summary, [role=tab]") !== null;
    if (event.repeat && !(key in moves) && (key in all || (presses && onButton))) {
      event.preventDefault();
      return;
    }
    if (onButton && presses && !event.target.closest("[data-keys]")) return;
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

// A reload opens the tab that was open.
const OPEN = "mycanvas tab";
openTab(sessionStorage.getItem(OPEN));
document.addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) sessionStorage.setItem(OPEN, tab.textContent.trim());
});

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
      const isNumber = event.key >= "1" && event.key <= String(buttons.length);
      if (isNumber && !event.repeat) buttons[Number(event.key) - 1].click();
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
