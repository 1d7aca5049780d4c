"""What passes between the stages: one frozen record for each boundary, in the order in which they are made.

Photo -> Cutout -> Setting -> Layout -> Canvas -> Scene -> Captioned -> Candidate, or Rejected at any of them.
Pixels are NumPy arrays, rows first: images uint8 [H, W, 3] RGB, alphas float32 [H, W] in [0, 1]. Boxes are
COCO: x, y, width, height in pixels, origin at the top left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""uint8 [H, W, 3]."""
Rgba = NDArray[np.uint8]
"""uint8 [H, W, 4], straight (not premultiplied) alpha."""
Alpha = NDArray[np.float32]
"""float32 [H, W] in [0, 1]."""
IndexMask = NDArray[np.uint8]
"""uint8 [H, W]: i+1 where object i is visible, 0 on the background."""
Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoFile:
    """A photo on disk that was found readable.

    id: "<concept>/<file name>", unique in a build.
    sha256: of the file's bytes; what caches are keyed by.
    attribution: who made it and under which license, where the folder says so.
    """

    id: str
    path: Path
    sha256: str
    attribution: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """One thing to be learned, with its photos.

    name: the folder's name ("dog6"). token: what prompts call it ("<dog6>"). class_noun: what captions call it ("dog").
    height_cm: its rough real height, or None when nobody said.
    """

    name: str
    token: str
    class_noun: str
    height_cm: float | None
    photos: tuple[PhotoFile, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """One photo in memory, upright, RGB.

    alpha: its ready-made cut-out, where the file had an alpha channel; None when the object must be found.
    cutout_side: longest side in pixels at which its cut-out is kept; None: as it is cut.
    """

    id: str
    pixels: Rgb
    alpha: Alpha | None = None
    cutout_side: int | None = None

    def rejected(self, stage: str, reason: str) -> Rejected:
        """This photo as a rejection."""
        return Rejected(sample_id=self.id, stage=stage, reason=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutout:
    """One object cut out of one photo.

    rgba: cropped to the object; at the soft edge its colours are the object's own (foreground estimation).
    quality: how far the segmenter trusts itself, 0 to 1; higher is better.
    cut_off: the photo's lower edge cuts the object: it ends in a straight line, not in feet.
    mask: bool [H, W] of the whole photo at the size in which it was read; None where only the cut-out is expected.
    """

    photo_id: str
    rgba: Rgba
    quality: float
    cut_off: bool = False
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundRef:
    """Which background a sample stands on.

    phrase: as captions say it ("in a garden"). photo: a file, or None for a procedural scene.
    scene: the folder's or the procedural scene's name. variant: which of the procedural scene's variations.
    horizon, ground: of the whole photo, as in `Background`, where the user wrote them down; None: estimated.
    """

    scene: str
    phrase: str
    photo: PhotoFile | None = None
    variant: int = 0
    horizon: float | None = None
    ground: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """What the scenes of one composition have in common.

    backgrounds: scenes, each with the phrase that captions say of it. sizes: relative heights by the concepts' names.
    """

    backgrounds: tuple[tuple[str, str], ...]
    sizes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One scene of the plan: who meets where, from which photos.

    concepts, photo_ids: entry i of one belongs to entry i of the other; 1 to 5 of them.
    sizes: the concepts' relative heights, where a theme says them.
    """

    id: str
    concepts: tuple[Concept, ...]
    photo_ids: tuple[str, ...]
    background: BackgroundRef
    sizes: tuple[float, ...] | None = None

    @property
    def composition(self) -> str:
        """The concepts' names, sorted and joined by "+"."""
        return "+".join(sorted(concept.name for concept in self.concepts))

    @property
    def heights(self) -> tuple[float | None, ...]:
        """How tall the concepts are beside each other, in any unit; None where nobody said."""
        return self.sizes or tuple(concept.height_cm for concept in self.concepts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Background:
    """A background in memory, square, as large as the scene.

    horizon: the row where the ground plane vanishes, as a fraction of the height (0 top, 1 bottom); may be negative.
    ground: the highest row on which an object may stand, as a fraction of the height.
    """

    pixels: Rgb
    horizon: float
    ground: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a sample starts from: its plan, its cut-outs in the order of the sample's concepts, its background."""

    sample: Sample
    cutouts: tuple[Cutout, ...]
    background: Background

    def rejected(self, stage: str, reason: str, *, retriable: bool = False) -> Rejected:
        """This sample as a rejection."""
        return Rejected(sample_id=self.sample.id, stage=stage, reason=reason, retriable=retriable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where one cut-out goes.

    x, y, width, height: pixels of the scene, with the cut-out's aspect ratio; the object stands on the bottom edge.
    depth: 0 at the viewer, growing with distance; larger depths are pasted first.
    """

    x: int
    y: int
    width: int
    height: int
    depth: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """A setting with a place for each cut-out, in the order of the sample's concepts.

    placed_by: "llm", or "solver" where no reply of the model could be used; None where the backend has only one way.
    """

    setting: Setting
    placements: tuple[Placement, ...]
    placed_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One object at its final size.

    index: its place in the sample's concepts. x, y: its top-left corner in the scene.
    rgb, alpha: uint8 [h, w, 3] and float32 [h, w], straight alpha.
    """

    index: int
    x: int
    y: int
    rgb: Rgb
    alpha: Alpha


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """Objects laid on their background, not yet blended into it.

    layers: back to front.
    mask: which object is visible where. boxes: the extent of each mask value, in the order of the sample's concepts.
    visible: for each object, the share of its pixels that nothing in front hides.
    """

    layout: Layout
    layers: tuple[Layer, ...]
    mask: IndexMask
    boxes: tuple[Box, ...]
    visible: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The finished picture, uint8 [S, S, 3]."""

    canvas: Canvas
    image: Rgb


@dataclass(frozen=True, kw_only=True, slots=True)
class Captioned:
    """A scene in words; `prompt` is the caption with each concept's token beside its own mention.

    written_by: "vlm", "template", or "vlm+template" for a model's words that the template completed; None where the
    backend has only one way.
    """

    scene: Scene
    caption: str
    prompt: str
    written_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A captioned scene with what select judges it by.

    scores: by the names of `mycanvas.schema.SCORES`.
    fingerprint: a 64-bit perceptual hash; near-duplicates differ in few bits.
    """

    captioned: Captioned
    scores: Mapping[str, float]
    fingerprint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A sample or photo that went no further: data, not an exception.

    retriable: another run may succeed (a server was busy); false when the same input will always fail.
    """

    sample_id: str
    stage: str
    reason: str
    retriable: bool = False
