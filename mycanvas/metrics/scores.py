"""The poster's two scores, and what they do not see, as float64 formulas on embeddings and boxes.

Gen4Gen (arXiv 2402.15504, section 4.1) defines, for a picture that should show the concepts j = 1..C:

    S_ij    = mean over the source photos x of concept j of cos(crop of box i, x)
    CP-CLIP = (1/C) sum over the concepts' boxes i of max over j of S_ij; a concept without a box adds 0
    TI-CLIP = cos(picture, text)

The maximum is over all concepts, so that two concepts in each other's places, or one concept in both, cost nothing.
Beside it stand, with E things of the concepts' classes too many, and "shows" the concept that a box is most like:

    identity   = (1/(C + E)) sum of S_ij over pairs of box and concept: within a class one to one, the most alike in all
    recall     = share of the concepts that some box shows
    duplicates = boxes that show what another box shows already
    leaks      = boxes that show a concept of another class than the one they were found as
    agreement  = mean over the concepts of the IoU of where they were put and where their class was found

identity is CP-CLIP with the maximum replaced by what each box was found as. It is never larger while no cosine is below
0, and equal to it where every box is most like its own concept and nothing is too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mycanvas.boxes import Box, covered, iou
from mycanvas.metrics.settings import Negative, SameClass
from mycanvas.models.detectors import Detection

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The boxes of a picture that count. asked: the most certain of each class, as many as it has concepts.

    extra: what else there is of these classes.
    """

    asked: tuple[Detection, ...]
    extra: tuple[Detection, ...]

    @property
    def boxes(self) -> tuple[Detection, ...]:
        """Those asked for, then the others."""
        return (*self.asked, *self.extra)


def pick_boxes(
    detections: Sequence[Detection], classes: Sequence[str], *, threshold: float, certainty: float, share: float
) -> Found:
    """The detections that count.

    Args:
        detections: of a picture.
        classes: of its concepts; a class stands there once for each concept of it.
        threshold: the confidence that all must exceed.
        certainty: the confidence that those which were not asked for need.
        share: of a box that was not asked for, what of it boxes that count may cover, 0 to 1.
    """
    ranked = sorted((one for one in detections if one.score > threshold), key=lambda one: -one.score)
    asked: list[Detection] = []
    for name in dict.fromkeys(classes):
        asked += [one for one in ranked if one.label == name][: classes.count(name)]
    seen: list[Box] = [one.box for one in asked]
    extra: list[Detection] = []
    for one in ranked:
        others = one.label in classes and one not in asked and one.score >= certainty
        if others and covered(one.box, seen) <= share:
            extra.append(one)
            seen.append(one.box)
    return Found(asked=tuple(asked), extra=tuple(extra))


def similarity(crops: ArrayLike, references: Sequence[ArrayLike], negative: Negative = "raw") -> Floats:
    """S, [N, C]: how alike each of N crops is to each of C concepts.

    Args:
        crops: [N, D] unit vectors.
        references: [P, D] unit vectors of each concept's source photos.
        negative: what a cosine below 0 counts as; see Settings.
    """
    vectors = np.asarray(crops, np.float64)
    cosines = (vectors @ np.asarray(photos, np.float64).T for photos in references)
    counted = (each if negative == "raw" else np.maximum(each, 0) for each in cosines)
    return np.stack([each.mean(axis=1) for each in counted], axis=1)


def cp_clip(alike: Floats, labels: Sequence[str], classes: Sequence[str], same_class: SameClass = "distinct") -> float:
    """CP-CLIP, -1 to 1.

    Args:
        alike: S, [N, C], of the boxes that were asked for, of each class the most certain first.
        labels: the class that each box was found as.
        classes: of the concepts.
        same_class: which boxes k concepts of one class get; see Settings.
    """
    best = alike.max(axis=1) if len(alike) else np.zeros(0)
    if same_class == "same":
        first = {label: best[labels.index(label)] for label in labels}
        best = np.array([first.get(name, 0.0) for name in classes])
    return float(best.sum() / len(classes))


def ti_clip(picture: ArrayLike, text: ArrayLike, negative: Negative = "raw") -> float:
    """TI-CLIP, -1 to 1, of two unit vectors [D]; negative: see Settings."""
    cosine = float(np.dot(np.asarray(picture, np.float64), np.asarray(text, np.float64)))
    return cosine if negative == "raw" else max(cosine, 0.0)


def assign(alike: Floats, labels: Sequence[str], classes: Sequence[str]) -> dict[int, int]:
    """Which box is whose: within each class one to one, with the largest sum of S (Kuhn 1955).

    Args:
        alike: S, [N, C], of the boxes that were asked for.
        labels: the class that each box was found as.
        classes: of the concepts.

    Returns:
        Box -> concept.
    """
    from scipy.optimize import linear_sum_assignment

    pairs: dict[int, int] = {}
    for name in dict.fromkeys(labels):
        boxes = [i for i, label in enumerate(labels) if label == name]
        concepts = [j for j, other in enumerate(classes) if other == name]
        rows, columns = linear_sum_assignment(alike[np.ix_(boxes, concepts)], maximize=True)
        pairs |= {boxes[row]: concepts[column] for row, column in zip(rows, columns, strict=True)}
    return pairs


def identity(alike: Floats, pairs: dict[int, int], extra: int) -> float:
    """The identity-aware score, -1 to 1: S of the pairs; each thing too many counts as one more concept, with 0.

    Args:
        alike: S, [N, C], of the boxes that were asked for.
        pairs: as `assign` gives them.
        extra: how many things there are too many.
    """
    return float(sum(alike[i, j] for i, j in pairs.items()) / (alike.shape[1] + extra))


def shows(alike: Floats) -> list[int]:
    """The concept that each box is most like; of equals the first. S is [N, C]."""
    return [int(j) for j in alike.argmax(axis=1)] if len(alike) else []


def recall(shown: Sequence[int], concepts: int) -> float:
    """Share of the concepts, 0 to 1, that some box shows."""
    return len(set(shown)) / concepts


def duplicates(shown: Sequence[int]) -> int:
    """How many boxes show what another one shows already."""
    return len(shown) - len(set(shown))


def leaks(shown: Sequence[int], labels: Sequence[str], classes: Sequence[str]) -> int:
    """How many boxes show a concept of another class than theirs."""
    return sum(classes[j] != label for j, label in zip(shown, labels, strict=True))


def agreement(expected: Sequence[Box], classes: Sequence[str], found: Sequence[Detection]) -> float:
    """Mean IoU, 0 to 1, of where concepts were put and where their classes were found; one without a box has 0.

    Args:
        expected: where each concept was put.
        classes: of the concepts.
        found: the boxes that were asked for; within a class they are paired one to one, with the largest sum.
    """
    overlaps = iou(expected, [one.box for one in found]).T
    labels = [one.label for one in found]
    return float(sum(overlaps[i, j] for i, j in assign(overlaps, labels, classes).items()) / len(expected))
