"""Several commands at once on one folder: each ends well or is refused by name, and the result is that of one."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass

from builder.pipeline.build_folder import BuildFolder
from tests.kills.campaign import Campaign
from tests.kills.commands import Command
from tests.kills.places import Stages

REFUSED = ("in use by another process", "in use by parts of its build", "was built with another configuration")
"""Words of the messages that refuse a command by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Meeting:
    """Commands that run at once: for each, its work and more words. result: the work whose result they leave."""

    name: str
    commands: tuple[tuple[str, tuple[str, ...]], ...]
    result: str = "build"


ONE = ("--workers", "1")
MEETINGS = (
    Meeting(name="the same build twice", commands=(("build", ONE), ("build", ONE))),
    Meeting(name="builds with other seeds", commands=(("build", ONE), ("other seed", ONE))),
    Meeting(name="two parts", commands=(("build", (*ONE, "--part", "0/2")), ("build", (*ONE, "--part", "1/2")))),
    Meeting(
        name="the same part twice", commands=(("build", (*ONE, "--part", "0/1")), ("build", (*ONE, "--part", "0/1")))
    ),
    Meeting(
        name="two parts and a build",
        commands=(("build", (*ONE, "--part", "0/2")), ("build", (*ONE, "--part", "1/2")), ("build", ONE)),
    ),
    Meeting(
        name="parts with other seeds",
        commands=(("build", (*ONE, "--part", "0/1")), ("other seed", (*ONE, "--part", "0/1"))),
    ),
    Meeting(name="growing twice", commands=(("growing", ONE), ("growing", ONE)), result="growing"),
    Meeting(
        name="growing in parts",
        commands=(("growing", (*ONE, "--part", "0/2")), ("growing", (*ONE, "--part", "1/2"))),
        result="growing",
    ),
    Meeting(name="the same selection twice", commands=(("select", ()), ("select", ())), result="select"),
)


def meet(campaign: Campaign, meeting: Meeting, kills: int = 0) -> None:
    """Start the commands of a meeting in any order at random moments, kill so many of them, finish, and compare."""
    work = campaign.works[meeting.result]
    campaign.expected(work, campaign.folder)
    place = campaign.fresh(work, campaign.folder)
    stages = Stages(place.folder, work.plans)
    commands: list[Command] = []
    for name, more in campaign.draw.sample(meeting.commands, len(meeting.commands)):
        commands.append(campaign.start(campaign.works[name].words, place, *more))
        campaign.wait(commands[0], work, place, stages)
    for victim in campaign.draw.sample(commands, kills):
        if victim.kill():
            campaign.hits["one of several", meeting.name, "any"] += 1
    ended = Counter[str]()
    for command in commands:
        code = campaign.check(command, dict.fromkeys((0, 1, -signal.SIGKILL), ""), meeting.name)
        end = "killed" if code < 0 else "done" if not code else refusal(command.output())
        if not end:
            campaign.faults.append(f"{meeting.name}: {command.output()[-800:]}")
        ended[end] += 1
    if not kills and not ended["done"]:
        campaign.faults.append(f"{meeting.name}: all commands were refused")
    for end, count in ended.items():
        campaign.ends[meeting.name, end] += count
    winner = BuildFolder(place.folder).request().get("seed") if work.plans else None
    last = campaign.works["other seed"] if winner == 1 else work
    campaign.finish(last, place)
    campaign.compare(last, place, campaign.folder, meeting.name)


def refusal(output: str) -> str:
    """The words by which a command was refused; empty if it failed in another way."""
    errors = "\n".join(line for line in output.splitlines() if line.startswith("error: "))
    return next((words for words in REFUSED if words in errors), "")
