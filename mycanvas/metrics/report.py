"""An evaluation as JSON with every number, and as an HTML page: tables, best and worst pictures with boxes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mycanvas.io.images import decode_rgb, quiet_decoding
from mycanvas.metrics.pictures import Picture
from mycanvas.metrics.registry import SCORES
from mycanvas.metrics.results import PictureScores, SeenBox
from mycanvas.metrics.settings import Settings
from mycanvas.metrics.summary import (
    PAPER,
    PUBLISHED,
    Arm,
    details,
    gain,
    gains,
    lines,
    paper_gain,
    remarks,
    rows,
)
from mycanvas.schema import SPLIT_TITLES, SPLITS

EXTREMES = 6
"""Number of best, and of worst, pictures of an arm on the page."""
SIDE = 480
"""Longer side of a picture on the page, in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """An evaluation: its results, models and settings.

    pictures: the pictures of each arm, by its name.
    compositions_left_out: those of which there are pictures that were not to be scored.
    models: their names with revisions, by role: "encoder", "detector".
    precision: where and how they ran ("cuda bfloat16").
    """

    arms: tuple[Arm, ...]
    pictures: Mapping[str, Sequence[Picture]]
    models: Mapping[str, str]
    precision: str
    settings: Settings
    compositions_left_out: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The tables, for a terminal of 80 columns."""
        return lines(self.arms, self.models, self.compositions_left_out)

    def as_json(self) -> dict[str, Any]:
        """Every number as JSON types: of each picture, each split, each difference, and the paper's."""
        return {
            "models": dict(self.models),
            "precision": self.precision,
            "settings": asdict(self.settings),
            "compositions_left_out": list(self.compositions_left_out),
            "paper": {
                "arms": {
                    name: {split: dict(zip(PUBLISHED, pair, strict=True)) for split, pair in splits.items()}
                    for name, splits in PAPER.items()
                },
                "vs. baseline": paper_gain(),
            },
            "arms": {
                arm.name: {
                    "splits": {name: asdict(split) for name, split in arm.splits.items()},
                    "pictures": [picture.as_json() for picture in arm.evaluation.pictures],
                    "left_out": [asdict(one) for one in arm.evaluation.left_out],
                }
                for arm in self.arms
            },
            "differences": {f"{arm.name} vs. {self.arms[0].name}": _gains(arm, self.arms[0]) for arm in self.arms[1:]},
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Figure:
    """A picture on the page. jpeg: base64. size: the original's width and height; boxes are in its pixels."""

    scores: PictureScores
    jpeg: str
    size: tuple[int, int]

    @property
    def boxes(self) -> Iterator[tuple[int, SeenBox]]:
        return enumerate(self.scores.boxes, start=1)


def as_html(run: Run) -> str:
    """One self-contained page; names and prompts are escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        run=run,
        heads=[SPLIT_TITLES[split] for split in SPLITS],
        rows=list(rows(run.arms)),
        details={arm.name: list(details(arm)) for arm in run.arms},
        gains={arm.name: list(gains(arm, run.arms[0])) for arm in run.arms[1:]},
        figures={arm.name: _figures(arm, run.pictures[arm.name]) for arm in run.arms},
        known=SCORES,
        settings=json.loads(json.dumps(asdict(run.settings))),
        remarks=remarks(run.arms, run.models, run.compositions_left_out),
    )


def _gains(arm: Arm, base: Arm) -> dict[str, dict[str, Any]]:
    by_split = {split: {score: gain(arm, base, split, score) for score in SCORES} for split in SPLITS}
    return {
        split: {score: {"mean": one[0], "compositions": one[1]} for score, one in by_score.items() if one}
        for split, by_score in by_split.items()
    }


def _by_identity(picture: PictureScores) -> tuple[float, float, str]:
    return picture.scores["identity"] or 0.0, picture.scores["cp_clip"] or 0.0, picture.id


def _figures(arm: Arm, pictures: Sequence[Picture]) -> dict[str, list[_Figure]]:
    """The best and the worst pictures by identity; where there are few, each picture is in one of the two only."""
    ranked = sorted(arm.evaluation.pictures, key=_by_identity)
    by_id = {picture.id: picture for picture in pictures}
    worst = ranked[: min(EXTREMES, (len(ranked) + 1) // 2)]
    best = ranked[len(worst) :][-EXTREMES:][::-1]
    return {
        "Best": [_figure(scores, by_id[scores.id]) for scores in best],
        "Worst": [_figure(scores, by_id[scores.id]) for scores in worst],
    }


def _figure(scores: PictureScores, picture: Picture) -> _Figure:
    from PIL import Image

    with quiet_decoding():
        image = Image.fromarray(decode_rgb(picture.read()))
    size = image.size
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return _Figure(scores=scores, jpeg=base64.b64encode(buffer.getvalue()).decode(), size=size)
