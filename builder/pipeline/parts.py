"""Build with several processes or machines that share the output folder: each makes a part of the plan's shards."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from builder.config import BuildConfig
from builder.pipeline.build import make_dataset, prepare, set_up, started
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.claim import claim, share
from builder.pipeline.context import Part
from builder.pipeline.finalize import Summary
from builder.pipeline.remote import in_output
from builder.pipeline.shard import make_scenes, missing_shards
from mycanvas.errors import ConfigError, InUseError
from mycanvas.io.messages import counted
from mycanvas.io.text import shown

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
    left: Counter[str] | None = None
    while left is None:
        with suppress(InUseError), claim(setup.folder, setup.request), started(setup) as context:
            prepare(context, setup.inputs)
        with share(setup.folder, setup.request) as planned:
            if not planned:  # a process that prepared it was stopped
                continue
            with started(setup, part) as context:
                samples, cutouts = prepare(context, setup.inputs)
                make_scenes(context, samples, cutouts)
                left = Counter(str(Part(shard % part.count, part.count)) for shard in missing_shards(context, samples))
    if left:
        return PartReport(folder=setup.folder, part=part, left=dict(left))
    with claim(setup.folder, setup.request, wait=True):
        return make_dataset(config, setup.folder)
