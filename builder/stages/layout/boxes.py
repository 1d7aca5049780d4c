"""Ask a language model for the boxes of a scene's objects, and turn its reply into placements.

The model reads and answers in whole cells of a grid of the canvas's shape. Here, lengths are fractions of the canvas's
width or height, and rows grow downwards. An object keeps its proportions: it stands on its box's lower edge, in the
middle, as large as fits. Errors of a reply are corrected within SHIFT and SCALE; larger ones are complaints to the
model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from builder.records import Placement, Setting, Size
from builder.seeds import rng_for
from builder.stages.layout.ask import JsonObject, Question, Unusable, check_names, closed, of_form
from builder.stages.layout.base import find_flaw, hidden_shares, min_area
from builder.stages.layout.examples import SHOWN, Example
from builder.stages.layout.solver import MIN_PITCH, relative_sizes

SHIFT = 0.05
"""Largest move of a box, as a fraction of the canvas, to bring it onto the canvas and onto the ground."""
SCALE = 1.25
"""Largest factor by which an object is drawn larger or smaller than fits its box, to be large enough and to keep its
size relative to the others."""
SIZE_SLACK = 1.6
"""Factor by which an object may then still be too large or too small, compared with the others at its distance."""

RULES = """You arrange objects in a {shape} photograph. Answer with one JSON object alone: for each object's name its \
box, as {{"x": …, "y": …, "width": …, "height": …}}, in whole cells of a grid of {grid}. x grows to the right \
and y downwards; x and y are the box's top left corner.
- Every object has one box, and every box lies on the grid: {bounds}.
- An object stands on its box's lower edge, which is on the ground: y + height is at least where the ground begins. \
What stands lower is nearer, drawn larger, and in front.
- Boxes keep to the given proportions, and their heights to the given sizes: twice the size is twice the height, less \
so where it is further away.
- Boxes hardly overlap. Each covers at least {least} cells, and together they fill much of the picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _ObjectSpec:
    """One object of a scene, as the question describes it.

    name: the concept's name. noun: its class noun. aspect: width / height, in pixels or cells. size: height relative to
    the tallest, 0 to 1. cut: its photo cuts it off at the bottom.
    """

    name: str
    noun: str
    aspect: float
    size: float
    cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stand:
    """Position and size of one object, as fractions of the canvas.

    base: the row on which it stands. middle: the column of its middle. width, height: of the object.
    """

    base: float
    middle: float
    width: float
    height: float


class _Box(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)

    x: float
    y: float
    width: float
    height: float


_BOXES = TypeAdapter(dict[str, _Box])


def grid_of(size: Size, cells: int) -> Size:
    """The grid of a canvas: `cells` along its longer side, and as many along the other as make them square."""
    return Size(*(round(side * cells / max(size)) for side in size))


def ask_for_boxes(
    setting: Setting, examples: Sequence[Example], cells: int, max_overlap: float, seed: int
) -> Question[tuple[Placement, ...]]:
    """The question for the boxes of a setting's objects.

    Args:
        setting: the scene.
        examples: SHOWN of them, drawn for this scene, are shown to the model.
        cells: of the grid, along the longer side.
        max_overlap: largest fraction of an object that others may hide.
        seed: the build's seed.
    """
    objects, grid = _objects(setting), grid_of(setting.background.size, cells)
    rng = rng_for(seed, setting.sample.id, "llm examples")
    shown = [examples[i] for i in rng.permutation(len(examples))[:SHOWN]]
    rules = _rules(grid, math.ceil(min_area(len(objects), *grid)))
    turns = [turn for example in shown for turn in _as_turns(example, grid)]
    turns.append(_question(setting.sample.background.phrase, objects, setting.background.ground, grid))
    return Question(
        task="boxes",
        of=setting.sample.id,
        turns=(f"{rules}\n\n{turns[0]}", *turns[1:]),
        schema=_schema([item.name for item in objects], grid),
        check=lambda reply: place(reply, setting, cells, max_overlap),
    )


def _rules(grid: Size, least: int) -> str:
    shape = "square" if grid.width == grid.height else "wide" if grid.width > grid.height else "tall"
    bounds = f"x + width is at most {grid.width} and y + height at most {grid.height}"
    if shape == "square":
        bounds = f"x + width and y + height are at most {grid.width}"
    return RULES.format(shape=shape, grid=f"{grid.width} x {grid.height}", bounds=bounds, least=least)


def _objects(setting: Setting) -> list[_ObjectSpec]:
    sample = setting.sample
    aspects = [cutout.rgba.shape[1] / cutout.rgba.shape[0] for cutout in setting.cutouts]
    sizes = relative_sizes(sample.heights, aspects)
    return [
        _ObjectSpec(name=concept.name, noun=concept.class_noun, aspect=aspect, size=size, cut=cutout.cut_off)
        for concept, cutout, aspect, size in zip(sample.concepts, setting.cutouts, aspects, sizes, strict=True)
    ]


def _question(where: str, objects: Sequence[_ObjectSpec], ground: float, grid: Size) -> str:
    lines = [
        f"- {json.dumps(item.name)}: {item.noun}, width = {item.aspect:.2f} x height, size {item.size:.0%}"
        + (f", cut off below: y + height = {grid.height}" if item.cut else "")
        for item in objects
    ]
    begins = f"The ground begins at y = {math.ceil(ground * grid.height)}."
    return "\n".join([f"Scene: {where}", begins, "Objects:", *lines])


def _as_turns(example: Example, grid: Size) -> tuple[str, str]:
    """An example as two turns of the conversation: its question and its answer."""
    tallest = max(part[3] for _, part in example.boxes.values())
    objects = [
        _ObjectSpec(name=name, noun=noun, aspect=part[2] / part[3] * grid.aspect, size=part[3] / tallest)
        for name, (noun, part) in example.boxes.items()
    ]
    cells = {
        name: [round(value * side) for value, side in zip(part, grid * 2, strict=True)]
        for name, (_, part) in example.boxes.items()
    }
    answer = {name: dict(zip(("x", "y", "width", "height"), box, strict=True)) for name, box in cells.items()}
    ground = min(part[1] + part[3] for _, part in example.boxes.values())
    begins = math.floor(ground * grid.height) / grid.height
    return _question(example.where, objects, begins, grid), json.dumps(answer)


def _schema(names: Sequence[str], grid: Size) -> dict[str, Any]:
    across, down = ({"type": "integer", "minimum": 0, "maximum": side} for side in grid)
    box = {"x": across, "y": down, "width": across, "height": down}
    return closed({name: closed(box) for name in names})


def place(reply: JsonObject, setting: Setting, cells: int, max_overlap: float) -> tuple[Placement, ...]:
    """The placements of a reply's boxes, corrected within SHIFT and SCALE.

    Raises:
        Unusable: the boxes cannot be corrected; the message goes back to the model.
    """
    objects = _objects(setting)
    boxes = _read(reply, [item.name for item in objects])
    ground, grid = setting.background.ground, grid_of(setting.background.size, cells)
    stands = [_stand(item, boxes[item.name], ground, grid) for item in objects]
    horizon = min(setting.background.horizon, min(stand.base for stand in stands) - MIN_PITCH)
    stands = _resized(objects, stands, horizon, grid)
    placements = tuple(_to_pixels(stand, setting, index, horizon) for index, stand in enumerate(stands))
    hidden = hidden_shares(setting.cutouts, placements, setting.background.size)
    for item, share in zip(objects, hidden, strict=True):
        if share > max_overlap:
            raise Unusable(
                "overlap", f"{share:.0%} of {item.name} is hidden by what stands before it; at most {max_overlap:.0%}"
            )
    if flaw := find_flaw(setting, placements, max_overlap):
        raise Unusable("off canvas", flaw)
    return placements


def _read(reply: JsonObject, names: Sequence[str]) -> dict[str, _Box]:
    check_names(list(reply), names)
    try:
        return _BOXES.validate_python(reply)
    except ValidationError as wrong:
        raise of_form(wrong, list(_Box.model_fields)) from None


def _stand(item: _ObjectSpec, box: _Box, ground: float, grid: Size) -> _Stand:
    """Fit the object into its box, moved onto the canvas and the ground."""
    x, width = box.x / grid.width, box.width / grid.width
    y, height = box.y / grid.height, box.height / grid.height
    described = f"{item.name} at x {box.x:g}, y {box.y:g}, width {box.width:g}, height {box.height:g}"
    if min(box.width, box.height) < 1:
        raise Unusable("no size", f"{described} is smaller than a cell")
    if min(x, y) < -SHIFT or max(x + width, y + height) > 1 + SHIFT:
        raise Unusable("off canvas", f"{described} leaves the grid of {grid.width} x {grid.height}")
    lowest = 1.0 if item.cut else ground
    base = min(max(y + height, lowest), 1.0)
    if base - (y + height) > SHIFT:
        where = f"{item.name} is cut off below" if item.cut else f"the ground begins at y = {ground * grid.height:.0f}"
        raise Unusable("off the ground", f"{described} ends above the ground; {where}")
    aspect = item.aspect / grid.aspect
    fitted = min(height, width / aspect)
    return _Stand(base=base, middle=x + width / 2, width=fitted * aspect, height=fitted)


def _resized(objects: Sequence[_ObjectSpec], stands: Sequence[_Stand], horizon: float, grid: Size) -> list[_Stand]:
    """Scale the objects to be large enough, to fit the canvas, and to be closer to their relative sizes."""
    least = min_area(len(objects), 1, 1)
    near = max(stand.base for stand in stands)
    expected = [
        item.size * (stand.base - horizon) / (near - horizon) for item, stand in zip(objects, stands, strict=True)
    ]
    ratios = [stand.height / height for stand, height in zip(stands, expected, strict=True)]
    typical = float(np.exp(np.mean(np.log(ratios))))
    resized = []
    for item, stand, ratio in zip(objects, stands, ratios, strict=True):
        smallest = math.sqrt(least / (stand.width * stand.height))
        largest = min(1 / stand.width, stand.base / stand.height)
        if smallest > min(SCALE, largest):
            aspect = item.aspect / grid.aspect
            wide, high = (
                math.ceil(grid.width * math.sqrt(least * aspect)),
                math.ceil(grid.height * math.sqrt(least / aspect)),
            )
            raise Unusable("too small", f"{item.name} is too small; its box must be {wide} wide and {high} high")
        if largest < 1 / SCALE:
            raise Unusable("off canvas", f"{item.name} is too large for where it stands")
        factor = min(max(typical / ratio, 1 / SCALE, smallest), SCALE, largest)
        off = ratio * factor / typical
        if not 1 / SIZE_SLACK <= off <= SIZE_SLACK:
            words = f"{off:.1f} times as large as it should be" if off > 1 else f"only {off:.0%} of its size"
            raise Unusable("sizes", f"{item.name} is {words} beside the others")
        resized.append(
            _Stand(base=stand.base, middle=stand.middle, width=stand.width * factor, height=stand.height * factor)
        )
    return resized


def _to_pixels(stand: _Stand, setting: Setting, index: int, horizon: float) -> Placement:
    size = setting.background.size
    rows, columns = setting.cutouts[index].rgba.shape[:2]
    height = max(1, round(stand.height * size.height))
    width = max(1, round(height * columns / rows))
    while width * height < min_area(len(setting.cutouts), *size):  # make up for rounding
        height += 1
        width = max(1, round(height * columns / rows))
    return Placement(
        x=min(max(round(stand.middle * size.width - width / 2), 0), size.width - width),
        y=max(round(stand.base * size.height) - height, 0),
        width=width,
        height=height,
        depth=(1 - horizon) / (stand.base - horizon) - 1,
    )
