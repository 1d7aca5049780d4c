"""The works and the calls of a campaign, and its output."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.write_errors.campaign import Campaign, Report
from tests.write_errors.work import Place, draw_photos, works

SHORT = {"build": 90, "select": 20, "ratings": 110, "export coco": 30}
"""Works of the short form; in each mode, every call of so many fails."""
HEADS = ("calls", "runs", "reported", "endured", "faults")


def run(scratch: Path, words: str, report: Path | None, *, short: bool, every: int) -> int:
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
        for found in campaign.run(work, SHORT[work.name] if short else every):
            _print(found)
            total.update(runs=found.runs, faults=len(found.faults))
            if report:
                with report.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(found)) + "\n")
    print(f"{total['runs']} runs left {campaign.states} states, each resumed; {total['faults']} faults")
    return 1 if total["faults"] or not total["runs"] else 0


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
