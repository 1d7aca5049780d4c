"use strict";
// The rule of `mycanvas select` (builder/stages/select.py): bounds, then near-duplicates, then quotas.

// thresholds: [{key, index, bound}], sorted by score. Returns the reason of each row, null where it is kept, and for a
// near-duplicate the row that it repeats. rows are sorted by id.
function select(rows, thresholds, quota) {
  const reasons = rows.map((row) => failedBound(row, thresholds));
  const repeats = new Map();
  const groups = new Map();
  rows.forEach((row, at) => {
    if (reasons[at] !== null) return;
    if (!groups.has(row.composition)) groups.set(row.composition, []);
    groups.get(row.composition).push(at);
  });
  for (const group of groups.values()) {
    const kept = [];
    for (const at of bestFirst(rows, group)) {
      const same = kept.find((other) => bitsBetween(rows[at], rows[other]) <= quota.duplicate_bits);
      if (same !== undefined) {
        reasons[at] = "near-duplicate";
        repeats.set(at, same);
      } else if (quota.per_composition !== null && kept.length >= quota.per_composition) {
        reasons[at] = "quota";
      } else {
        kept.push(at);
      }
    }
  }
  return { reasons, repeats };
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

// Borda count: each score ranks the scenes of a composition, and equal values share a rank. Ties go by id.
function bestFirst(rows, group) {
  const ranks = new Map(group.map((at) => [at, 0]));
  for (let index = 0; index < DATA.scores.length; index += 1) {
    const sign = DATA.scores[index].better === "high" ? -1 : 1;
    const scored = group.filter((at) => rows[at].scores[index] !== null);
    scored.sort((a, b) => sign * (rows[a].scores[index] - rows[b].scores[index]));
    let below = 0;
    scored.forEach((at, position) => {
      if (position > 0 && rows[at].scores[index] !== rows[scored[position - 1]].scores[index]) below = position;
      ranks.set(at, ranks.get(at) + below);
    });
  }
  return [...group].sort((a, b) => ranks.get(a) - ranks.get(b) || a - b);
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
