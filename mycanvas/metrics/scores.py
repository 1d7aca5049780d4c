"""The poster's two scores and six that complement them, as float64 formulas on embeddings and boxes.

Gen4Gen (arXiv 2402.15504, section 4.1) defines, for a picture that should show the concepts j = 1..C:

    S_ij    = mean over the source photos x of concept j of cos(crop of box i, x)
    CP-CLIP = (1/C) sum over the concepts' boxes i of max over j of S_ij; a concept without a box adds 0
    TI-CLIP = cos(picture, text)

The maximum is over all concepts, so swapping two concepts, or showing one of them twice, costs nothing. The other
scores count that. E is the number of surplus objects of the concepts' classes; a box "shows" the concept that it is
most similar to:

    identity   = (1/(C + E)) sum of S_ij over pairs of box and concept: one to one in each class, with the largest sum
    recall     = fraction of the concepts that some box shows
    duplicates = boxes that show a concept that another box shows already
    leaks      = boxes that show a concept of another class than the detector found
    swaps      = pairs of boxes of which each shows the concept that the other is assigned to
    agreement  = mean over the concepts of the IoU of their layout box and the box where their class was found

identity is CP-CLIP with the maximum replaced by the assigned concept. While no cosine is below 0 it is never larger
than CP-CLIP; it is equal where every box is most similar to its own concept and there is no surplus object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mycanvas.boxes import Box, covered, iou
from mycanvas.metrics.settings import Negative, SameClass
from mycanvas.models.detectors import Detection

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class PickedBoxes:
    """The boxes of a picture that count.

    expected: the most confident detections of each class, as many as it has concepts.
    surplus: further objects of these classes.
    """

    expected: tuple[Detection, ...]
    surplus: tuple[Detection, ...]

    @property
    def boxes(self) -> tuple[Detection, ...]:
        """`expected`, then `surplus`."""
        return (*self.expected, *self.surplus)


def pick_boxes(
    detections: Sequence[Detection], classes: Sequence[str], *, threshold: float, certainty: float, max_covered: float
) -> PickedBoxes:
    """Pick the detections that count.

    Args:
        detections: all detections in one picture.
        classes: the class of each of its concepts; k concepts of a class give it k times.
        threshold: the confidence that every detection must exceed.
        certainty: minimum confidence of a surplus object.
        max_covered: maximum fraction, 0 to 1, of a surplus object's box that other boxes may cover.
    """
    ranked = sorted((one for one in detections if one.score > threshold), key=lambda one: -one.score)
    expected: list[Detection] = []
    for name in dict.fromkeys(classes):
        expected += [one for one in ranked if one.label == name][: classes.count(name)]
    seen: list[Box] = [one.box for one in expected]
    surplus: list[Detection] = []
    for one in ranked:
        others = one.label in classes and one not in expected and one.score >= certainty
        if others and covered(one.box, seen) <= max_covered:
            surplus.append(one)
            seen.append(one.box)
    return PickedBoxes(expected=tuple(expected), surplus=tuple(surplus))


def similarity(crops: ArrayLike, references: Sequence[ArrayLike], negative: Negative = "raw") -> Floats:
    """S, [N, C]: the similarity of each of N crops to each of C concepts.

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
        alike: S, [N, C], of the boxes `expected`, the most confident of each class first.
        labels: the detected class of each box.
        classes: the class of each concept.
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
    """Assign boxes to concepts: one to one in each class, with the largest sum of S (Kuhn 1955).

    Args:
        alike: S, [N, C], of the boxes `expected`.
        labels: the detected class of each box.
        classes: the class of each concept.

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


def identity(alike: Floats, pairs: dict[int, int], surplus: int) -> float:
    """The identity-aware score, -1 to 1: S of the pairs; each surplus object counts as one more concept with 0.

    Args:
        alike: S, [N, C], of the boxes `expected`.
        pairs: from `assign`.
        surplus: the number of surplus objects.
    """
    return float(sum(alike[i, j] for i, j in pairs.items()) / (alike.shape[1] + surplus))


def shows(alike: Floats) -> list[int]:
    """The concept that each box is most similar to, the first of equals. S is [N, C]."""
    return [int(j) for j in alike.argmax(axis=1)] if len(alike) else []


def recall(shown: Sequence[int], concepts: int) -> float:
    """Fraction of the concepts, 0 to 1, that some box shows."""
    return len(set(shown)) / concepts


def duplicates(shown: Sequence[int]) -> int:
    """The number of boxes that show a concept that another box shows already."""
    return len(shown) - len(set(shown))


def leaks(shown: Sequence[int], labels: Sequence[str], classes: Sequence[str]) -> int:
    """The number of boxes that show a concept of another class than their own."""
    return sum(classes[j] != label for j, label in zip(shown, labels, strict=True))


def swaps(shown: Sequence[int], pairs: Mapping[int, int]) -> int:
    """The number of pairs of boxes that show each other's concepts; pairs: from `assign`, with the same boxes first."""
    return sum(shown[i] == pairs[k] and shown[k] == pairs[i] for i, k in combinations(pairs, 2))


def agreement(layout: Sequence[Box], classes: Sequence[str], found: Sequence[Detection]) -> float:
    """Mean IoU, 0 to 1, of the concepts' layout boxes and the boxes found; a concept without a box counts as 0.

    Args:
        layout: the layout box of each concept.
        classes: the class of each concept.
        found: the boxes `expected`; in each class they are paired one to one, with the largest sum.
    """
    overlaps = iou(layout, [one.box for one in found]).T
    labels = [one.label for one in found]
    return float(sum(overlaps[i, j] for i, j in assign(overlaps, labels, classes).items()) / len(layout))
