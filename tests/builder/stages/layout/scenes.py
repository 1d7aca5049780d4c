"""Settings to place objects in, and a fake chat with given answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from builder.records import Background, BackgroundRef, Concept, Cutout, Sample, Setting
from mycanvas.models.llm.chat import NoReply, Reply, Request

SIZE = 256
GROUND = 0.5
NAMES = ("cat", "dog6", "mug")


def cutout(aspect: float = 1.0, *, cut_off: bool = False) -> Cutout:
    """A full rectangle of the given width / height."""
    rgba = np.full((100, max(1, round(100 * aspect)), 4), 255, np.uint8)
    return Cutout(photo_id="photo", rgba=rgba, quality=1.0, cut_off=cut_off)


def setting(
    cutouts: Sequence[Cutout] = (),
    *,
    sizes: tuple[float, ...] | None = None,
    sample_id: str = "scene",
    size: tuple[int, int] = (SIZE, SIZE),
) -> Setting:
    """A scene with one concept per cut-out, named in the order of NAMES; three square cut-outs if none are given."""
    cutouts = cutouts or [cutout() for _ in NAMES]
    concepts = tuple(
        Concept(name=name, token=f"<{name}>", class_noun=name.rstrip("6"), height_cm=None, photos=())
        for name in [*NAMES, "vase", "clock"][: len(cutouts)]
    )
    sample = Sample(
        id=sample_id,
        concepts=concepts,
        photo_ids=("photo",) * len(cutouts),
        background=BackgroundRef(scene="yard", phrase="in a yard"),
        sizes=sizes,
    )
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    return Setting(
        sample=sample, cutouts=tuple(cutouts), background=Background(pixels=pixels, horizon=0.2, ground=GROUND)
    )


def boxes(**changes: object) -> str:
    """A reply that places NAMES well on a grid of 512 cells, except for the changes."""
    good = {name: box(20 + 160 * i, 250, 140, 140) for i, name in enumerate(NAMES)}
    return json.dumps({**good, **changes})


def box(x: float, y: float, width: float, height: float) -> dict[str, float]:
    """A box in the form of a reply."""
    return {"x": x, "y": y, "width": width, "height": height}


class Says:
    """A chat with given answers, in order, the last one repeated; a function makes its answer from the request."""

    def __init__(self, *said: str | NoReply | Callable[[Request], str] | None) -> None:
        self._said = said
        self.asked: list[Request] = []

    def complete(self, requests: Sequence[Request]) -> Iterator[Reply | NoReply]:
        for request in requests:
            said = self._said[min(len(self.asked), len(self._said) - 1)]
            self.asked.append(request)
            if callable(said):
                said = said(request)
            yield said if isinstance(said, NoReply) else Reply(text=said)
