"use strict";
// The rules of `mycanvas select` (builder/stages/select/rules.py): people's ranks and flags, bounds, attempts,
// near-duplicates, quotas, the number to keep.

// thresholds: [{key, index, bound}], sorted by score. Returns the reason of each row, null where it is kept, and for a
// near-duplicate the row that it repeats. rows are sorted by id.
function select(rows, thresholds, quota) {
  const reasons = rows.map((row) => failedRule(row, thresholds, quota));
  dropOtherAttempts(rows, reasons, quota);
  const repeats = new Map();
  const turns = new Map();
  const groups = new Map();
  rows.forEach((row, at) => {
    if (reasons[at] !== null) return;
    if (!groups.has(row.composition)) groups.set(row.composition, []);
    groups.get(row.composition).push(at);
  });
  for (const group of groups.values()) {
    const distinct = [];
    let kept = 0;
    for (const at of bestFirst(rows, group, quota)) {
      const same = distinct.find((other) => bitsBetween(rows[at], rows[other]) <= quota.duplicate_bits);
      if (same !== undefined) {
        reasons[at] = "near-duplicate";
        repeats.set(at, same);
      } else if (quota.per_composition !== null && kept >= quota.per_composition) {
        reasons[at] = "quota";
      } else {
        distinct.push(at);
        reasons[at] = rows[at].refused ?? null;
        if (reasons[at] === null) turns.set(at, kept += 1);
      }
    }
  }
  dropUnneeded(rows, reasons, quota, turns);
  return { reasons, repeats };
}

// Of the attempts at a scene, the best ranked stays, else the first.
function dropOtherAttempts(rows, reasons, quota) {
  const best = new Map();
  rows.forEach((row, at) => {
    if (reasons[at] !== null) return;
    const scene = row.scene ?? row.id;
    const other = best.get(scene);
    const better = other === undefined || (rankOf(row, quota) ?? 0) > (rankOf(rows[other], quota) ?? 0);
    if (other !== undefined) reasons[better ? other : at] = "another attempt is kept";
    if (better) best.set(scene, at);
  });
}

// The best of each composition in turn stay, those of earlier steps of the plan first.
function dropUnneeded(rows, reasons, quota, turns) {
  if (DATA.keep === null) return;
  const first = new Map();
  rows.forEach((row) => first.set(row.composition, Math.min(row.order, first.get(row.composition) ?? row.order)));
  const rank = (at) => rankOf(rows[at], quota) ?? 0;
  [...turns.keys()].sort((a, b) => rank(b) - rank(a) || (rows[a].step ?? 0) - (rows[b].step ?? 0)
    || turns.get(a) - turns.get(b) || first.get(rows[a].composition) - first.get(rows[b].composition))
    .slice(DATA.keep).forEach((at) => { reasons[at] = "not needed"; });
}

function rankOf(row, quota) {
  return quota.min_rank === null ? null : row.rank ?? null;
}

function failedRule(row, thresholds, quota) {
  const rank = rankOf(row, quota);
  if (rank !== null) return rank < quota.min_rank ? `rank ${rank}` : null;
  if (row.flag !== undefined) return `flagged: ${row.flag}`;
  return failedBound(row, thresholds) ?? row.unaccepted ?? null;
}

function failedBound(row, thresholds) {
  for (const each of thresholds) {
    const value = row.scores[each.index];
    if (value === null || each.bound === null) continue;
    if (each.isMinimum ? value < each.bound : value > each.bound) {
      return `${each.score} ${each.isMinimum ? "<" : ">"} ${shortNumber(each.bound)}`;
    }
  }
  return null;
}

// By people's ranks, then by the step of the plan, then by Borda count in each step: each score orders the scenes, and
// equal values share a place. Ties go by id.
function bestFirst(rows, group, quota) {
  const places = new Map(group.map((at) => [at, 0]));
  const step = (at) => rows[at].step ?? 0;
  for (const own of new Set(group.map(step))) {
    const members = group.filter((at) => step(at) === own);
    for (let index = 0; index < DATA.scores.length; index += 1) {
      const sign = DATA.scores[index].better === "high" ? -1 : 1;
      const scored = members.filter((at) => rows[at].scores[index] !== null);
      scored.sort((a, b) => sign * (rows[a].scores[index] - rows[b].scores[index]));
      let below = 0;
      scored.forEach((at, position) => {
        if (position > 0 && rows[at].scores[index] !== rows[scored[position - 1]].scores[index]) below = position;
        places.set(at, places.get(at) + below);
      });
    }
  }
  const rank = (at) => rankOf(rows[at], quota) ?? 0;
  return [...group].sort((a, b) => rank(b) - rank(a) || step(a) - step(b) || places.get(a) - places.get(b) || a - b);
}

function bitsBetween(one, other) {
  return ones(one.fingerprint[0] ^ other.fingerprint[0]) + ones(one.fingerprint[1] ^ other.fingerprint[1]);
}

function ones(word) {
  let bits = word >>> 0;
  bits -= (bits >>> 1) & 0x55555555;
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function shortNumber(value) {
  return String(Number(value.toPrecision(6)));
}
