"""Build with several processes or machines that share the output folder: each makes a part of the plan's shards."""

from __future__ import annotations

import logging
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from builder.config import BuildConfig
from builder.pipeline.build import Setup, cut_out_first, make_dataset, prepare, set_up, started
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.changes import built_otherwise, changes
from builder.pipeline.claim import claim, share
from builder.pipeline.context import Part
from builder.pipeline.finalize import Summary
from builder.pipeline.prepare import paint_all
from builder.pipeline.remote import in_output
from builder.pipeline.shard import make_scenes, missing_shards
from mycanvas.errors import ConfigError, InUseError
from mycanvas.io.messages import counted
from mycanvas.io.text import shown

log = logging.getLogger("mycanvas")

LISTED = 8
"""Parts with shards left that the report names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartReport:
    """The result of a part that was not the last one. left: the shards that are not made, by the part of each."""

    folder: BuildFolder
    part: Part
    left: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        return {"folder": self.folder.place, "part": str(self.part), "left": self.left}

    def lines(self) -> list[str]:
        """Lines for a terminal."""
        parts = [f"{part} ({count})" for part, count in self.left.items()]
        listed = ", ".join(parts[:LISTED]) + (", …" if len(parts) > LISTED else "")
        return [
            f"part {self.part} is made; {counted(sum(self.left.values()), 'shard')} of other parts left: {listed}",
            "the last part to end makes the dataset, as does the same command without --part",
        ]


def parse_part(text: str) -> Part:
    """Read a part as the command line names it.

    Raises:
        ConfigError: it is not of the form I/N, with I from 0 to N-1.
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if not match or int(match[1]) >= int(match[2]):
        raise ConfigError(f'--part must be I/N with I from 0 to N-1, such as 0/4, got "{shown(text)}"')
    return Part(index=int(match[1]), count=int(match[2]))


def build_part(config: BuildConfig, part: Part) -> Summary | PartReport:
    """Make one part of a build, while other processes make others; the last one to end makes the dataset.

    Whoever comes first plans the scenes and prepares what they show, while the others wait.

    Raises:
        ConfigError, InputError, ModelError, StoreError: as `build`.
    """
    return in_output(config.output, partial(_build_part, config, part), shared=True)


def _build_part(config: BuildConfig, part: Part, folder: BuildFolder) -> Summary | PartReport:
    setup = set_up(config, folder)
    left = _make_part(setup, part)
    while left is None:  # a process that planned was stopped, or parts of the plan as it was before it grew are at work
        left = _make_part(setup, part, wait=True)
    if left:
        return PartReport(folder=folder, part=part, left=dict(left))
    with claim(folder, setup.request, wait=True):
        summary = make_dataset(config, folder)
    kept = sum(summary.funnel.kept.values())
    if config.keep is not None and kept < config.keep:
        log.warning(
            "%d of the %d scenes to keep are kept; run it once without --part, which makes more",
            *(kept, config.keep),
        )
    return summary


def _check_same_build(setup: Setup) -> None:
    """Refuse another configuration, even one that only adds to it, until all parts of the plan are made.

    Raises:
        StoreError: the message says what differs.
    """
    folder = setup.folder
    is_at_work = folder.is_planned() and missing_shards(folder, folder.plan())
    if is_at_work and (found := changes(folder.request(), setup.request)):
        raise built_otherwise(folder.place, found)


def _make_part(setup: Setup, part: Part, *, wait: bool = False) -> Counter[str] | None:
    """Plan the scenes, unless another process does, and make those of a part; wait: plan after other processes.

    Returns:
        The number of shards that are left, by the part of each; None: the plan lacks scenes, so nothing was made.
    """
    folder = setup.folder
    with suppress(InUseError), claim(folder, setup.request, wait=wait), started(setup) as context:
        _check_same_build(setup)
        prepare(cut_out_first(context, setup.inputs))
    with share(folder, setup.request) as planned:
        if not planned:
            return None
        _check_same_build(setup)
        with started(setup, part) as context:
            if not cut_out_first(context, setup.inputs).is_complete():
                return None
            plan = folder.plan()
            paint_all(context, plan)  # where the process that planned was killed before it had
            make_scenes(context, plan, setup.inputs.backgrounds)
            return Counter(str(Part(shard % part.count, part.count)) for shard in missing_shards(folder, plan))
