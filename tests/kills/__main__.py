"""The campaign: python -m tests.kills [--kills N] [--seed S] [--short].

Commands of mycanvas are disturbed at random moments, which follow from the seed and from how fast they run: SIGKILL of
the command, of a worker, of a Ray worker and of a node of Ray; SIGTERM; several commands at once. Each is resumed by
the same command, and what it leaves in the end is compared with what an undisturbed one leaves. Prints the counts; ends
with 1 if anything differs, or if fewer processes were killed than was asked for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from math import ceil
from pathlib import Path

from tests.kills.builders import MEETINGS, meet
from tests.kills.campaign import PARENT, SIGTERM, WORKER, Campaign, Way
from tests.kills.ray_kills import kill_on_ray
from tests.kills.s3_kills import s3_places

KILLS, SHORT = 220, 24
"""SIGKILLs of the full and of the short form; each kind of step adds at least one."""
ONE, TWO = ("--workers", "1"), ("--workers", "2")
IN_FOLDERS: tuple[tuple[str, Way, int, tuple[str, ...], str], ...] = (
    ("build", PARENT, 14, ONE, "parent"),
    ("growing", PARENT, 14, ONE, "parent"),
    ("keep", PARENT, 14, ONE, "parent"),
    ("build", PARENT, 8, (*ONE, "--part", "0/1"), "parent (--part)"),
    ("select", PARENT, 10, (), "parent"),
    ("clean", PARENT, 4, (), "parent"),
    ("build", PARENT, 16, TWO, "parent with workers"),
    ("growing", PARENT, 8, TWO, "parent with workers"),
    ("build", WORKER, 32, TWO, "worker"),
    ("growing", WORKER, 14, TWO, "worker"),
    ("build", SIGTERM, 12, ONE, "SIGTERM"),
    ("growing", SIGTERM, 6, TWO, "SIGTERM"),
    ("select", SIGTERM, 4, (), "SIGTERM"),
)
"""Disturbances of works in folders: the work, the way, how often in the full form, words of the command, the kind."""
AT_URLS = (("build", PARENT, 18, ONE, "parent, S3"), ("growing", PARENT, 6, ONE, "parent, S3"),
           ("build", WORKER, 10, TWO, "worker, S3"))  # fmt: skip
"""The same at URLs."""
ON_RAY = {"workers": 32, "raylets": 14, "parents": 10}
ROUNDS, KILLED_ROUNDS = 3, 2
"""How often each meeting of several commands takes place, and how often one of them is killed."""


def main() -> int:
    """Run the campaign and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS, help="SIGKILLs in all, about")
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--short", action="store_true", help=f"about {SHORT} SIGKILLs")
    given = parser.parse_args()
    kills, began = SHORT if given.short else given.kills, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch:
        campaign = Campaign(Path(scratch), given.seed)
        run(campaign, kills / KILLS)
    killed = campaign.hits.total() - sum(count for key, count in campaign.hits.items() if key[0] == SIGTERM.name)
    print("\n".join(report(campaign)))
    print(
        f"{killed} SIGKILLs, {campaign.hits.total() - killed} SIGTERMs; {campaign.compared} results compared with "
        f"undisturbed ones; {len(campaign.faults)} faults; seed {given.seed}, {time.monotonic() - began:.0f} s"
    )
    return 1 if campaign.faults or killed < kills else 0


def run(campaign: Campaign, scale: float) -> None:
    """Run all steps, each as often as the full form does times the scale, at least once."""
    in_folders(campaign, scale)
    at_once(campaign, scale)
    at_urls(campaign, scale)
    on_ray(campaign, scale)
    campaign.check_inputs()


def report(campaign: Campaign) -> Iterator[str]:
    """The counts and the faults of a campaign."""
    for title, place in (("what was hit", 0), ("work", 1), ("stage", 2)):
        counts = Counter[str]()
        for key, count in campaign.hits.items():
            counts[key[place]] += count
        yield f"by {title}: {', '.join(f'{name} {count}' for name, count in counts.most_common())}"
    for (kind, work, stage), count in sorted(campaign.hits.items()):
        yield f"{kind} | {work} | {stage} | {count}"
    for (meeting, end), count in sorted(campaign.ends.items()):
        yield f"{meeting}: {count} x {end}"
    for fault in campaign.faults:
        yield f"fault: {fault}"


def in_folders(campaign: Campaign, scale: float) -> None:
    """Disturb works in folders."""
    for work, way, number, words, kind in IN_FOLDERS:
        tell(f"{ceil(number * scale)} x {kind} of {work}")
        campaign.disturb(work, way, ceil(number * scale), words, kind=kind)


def at_once(campaign: Campaign, scale: float) -> None:
    """Start several commands at once."""
    for meeting in MEETINGS:
        tell(meeting.name)
        for kills in [0] * ceil(ROUNDS * scale) + [1] * ceil(KILLED_ROUNDS * scale):
            meet(campaign, meeting, kills)


def at_urls(campaign: Campaign, scale: float) -> None:
    """Disturb works on an S3 server."""
    with s3_places(campaign) as places:
        for work, way, number, words, kind in AT_URLS:
            tell(f"{ceil(number * scale)} x {kind} of {work}")
            campaign.disturb(work, way, ceil(number * scale), words, places, kind)


def on_ray(campaign: Campaign, scale: float) -> None:
    """Kill processes of a Ray cluster."""
    tell("Ray")
    kill_on_ray(campaign, **{kind: ceil(number * scale) for kind, number in ON_RAY.items()})


def tell(step: str) -> None:
    """Report the step that begins."""
    print(f"{time.strftime('%H:%M:%S')} {step}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
