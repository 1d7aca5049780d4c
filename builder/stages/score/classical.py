"""Scores from pixels, masks and geometry alone: no trained model, a few milliseconds per scene.

`mycanvas.schema.SCORE_FIELDS` has the meaning of each. A scene is as good as its worst object, so each score is the
worst of its objects' scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Box, Captioned, IndexMask, Rejected, Rgb, Scene
from builder.stages.score.base import Scorer
from builder.stages.score.geometry import floating, proportion

Grey = NDArray[np.uint8]
"""uint8 [H, W]."""
Floats = NDArray[np.float32]
"""float32 [N, 3]."""
Index = NDArray[np.intp]
"""intp [N]: flat indices of pixels in row-major order."""
Lab8 = NDArray[np.uint8]
"""uint8 [..., 3]: L* times 2.55, a* and b* plus 128, as in OpenCV."""
Shown = NDArray[np.bool_]
"""bool [H, W]: where one object is visible."""
Window = tuple[slice, slice]
"""Rows and columns of a part of the picture."""

WORST: Mapping[str, Callable[[Iterable[float]], float]] = {
    "cutout": min,
    "visible": min,
    "overlap": max,
    "size": min,
    "border": max,
    "sharpness": min,
    "seam": max,
    "exposure": max,
    "floating": max,
}

REBLUR = 9
"""Width of the second blur, in pixels (Crete et al. 2007, section 3)."""
EVERY = 4
"""Sharpness is measured along every fourth row and column: accurate enough, at a quarter of the work."""
FLAT = 0.5
"""Root mean square step between neighbours, in grey levels, below which a surface has no detail to judge."""
RIM = 4
"""Width of the cut edge in pixels, inwards from the mask's boundary: a halo appears there."""
NEAR, FAR = 8, 16
"""The cut edge is compared with pixels at least NEAR pixels from the boundary and within FAR pixels around."""
LAB_UNITS = np.array([100 / 255, 1, 1], np.float32)
"""L*, a* and b* per step of OpenCV's 8 bits."""
SPREADS = 2.0
"""Number of standard deviations of either side's texture by which an edge may differ from that side."""
NOTICEABLE = 5.0
"""Difference from which a line is visible at a glance, in Delta E (CIE 1976)."""
RING = 1 / 16
"""Width of an object's surroundings, as a fraction of the picture's."""


class Classical(Scorer):
    """Measures scenes without any model."""

    def score(self, batch: Sequence[Captioned], seed: int) -> Iterator[Mapping[str, float] | Rejected]:  # noqa: ARG002
        """The scores of each scene, in order; a scene with an object that shows nowhere is rejected. Draws nothing."""
        for captioned in batch:
            yield _measure(captioned.scene)


def _measure(scene: Scene) -> Mapping[str, float] | Rejected:
    canvas = scene.canvas
    setting = canvas.layout.setting
    for concept, (_, _, width, height) in zip(setting.sample.concepts, canvas.boxes, strict=True):
        if width < 1 or height < 1:
            return setting.rejected("score", f"{concept.name} shows nowhere in the scene: nothing to measure")

    mask, image = canvas.mask, scene.image
    half, quarter = _lower(image)
    half_mask, quarter_mask = mask[::2, ::2], mask[::4, ::4]
    objects = []
    for (value, box), above in zip(enumerate(canvas.boxes, start=1), floating(canvas.layout), strict=True):
        tight, near = _window(box, mask.shape), _window(box, mask.shape, margin=RING)
        shown, at_half, at_quarter = mask[tight] == value, _reduced(near, 2), _reduced(near, 4)
        objects.append(
            {
                "cutout": setting.cutouts[value - 1].quality,
                "visible": canvas.visible[value - 1],
                "overlap": (cv2.countNonZero(mask[tight]) - np.count_nonzero(shown)) / shown.size,
                "size": np.count_nonzero(shown) / mask.size,
                "border": _border(shown, tight, mask.shape),
                "sharpness": _sharpness(image[tight], shown),
                "seam": _seam(half[at_half], quarter[at_quarter], half_mask[at_half] == value),
                "exposure": _exposure(quarter[at_quarter][..., 0], quarter_mask[at_quarter], value),
                "floating": above,
            }
        )
    scores = {name: worst(found[name] for found in objects) for name, worst in WORST.items()}
    scores["proportion"] = proportion(canvas.layout)
    return {name: round(float(score), 4) for name, score in scores.items()}


def seam_and_exposure(image: Rgb, shown: Shown) -> tuple[float, float]:
    """The scores `seam` and `exposure` of one object in a part of a picture, which need not be a scene.

    Args:
        image: uint8 [H, W, 3]: the object with its surroundings, at least FAR pixels of them to be measured well.
        shown: [H, W], where the object is visible.
    """
    half, quarter = _lower(image)
    mask = shown[::4, ::4].view(np.uint8)
    return _seam(half, quarter, shown[::2, ::2]), _exposure(quarter[..., 0], mask, 1)


def _lower(image: Rgb) -> tuple[Rgb, Lab8]:
    """The picture at half its resolution, and in Lab at a quarter."""
    half = _shrunk(image, 2)
    return half, cv2.cvtColor(_shrunk(half, 2), cv2.COLOR_RGB2LAB)


def _border(shown: Shown, window: Window, picture: tuple[int, ...]) -> float:
    """Largest fraction of an object's width or height that is on one edge of the picture; `shown` covers its box.

    The lower edge does not count: an object that its own photo cuts off there is placed there, as in a portrait.
    """
    rows, columns = window
    edges = (
        (rows.start == 0, shown[0]),
        (columns.start == 0, shown[:, 0]),
        (columns.stop == picture[1], shown[:, -1]),
    )
    return max(np.count_nonzero(line) / line.size if touches else 0.0 for touches, line in edges)


def _sharpness(image: Rgb, shown: Shown) -> float:
    """1 minus the blur of Crete et al. 2007, "The blur effect", section 3, inside an object.

    A blurred surface loses little detail when it is blurred once more. Each step between neighbours is weighted by its
    own height, so that the object's edges decide and not the noise between them. The outline is left out: a cut is
    always sharp. An object too flat or too thin to measure counts as sharp.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    inside = _eroded(shown, RIM + REBLUR // 2)
    detail = lost = amount = 0.0
    for pixels, within in ((grey[::EVERY], inside[::EVERY]), (grey.T[::EVERY], inside.T[::EVERY])):
        lines = pixels.astype(np.float32)
        step = _steps(lines) * within[:, 1:]
        kept = np.minimum(step, _steps(cv2.blur(lines, (REBLUR, 1))))
        squares = cv2.norm(step, cv2.NORM_L2SQR)
        detail += squares
        lost += squares - cv2.sumElems(cv2.multiply(step, kept))[0]
        amount += np.count_nonzero(within)
    return lost / detail if detail > FLAT**2 * amount else 1.0


def _steps(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Absolute difference of each pixel and its left neighbour."""
    return np.asarray(cv2.absdiff(lines[:, 1:], lines[:, :-1]), np.float32)


def _seam(half: Rgb, quarter: Lab8, shown: Shown) -> float:
    """Fraction of an object's cut edge whose colour is not between the object's and its surroundings'.

    A clean edge changes from one to the other. Remains of an old background, or a wrongly blended edge, make a line
    that is brighter, darker or of another colour than both; the texture of both sides widens the tolerance. The edge's
    outer and inner half are measured separately, because a line may be narrower than both together.
    `half` and `shown` have half the picture's resolution, for the edge; `quarter` has a quarter, for both sides of it.
    """
    edge = np.flatnonzero(shown & ~_eroded(shown, RIM // 2))  # much faster than `nonzero` of two axes
    rows, columns = np.divmod(edge, shown.shape[1])
    shown_quarter = shown[::2, ::2]
    at = rows // 2 * shown_quarter.shape[1] + columns // 2
    inner_low, inner_high, has_inner = _range(quarter, _eroded(shown_quarter, NEAR // 4), at)
    outer_low, outer_high, has_outer = _range(quarter, _eroded(~shown_quarter, NEAR // 4), at)
    known = has_inner & has_outer
    if not known.any():
        return 0.0
    rim = cv2.cvtColor(half[rows, columns][None], cv2.COLOR_RGB2LAB)[0].astype(np.float32)
    above, below = rim - np.maximum(inner_high, outer_high), np.minimum(inner_low, outer_low) - rim
    excess = np.maximum(np.maximum(above, below), 0) * LAB_UNITS
    line = np.square(excess).sum(axis=1) > NOTICEABLE**2
    deep = _eroded(shown, RIM // 4).take(edge)
    return max(float(line[part].mean()) if part.any() else 0.0 for part in (known & deep, known & ~deep))


def _range(lab: Lab8, band: Shown, at: Index) -> tuple[Floats, Floats, Shown]:
    """Lowest and highest colour of a band within FAR of each pixel `at`, and whether any of the band is there."""
    side = (2 * (FAR // 4) + 1,) * 2
    within = cv2.copyTo(lab, band.view(np.uint8))
    amount = cv2.boxFilter(band.view(np.uint8), cv2.CV_32F, side, normalize=False).take(at)
    count = np.maximum(amount, 1)[:, None]
    mean = cv2.boxFilter(within, cv2.CV_32F, side, normalize=False).reshape(-1, 3).take(at, axis=0) / count
    square = cv2.sqrBoxFilter(within, cv2.CV_32F, side, normalize=False).reshape(-1, 3).take(at, axis=0) / count
    spread = SPREADS * np.sqrt(np.maximum(square - mean * mean, 0))
    return mean - spread, mean + spread, amount > 0


def _exposure(lightness: Grey, mask: IndexMask, value: int) -> float:
    """Earth mover's distance between the lightness of an object and that of the background in its window, 0 to 1.

    Luminance is among the statistics that most affect a composite's realism (Xue et al. 2012, "Understanding and
    improving the realism of image composites", section 4).
    """
    parts = lightness[mask == value], lightness[mask == 0]
    if not all(part.size for part in parts):
        return 0.0
    below, above = (np.cumsum(np.bincount(part, minlength=256)) / part.size for part in parts)
    return float(np.abs(below - above).sum() / 255)


def _shrunk(image: Rgb, factor: int) -> Rgb:
    """The picture at 1/factor of its size, each pixel a mean; of the shape of `mask[::factor, ::factor]`."""
    height, width = (-(-side // factor) for side in image.shape[:2])
    shrunk: Rgb = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return shrunk


def _eroded(shown: Shown, reach: int) -> Shown:
    """Pixels around which everything within `reach` pixels is shown; nothing beyond the window counts as shown."""
    side = 2 * reach + 1
    kernel = np.ones((side, side), np.uint8)
    whole = np.ascontiguousarray(shown).view(np.uint8)
    eroded = cv2.erode(whole, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(eroded).view(np.bool_)


def _window(box: Box, picture: tuple[int, ...], *, margin: float = 0.0) -> Window:
    """The rows and columns of a box, extended on each side by `margin` times the picture's size.

    With a margin, the window starts at a multiple of 4, as `_reduced` requires.
    """
    x, y, width, height = box
    far = margin * max(picture)

    def span(start: float, length: float, limit: int) -> slice:
        first = max(int(start - far), 0)
        return slice(first - first % 4 if margin else first, min(math.ceil(start + length + far), limit))

    return span(y, height, picture[0]), span(x, width, picture[1])


def _reduced(window: Window, factor: int) -> Window:
    """The same window in a picture `factor` times smaller; the window must start at a multiple of the factor."""
    rows, columns = (slice(part.start // factor, -(-part.stop // factor)) for part in window)
    return rows, columns
