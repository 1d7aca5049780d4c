"""The campaign: python -m tests.fuzz [--scale F] [--seed N] [--workers N] [--target WORDS] [--report FILE].

Every input follows from the seed, its target and its number. A full campaign has 1.25 million inputs. It ends
with 1 if an input broke a promise, hung, or ended its process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.campaign import run_campaign
from tests.fuzz.targets import all_targets


def main() -> int:
    """Run the campaign and print the outcomes of each target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of inputs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--target", default="", help="only targets whose names contain this")
    parser.add_argument("--report", type=Path, help="a JSON Lines file for the outcomes, with all findings")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        targets = [target for name, target in all_targets(Path(scratch)).items() if given.target in name]
    total = wrong = 0
    heads = ("inputs", "accepted", "refused", "broken", "died", "ms each", "slowest")
    print(f"{'target':26} {' '.join(f'{head:>9}' for head in heads)}")
    for report in run_campaign(targets, given.seed, given.scale, given.workers):
        total += report.inputs
        wrong += report.broken + len(report.died)
        each = 1000 * report.seconds / report.inputs
        numbers = f"{report.inputs:9} {report.accepted:9} {report.refused:9} {report.broken:9} {len(report.died):9}"
        print(f"{report.name:26} {numbers} {each:9.2f} {report.slowest[0]:9.2f}", flush=True)
        for finding in report.findings:
            times = report.kinds.get(finding["kind"], 1)
            print(f"  {times} x {finding['kind']}; number {finding['index']}: {finding['shown'][:200]}")
        for number, words in report.died:
            print(f"  number {number} ended its process: {' '.join(words.split())[:300]}")
        if given.report:
            with given.report.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(report)) + "\n")
    print(f"{total} inputs with seed {given.seed}; {wrong} broke a promise")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
