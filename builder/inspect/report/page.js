
const DATA = JSON.parse(document.getElementById("data").textContent);
const PLOT = { left: 56, width: 292, top: 24, height: 146 };
const PAGE = 60;
const GROUPS = 12;
const LARGE_STEP = 10;
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

const sliders = DATA.thresholds.map((each) => {
  const figure = document.querySelector(`figure[data-key="${each.key}"]`);
  return {
    ...each,
    first: each.bound,
    isMinimum: each.key.startsWith("min_"),
    index: DATA.scores.findIndex((score) => score.name === each.score),
    low: each.edges[0],
    high: each.edges[each.edges.length - 1],
    digits: Math.max(0, Math.ceil(-Math.log10(each.step) - 1e-9)),
    handle: figure.querySelector(".slider"),
    output: figure.querySelector("output"),
    bars: [...figure.querySelectorAll("rect.kept")],
    tallest: Math.max(...[...figure.querySelectorAll("rect.made")].map((bar) => Number(bar.getAttribute("height")))),
  };
});
const sorted = [...sliders].sort((a, b) => (a.score < b.score ? -1 : 1));
const quota = { ...DATA.quota };
let selection = select(DATA.rows, sorted, quota);
let shown = PAGE;
let groupsShown = GROUPS;
let pending = false;

// The place of a slider is its number of steps from the lower edge of the plot; its loose end means no bound.
function ends(slider) {
  const last = Math.round((slider.high - slider.low) / slider.step);
  const first = Math.max(0, Math.ceil((slider.least - slider.low) / slider.step - 1e-9));
  const most = slider.most === null ? last : Math.floor((slider.most - slider.low) / slider.step + 1e-9);
  return { last, first, end: Math.min(last, most) };
}

function place(slider) {
  const { first, end } = ends(slider);
  if (slider.bound === null) return slider.isMinimum ? first : end;
  return (slider.bound - slider.low) / slider.step;
}

function move(slider, to) {
  const { first, end } = ends(slider);
  const at = Math.min(end, Math.max(first, Math.round(to)));
  const loose = at === (slider.isMinimum ? first : end);
  slider.bound = loose ? null : Number((slider.low + at * slider.step).toFixed(slider.digits));
  draw(slider);
  update();
}

function draw(slider) {
  const { last, first, end } = ends(slider);
  const share = Math.min(1, Math.max(0, place(slider) / last));
  const text = slider.bound === null ? "none" : shortNumber(slider.bound);
  slider.handle.setAttribute("transform", `translate(${PLOT.left + share * PLOT.width} 0)`);
  const value = (at) => shortNumber(slider.low + at * slider.step);
  slider.handle.setAttribute("aria-valuemin", value(first));
  slider.handle.setAttribute("aria-valuemax", value(end));
  slider.handle.setAttribute("aria-valuenow", slider.bound ?? value(place(slider)));
  slider.handle.setAttribute("aria-valuetext", slider.bound === null ? "no bound" : text);
  slider.output.textContent = `${slider.option} ${text}`;
}

function onKey(slider, event) {
  const large = LARGE_STEP;
  const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -large, PageUp: large };
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key in moves) move(slider, beyond(slider, moves[event.key]));
  else if (event.key === "Home") move(slider, 0);
  else if (event.key === "End") move(slider, Infinity);
  else return;
  event.preventDefault();
}

// From a bound between two steps, a step goes to the next one in its direction.
function beyond(slider, by) {
  const at = place(slider);
  const from = Math.abs(at - Math.round(at)) < 1e-6 ? Math.round(at) : by > 0 ? Math.floor(at) : Math.ceil(at);
  return from + by;
}

function listen(slider) {
  const { handle } = slider;
  const svg = handle.ownerSVGElement;
  const follow = (event) => {
    const x = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse()).x;
    move(slider, ((x - PLOT.left) / PLOT.width) * ends(slider).last);
  };
  handle.addEventListener("keydown", (event) => onKey(slider, event));
  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    handle.setPointerCapture(event.pointerId);
    handle.focus();
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) follow(event);
  });
}

function update() {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    selection = select(DATA.rows, sorted, quota);
    [shown, groupsShown] = [PAGE, GROUPS];
    show();
  });
}

function show() {
  showCounts();
  byId("command").textContent = command();
  sliders.forEach(showBars);
  showSheet();
  showGroups();
}

function showCounts() {
  const kept = DATA.rows.filter((_, at) => selection.reasons[at] === null);
  const perSplit = DATA.splits.map((name, at) => `${name} ${kept.filter((row) => row.split === at).length}`);
  byId("kept").textContent = kept.length;
  byId("kept_by_split").textContent = perSplit.join(", ");
  const reasons = new Map();
  selection.reasons.filter((reason) => reason !== null).forEach((reason) => {
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  });
  const most = [...reasons].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason}: ${count}`);
  byId("dropped").textContent = most.length ? `dropped by ${most.join(", ")}` : "none dropped";
}

// Complete: DATA.command starts from the profile, and has the settings that the page cannot change.
function command() {
  const words = [DATA.command];
  sliders.forEach((slider) => {
    if (slider.bound !== slider.profile) words.push(slider.option, slider.bound === null ? "none" : String(slider.bound));
  });
  for (const key of Object.keys(quota)) {
    if (quota[key] !== DATA.profile[key]) words.push(`--${key.replaceAll("_", "-")}`, quota[key] === null ? "none" : String(quota[key]));
  }
  return words.join(" ");
}

function showBars(slider) {
  const counts = slider.bars.map(() => 0);
  let highest = 0;
  const all = slider.bars.map(() => 0);
  DATA.rows.forEach((row, at) => {
    const value = row.scores[slider.index];
    if (value === null) return;
    const bin = binOf(slider.edges, value);
    all[bin] += 1;
    highest = Math.max(highest, all[bin]);
    if (selection.reasons[at] === null) counts[bin] += 1;
  });
  slider.bars.forEach((bar, at) => {
    const tall = (counts[at] / (highest || 1)) * slider.tallest;
    bar.setAttribute("height", tall);
    bar.setAttribute("y", PLOT.top + PLOT.height - tall);
  });
}

// As numpy.histogram: a bin has its lower edge, the last one its upper edge too.
function binOf(edges, value) {
  let bin = edges.length - 2;
  while (bin > 0 && value < edges[bin]) bin -= 1;
  return bin;
}

function element(name, attributes, ...children) {
  const made = document.createElementNS(name in { svg: 1, image: 1, rect: 1, path: 1 } ? SVG : "http://www.w3.org/1999/xhtml", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.append(...children);
  return made;
}

function tile(row, note) {
  const [width, height] = row.size;
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${row.id}: ${row.caption}` });
  svg.append(element("image", { href: row.image, width, height }));
  row.masks.forEach((path, at) => {
    const colour = DATA.colours[at];
    const paint = { fill: colour, "fill-opacity": 0.45, stroke: colour, "stroke-width": 1, "fill-rule": "evenodd" };
    svg.append(element("path", { class: "mask", d: path, ...paint }));
  });
  row.boxes.forEach(([x, y, w, h], at) => {
    const frame = { class: "box", x, y, width: w, height: h, fill: "none" };
    svg.append(element("rect", { ...frame, stroke: "#fff", "stroke-opacity": 0.7, "stroke-width": 3 }));
    svg.append(element("rect", { ...frame, stroke: DATA.colours[at], "stroke-width": 1.6 }));
  });
  const words = element("figcaption", {}, element("b", {}, row.id), ` ${row.caption} `);
  if (note) words.append(element("span", { class: "why" }, note));
  return element("figure", {}, svg, words);
}

function chosen() {
  const [state, composition, order] = ["state", "composition", "order"].map((id) => byId(id).value);
  const found = DATA.rows.map((_, at) => at).filter((at) => {
    const kept = selection.reasons[at] === null;
    const asked = state === "all" || kept === (state === "kept");
    return asked && (composition === "" || DATA.rows[at].composition === Number(composition));
  });
  const [index, end] = order.split(" ");
  if (order === "plan") return found.sort((a, b) => DATA.rows[a].order - DATA.rows[b].order);
  const sign = (DATA.scores[index].better === "high") === (end === "best") ? -1 : 1;
  const measured = found.filter((at) => DATA.rows[at].scores[index] !== null);
  return measured.sort((a, b) => sign * (DATA.rows[a].scores[index] - DATA.rows[b].scores[index]) || a - b);
}

function showSheet() {
  const found = chosen();
  const pictured = found.filter((at) => DATA.rows[at].image);
  byId("sheet_count").textContent = `${found.length} of ${DATA.rows.length} scenes.`;
  const score = byId("order").value.split(" ")[0];
  byId("sheet").replaceChildren(...pictured.slice(0, shown).map((at) => tile(DATA.rows[at], note(at, score))));
  byId("more").hidden = pictured.length <= shown;
}

function note(at, index) {
  const parts = index === "plan" ? [] : [`${DATA.scores[index].name} ${DATA.rows[at].scores[index].toFixed(3)}`];
  if (selection.reasons[at] !== null) parts.push(`dropped: ${selection.reasons[at]}`);
  return parts.join("; ");
}

function showGroups() {
  const groups = new Map();
  selection.repeats.forEach((kept, at) => groups.set(kept, [...(groups.get(kept) ?? []), at]));
  const ordered = [...groups].sort((a, b) => b[1].length - a[1].length || a[0] - b[0]);
  const dropped = selection.repeats.size;
  byId("duplicate_count").textContent = `${ordered.length} groups, ${dropped} scenes dropped.`;
  byId("duplicate_groups").replaceChildren(...ordered.slice(0, groupsShown).map(([kept, others]) => {
    const tiles = [[kept, "kept"], ...others.map((at) => [at, `differs by ${bitsBetween(DATA.rows[at], DATA.rows[kept])} of 64 bits`])];
    const drawn = tiles.filter(([at]) => DATA.rows[at].image).map(([at, words]) => tile(DATA.rows[at], words));
    return element("div", { class: "group" }, ...drawn);
  }));
  byId("more_groups").hidden = ordered.length <= groupsShown;
}

async function copy() {
  const line = byId("command");
  const range = document.createRange();
  range.selectNodeContents(line);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  let done = false;
  try {
    await navigator.clipboard.writeText(line.textContent);
    done = true;
  } catch {
    done = document.execCommand("copy");
  }
  byId("copied").textContent = done ? "Copied." : "Not copied: press Ctrl+C; the line is selected.";
}

function reset() {
  sliders.forEach((slider) => {
    slider.bound = slider.first;
    draw(slider);
  });
  Object.assign(quota, DATA.quota);
  byId("per_composition").value = quota.per_composition ?? "";
  byId("duplicate_bits").value = quota.duplicate_bits;
  if (byId("min_rank")) byId("min_rank").value = quota.min_rank ?? "";
  update();
}

function start() {
  sliders.forEach((slider) => {
    draw(slider);
    listen(slider);
  });
  DATA.compositions.forEach((name, at) => byId("composition").append(element("option", { value: at }, name)));
  sliders.forEach(({ score, index }) => {
    for (const end of ["worst", "best"]) byId("order").append(element("option", { value: `${index} ${end}` }, `${score}, ${end} first`));
  });
  byId("per_composition").addEventListener("input", (event) => {
    quota.per_composition = event.target.value === "" ? null : Math.max(1, Math.floor(event.target.valueAsNumber));
    update();
  });
  byId("duplicate_bits").addEventListener("input", (event) => {
    if (Number.isNaN(event.target.valueAsNumber)) return;
    quota.duplicate_bits = Math.min(64, Math.max(-1, Math.floor(event.target.valueAsNumber)));
    update();
  });
  byId("min_rank")?.addEventListener("input", (event) => {
    quota.min_rank = event.target.value === "" ? null : Math.min(5, Math.max(1, Math.floor(event.target.valueAsNumber)));
    update();
  });
  for (const id of ["state", "composition", "order"]) byId(id).addEventListener("change", () => { shown = PAGE; showSheet(); });
  for (const kind of ["boxes", "masks"]) {
    byId(kind).addEventListener("change", (event) => {
      for (const id of ["sheet", "duplicate_groups"]) byId(id).classList.toggle(`hide-${kind}`, !event.target.checked);
    });
    for (const id of ["sheet", "duplicate_groups"]) byId(id).classList.toggle(`hide-${kind}`, !byId(kind).checked);
  }
  byId("more").addEventListener("click", () => { shown += PAGE; showSheet(); });
  byId("more_groups").addEventListener("click", () => { groupsShown += GROUPS; showGroups(); });
  byId("copy").addEventListener("click", copy);
  byId("reset").addEventListener("click", reset);
  show();
}

start();
