"""The records that stages pass on: one frozen dataclass for each boundary, in the order in which they are made.

Photo -> Cutout -> Setting -> Layout -> Canvas -> Scene -> Captioned -> Candidate, or Rejected at any of them.
Pixels are NumPy arrays, rows first: images uint8 [H, W, 3] RGB, alphas float32 [H, W] in [0, 1]. Boxes are
COCO: x, y, width, height in pixels, origin at the top left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mycanvas.boxes import Box as Box
from mycanvas.io.images import Rgb as Rgb

Rgba = NDArray[np.uint8]
"""uint8 [H, W, 4], straight (not premultiplied) alpha."""
Alpha = NDArray[np.float32]
"""float32 [H, W] in [0, 1]."""
ColourCounts = NDArray[np.uint16]
"""uint16 [3, L, A, B]: pixels of each colour in an object, in its lowest part, and on the ground around its foot."""
IndexMask = NDArray[np.uint8]
"""uint8 [H, W]: i+1 where object i is visible, 0 on the background."""


class Size(NamedTuple):
    """Width and height of a picture in pixels."""

    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Width / height; exactly 1 for a square."""
        return self.width / self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


DEFAULT_SIZE = Size(1024, 1024)


def size_of(pixels: NDArray[np.generic]) -> Size:
    """The size of an array of pixels, [H, W] or [H, W, C]."""
    return Size(pixels.shape[1], pixels.shape[0])


Choice = Literal["use", "leave_out"]
"""A key of concepts.toml with which a user decides about the cut-out of a photo."""


Verdict = Literal["use", "refuse"]
"""A person's decision about the cut-out of a photo in a review."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CutoutReview:
    """A person's decision about the cut-out of one photo.

    photo: the sha256 of the photo file's bytes. reason: short text, may be empty. rater: who decided.
    mask: the sha256 of the PNG of a mask that replaces the outline that was found; None: the outline as it was cut.
    outline: that outline, from `sources.outlines`: the decision counts only for cut-outs of (nearly) the same. None: it
    counts for every cut-out of the photo, as one with a mask does.
    at: the time, in UTC as ISO 8601 with microseconds; of several copies of a decision, the newest counts.
    """

    photo: str
    verdict: Verdict
    reason: str = ""
    mask: str | None = None
    rater: str = ""
    at: str = ""
    outline: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskFile:
    """A picture that shows where the object of a photo is. sha256: of the file's bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoFile:
    """A readable photo on disk.

    id: "<concept>/<file name>", unique in a build.
    sha256: of the file's bytes; the key of caches.
    attribution: the photo's author and license, if the folder gives them.
    mask: the mask beside it. choice: what concepts.toml decides about its cut-out.
    reviews: what people decided about its cut-outs, the newest first; several are of different outlines.
    review_mask: the mask that came with it.
    flaw: why the mask that decides cannot be used; then the photo is not cut out.
    """

    id: str
    path: Path
    sha256: str
    attribution: str | None = None
    mask: MaskFile | None = None
    choice: Choice | None = None
    reviews: tuple[CutoutReview, ...] = ()
    review_mask: MaskFile | None = None
    flaw: str | None = None

    @property
    def outline(self) -> MaskFile | None:
        """The mask by which the photo is cut out: that of a review, else the one beside it; None: there is none."""
        return self.review_mask or self.mask


@dataclass(frozen=True, kw_only=True, slots=True)
class Concept:
    """One object to learn, with its photos.

    name: the folder's name ("dog6"). token: its name in prompts ("<dog6>"). class_noun: its name in captions ("dog").
    height_cm: its approximate real height, None if unknown. height_guessed: it comes from the class noun.
    """

    name: str
    token: str
    class_noun: str
    height_cm: float | None
    photos: tuple[PhotoFile, ...]
    height_guessed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Photo:
    """One photo in memory, upright, RGB.

    alpha: the file's alpha channel, a ready-made cut-out; None if there is none and the object must be found.
    mask: the mask that a user gave, which is used instead of finding the object.
    cutout_side: longest side in pixels at which its cut-out is kept; None: as it is cut.
    """

    id: str
    pixels: Rgb
    alpha: Alpha | None = None
    mask: Alpha | None = None
    cutout_side: int | None = None

    @property
    def given(self) -> Alpha | None:
        """The object's outline as the user gave it: the mask, else the alpha; None if the object must be found."""
        return self.alpha if self.mask is None else self.mask

    def rejected(self, stage: str, reason: str) -> Rejected:
        """This photo as a rejection."""
        return Rejected(sample_id=self.id, stage=stage, reason=reason)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutout:
    """One object cut out of one photo.

    rgba: cropped to the object; at the soft edge its colours are the object's own (foreground estimation).
    quality: the segmenter's estimate of how good the cut is, 0 to 1; higher is better.
    cut_off: the photo's lower edge cuts the object off: it ends in a straight line, not in feet.
    mask: bool [H, W] of the whole photo at the size in which it was read; None if only the cut-out is needed.
    thin: fraction of the object's area in thin parts (see `outline.thin_share`); None of a ready cut-out or a mask.
    lost: how much lower the quality is for each visible flaw, by the flaw's name.
    colours: see `colours.count_colours`; None if only the cut-out is needed.
    """

    photo_id: str
    rgba: Rgba
    quality: float
    cut_off: bool = False
    thin: float | None = None
    mask: NDArray[np.bool_] | None = None
    lost: Mapping[str, float] = field(default_factory=dict)
    colours: ColourCounts | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BackgroundRef:
    """A reference to the background of a sample.

    scene: the folder's or the procedural scene's name. phrase: the scene in captions ("in a garden").
    photo: a file, or None for a procedural scene. variant: number of the procedural scene's variation.
    horizon, ground: of the whole photo, as in `Background`, if the user specified them; None: they are estimated.
    """

    scene: str
    phrase: str
    photo: PhotoFile | None = None
    variant: int = 0
    horizon: float | None = None
    ground: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """Backgrounds and sizes that all scenes of one composition share.

    backgrounds: pairs of a scene's name and its phrase in captions. sizes: relative heights by the concepts' names.
    """

    backgrounds: tuple[tuple[str, str], ...]
    sizes: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One scene of the plan: its concepts, their photos and its background.

    concepts, photo_ids: entry i of one belongs to entry i of the other; 1 to 5 of them.
    sizes: the concepts' relative heights, if a theme gives them. picture_size: of its scene.
    """

    id: str
    concepts: tuple[Concept, ...]
    photo_ids: tuple[str, ...]
    background: BackgroundRef
    sizes: tuple[float, ...] | None = None
    picture_size: Size = DEFAULT_SIZE

    @property
    def composition(self) -> str:
        """The concepts' names, sorted and joined by "+"."""
        return "+".join(sorted(concept.name for concept in self.concepts))

    @property
    def heights(self) -> tuple[float | None, ...]:
        """The concepts' heights in one common unit, whichever it is; None where unknown."""
        return self.sizes or tuple(concept.height_cm for concept in self.concepts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Background:
    """A background in memory, as large as the scene.

    horizon: the row where the ground plane vanishes, as a fraction of the height (0 top, 1 bottom); may be negative.
    ground: the highest row on which an object may stand, as a fraction of the height.
    """

    pixels: Rgb
    horizon: float
    ground: float

    @property
    def size(self) -> Size:
        """Its width and height, which are those of the scene."""
        return size_of(self.pixels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """The inputs of a sample: its plan, its cut-outs in the order of the sample's concepts, and its background."""

    sample: Sample
    cutouts: tuple[Cutout, ...]
    background: Background

    def rejected(self, stage: str, reason: str, *, retriable: bool = False) -> Rejected:
        """This sample as a rejection."""
        return Rejected(sample_id=self.sample.id, stage=stage, reason=reason, retriable=retriable)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Position and size of one cut-out in the scene.

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
    """A setting with a placement for each cut-out, in the order of the sample's concepts.

    placed_by: "llm", or "solver" if no reply of the model could be used; None if the backend has only one method.
    """

    setting: Setting
    placements: tuple[Placement, ...]
    placed_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One object at its final size.

    index: its index in the sample's concepts. x, y: its top-left corner in the scene.
    rgb, alpha: uint8 [h, w, 3] and float32 [h, w], straight alpha.
    """

    index: int
    x: int
    y: int
    rgb: Rgb
    alpha: Alpha


@dataclass(frozen=True, kw_only=True, slots=True)
class Canvas:
    """Objects pasted onto their background, not yet blended into it.

    layers: back to front.
    mask: visible pixels of each object. boxes: extent of each mask value, in the order of the sample's concepts.
    visible: for each object, the fraction of its pixels that no object in front hides.
    """

    layout: Layout
    layers: tuple[Layer, ...]
    mask: IndexMask
    boxes: tuple[Box, ...]
    visible: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The finished picture, uint8 [H, W, 3]."""

    canvas: Canvas
    image: Rgb


@dataclass(frozen=True, kw_only=True, slots=True)
class Captioned:
    """A scene with its caption; `prompt` is the caption with each concept's token before its own mention.

    long_caption: every object with its size, place and neighbours.
    written_by: "vlm", "template", or "vlm+template" for a model's caption that the template completed; None if the
    backend has only one method.
    """

    scene: Scene
    caption: str
    prompt: str
    written_by: str | None = None
    long_caption: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A captioned scene with the values that `select` judges.

    scores: by the names of `mycanvas.schema.SCORES`.
    fingerprint: a 64-bit perceptual hash; near-duplicates differ in few bits.
    """

    captioned: Captioned
    scores: Mapping[str, float]
    fingerprint: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A sample or photo that a stage rejected: data, not an exception.

    retriable: another run may succeed (a server was busy); false when the same input will always fail.
    """

    sample_id: str
    stage: str
    reason: str
    retriable: bool = False
