"""The works and the calls of a campaign, and its output."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from tests.write_errors.campaign import Campaign, Report
from tests.write_errors.failing_disk import MODES
from tests.write_errors.work import Place, draw_photos, works

SHORT = {"build": 6, "select": 2, "ratings": 2, "export coco": 2}
"""Works of the short form, and the number of their calls that fail in each mode."""
HEADS = ("calls", "runs", "reported", "endured", "faults")


def run(scratch: Path, words: str, report: Path | None, *, short: bool) -> int:
    """Run the works whose names contain `words`, and print their outcomes; return the exit code."""
    place = Place(photos=scratch / "photos", root=scratch / "place")
    draw_photos(place.photos)
    os.environ.update(place.environment())
    campaign = Campaign(place, scratch)
    print(f"{'work':24} {'fails by':10} {' '.join(f'{head:>8}' for head in HEADS)}  failed calls")
    total: Counter[str] = Counter()
    for work in works(place):
        campaign.learn(work)
        if words not in work.name or (short and work.name not in SHORT):
            continue
        for found in campaign.run(work, MODES, _some(SHORT[work.name]) if short else _every):
            _print(found)
            total.update(runs=found.runs, faults=len(found.faults))
            if report:
                with report.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(found)) + "\n")
    print(f"{total['runs']} runs left {campaign.states} states, each resumed; {total['faults']} faults")
    return 1 if total["faults"] or not total["runs"] else 0


def _every(calls: list[str]) -> Iterable[int]:
    return range(1, len(calls) + 1)


def _some(count: int) -> Callable[[list[str]], Iterable[int]]:
    """Choose this many calls, evenly spread."""
    return lambda calls: sorted({1 + index * len(calls) // count for index in range(count)})


def _print(found: Report) -> None:
    numbers = (found.calls, found.runs, found.reported, found.endured, len(found.faults))
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(found.kinds.items()))
    unreached = f"; {found.unreached} not reached" if found.unreached else ""
    print(
        f"{found.work:24} {found.mode:10} {' '.join(f'{number:8}' for number in numbers)}  {kinds}{unreached}",
        flush=True,
    )
    for fault in found.faults:
        print(f"  {fault}", flush=True)
