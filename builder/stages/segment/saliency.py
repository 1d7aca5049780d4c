"""Saliency of a photo: one map in [0, 1] from four classical cues, without a trained model.

Each cue measures in its own way how a place differs from the photo's frame; the fused map favours the middle.
Nothing here calls BLAS or draws random numbers, so a map does not depend on threads or on earlier calls. SciPy and
scikit-image take half a second to import; functions import them, because commands and workers that cut out nothing do
not need them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from builder.records import Rgb

Map = NDArray[np.float32]
"""float32 [H, W] in [0, 1]."""
Values = NDArray[np.float64]
"""float64 [n]: one value per superpixel."""

SUPERPIXELS = 200
"""Approximate number of superpixels in a photo."""
SMALL_DISTANCE = 4.0
"""Lab distance below which neighbours count as one surface."""
LAB_OFFSET = np.array([0, 128, 128], np.float32)
"""Moves Lab into 0..255, so that it fits uint8."""


def saliency(rgb: Rgb) -> tuple[Map, Map]:
    """Saliency of each pixel: all cues fused on superpixels, and the barrier cue alone at full resolution."""
    lab = to_lab(rgb)
    grid = Superpixels.of(rgb, lab)
    barrier = barrier_distance(lab)
    centre = centre_prior(rgb.shape, sigma=0.38)
    cues = (
        1.5 * stretch(robust_background(grid))
        + stretch(geodesic_distance(grid))
        + stretch(grid.mean(barrier))
        + 0.7 * stretch(grid.mean(frame_colour_distance(lab)))
    )
    fused = stretch(cues * (0.35 + 0.65 * grid.mean(centre)))
    return fused.astype(np.float32)[grid.labels], _centred(barrier)


def centred_barrier(rgb: Rgb) -> Map:
    """Barrier between each pixel and the frame, weighted towards the centre; see `barrier_distance`."""
    return _centred(barrier_distance(to_lab(rgb)))


def _centred(barrier: Map) -> Map:
    return stretch(barrier * (0.4 + 0.6 * centre_prior(barrier.shape, sigma=0.36))).astype(np.float32)


def to_lab(rgb: Rgb) -> NDArray[np.float32]:
    """CIE Lab, float32 [H, W, 3]: L in 0..100, a and b in about -100..100."""
    lab: NDArray[np.float32] = cv2.cvtColor(rgb.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    return lab


def stretch(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The values shifted and scaled to [0, 1]; zeros if all are equal."""
    low, high = float(values.min()), float(values.max())
    return (values.astype(np.float64) - low) / max(high - low, 1e-9)


def centre_prior(shape: tuple[int, ...], sigma: float) -> Map:
    """A Gaussian around the photo's centre, a little below the middle, where objects usually stand.

    sigma: a fraction of each side.
    """
    height, width = shape[:2]
    y = (np.arange(height) / max(height - 1, 1) - 0.52) / sigma
    x = (np.arange(width) / max(width - 1, 1) - 0.5) / sigma
    return np.exp(-(y[:, None] ** 2 + x[None] ** 2) / 2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A photo as a graph of n patches of one colour.

    labels: int [H, W] in 0..n-1. lab: mean colours, [n, 3]. distance: between the colours, [n, n].
    position: mean x and y, in units of the longest side, [n, 2]. adjacent: bool [n, n].
    frame: bool [n], the patches that touch the photo's frame.
    """

    labels: NDArray[np.intp]
    lab: NDArray[np.float64]
    distance: NDArray[np.float64]
    position: NDArray[np.float64]
    adjacent: NDArray[np.bool_]
    frame: NDArray[np.bool_]

    @classmethod
    def of(cls, rgb: Rgb, lab: NDArray[np.float32]) -> Superpixels:
        """SLIC superpixels of a photo (Achanta et al., 2012)."""
        from scipy.spatial.distance import cdist
        from skimage.segmentation import slic

        slic_labels = slic(cv2.GaussianBlur(rgb, (3, 3), 0), n_segments=SUPERPIXELS, compactness=12, max_num_iter=5)
        labels: NDArray[np.intp] = np.unique(slic_labels, return_inverse=True)[1].reshape(rgb.shape[0], rgb.shape[1])
        n = int(labels.max()) + 1
        size = np.bincount(labels.ravel(), minlength=n)
        y, x = np.indices(labels.shape) / max(labels.shape)
        colour, position = (
            np.stack([np.bincount(labels.ravel(), c.ravel(), minlength=n) / size for c in channels], axis=1)
            for channels in (np.moveaxis(lab, 2, 0), (x, y))
        )
        adjacent = np.zeros((n, n), bool)
        for rows, columns in ((0, 1), (1, 0), (1, 1)):
            one = labels[rows:, columns:]
            other = labels[: labels.shape[0] - rows, : labels.shape[1] - columns]
            adjacent[one, other] = adjacent[other, one] = True
        np.fill_diagonal(adjacent, False)
        frame = np.zeros(n, bool)
        for side in (labels[:2], labels[-2:], labels[:, :2], labels[:, -2:]):
            frame[side] = True
        return cls(labels, colour, cdist(colour, colour), position, adjacent, frame)

    def mean(self, values: NDArray[np.floating]) -> Values:
        """The mean of a map over each superpixel."""
        size = np.bincount(self.labels.ravel())
        return np.bincount(self.labels.ravel(), values.ravel().astype(np.float64)) / size

    def contour(self) -> float:
        """Typical colour difference of neighbours: the mean distance of a superpixel to its most similar neighbour."""
        nearest = np.where(self.adjacent, self.distance, np.inf).min(axis=1)
        nearest = nearest[np.isfinite(nearest)]
        return float(nearest.mean()) if nearest.size else SMALL_DISTANCE


def robust_background(grid: Superpixels) -> Values:
    """Saliency optimised from boundary connectivity (Zhu et al., CVPR 2014, equations 3-9)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial.distance import cdist

    n = len(grid.lab)
    clip = grid.contour()
    frame = np.flatnonzero(grid.frame)
    linked = grid.adjacent.copy()
    linked[np.ix_(frame, frame)] = True
    np.fill_diagonal(linked, False)
    # A zero would be read as "no edge"; the tiny weight keeps equal neighbours connected.
    steps = np.where(linked, np.maximum(grid.distance - clip, 0) + 1e-6, 0)
    reach = np.exp(-(dijkstra(csr_array(steps), directed=False) ** 2) / (2 * np.clip(3 * clip, 4, 10) ** 2))
    connectivity = reach[:, grid.frame].sum(axis=1) / np.sqrt(reach.sum(axis=1))
    background = 1 - np.exp(-(connectivity**2) / 2)
    near = np.exp(-(cdist(grid.position, grid.position) ** 2) / (2 * 0.4**2))
    foreground = stretch((grid.distance * near * background[None]).sum(axis=1))
    steps_of_one = csr_array(grid.adjacent.astype(np.int32))
    wider = grid.adjacent | ((steps_of_one @ steps_of_one).toarray() > 0)
    np.fill_diagonal(wider, False)
    smooth = np.where(wider, np.exp(-(grid.distance**2) / (2 * np.clip(5 * clip, 5, 20) ** 2)) + 0.1, 0)
    pulls = csr_array(smooth)
    weight = smooth.sum(axis=1) + 5 * background + foreground + 1e-6
    found = np.zeros(n)
    for _ in range(150):  # Jacobi iterations instead of a solver: the same bits with any BLAS.
        found = (foreground + pulls @ found) / weight
    return found


def geodesic_distance(grid: Superpixels) -> Values:
    """Length of the shortest colour path to the frame (Wei et al., ECCV 2012); the object may touch the frame."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n = len(grid.lab)
    clip = grid.contour()
    frame = np.flatnonzero(grid.frame)
    # A frame patch unlike even the most similar third of the others is probably the object: starting there costs more.
    among = np.sort(grid.distance[np.ix_(frame, frame)], axis=1)[:, 1 : 1 + max(1, len(frame) // 3)]
    steps = np.zeros((n + 1, n + 1))
    steps[:n, :n] = np.where(grid.adjacent, np.maximum(grid.distance - clip, 0) + 1e-6, 0)
    steps[n, frame] = (np.maximum(among.mean(axis=1) - clip, 0) if among.size else 0.0) + 1e-6
    length: Values = dijkstra(csr_array(steps), directed=False, indices=[n])[0, :n]
    return np.minimum(length, float(np.percentile(length, 97)))


def barrier_distance(lab: NDArray[np.float32], levels: int = 32) -> Map:
    """How much a colour channel must rise or fall on the way to the frame, summed over the channels.

    A barrier at level t separates a pixel from the frame if thresholding at t leaves the pixel in a region that does
    not touch the frame. Counting the levels at which that happens gives the minimum barrier distance without a scan
    over paths (Zhang & Sclaroff, "Exploiting Surroundedness for Saliency Detection", PAMI 2016, section 3).
    """
    cut_off = np.zeros(lab.shape[:2], np.float32)
    for channel in np.moveaxis((lab + LAB_OFFSET).astype(np.uint8), 2, 0):
        smooth = cv2.medianBlur(np.ascontiguousarray(channel), 5)
        low, high = int(smooth.min()), int(smooth.max())
        for level in np.linspace(low, high, levels, endpoint=False):
            for side in (smooth > level, smooth <= level):
                framed = cv2.copyMakeBorder(side.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
                cv2.floodFill(framed, None, (0, 0), 0)
                cut_off += framed[1:-1, 1:-1] * np.float32((high - low) / levels)
    return stretch(cut_off).astype(np.float32)


def frame_colour_distance(lab: NDArray[np.float32], strip: float = 0.1) -> Map:
    """How unlike the photo's edges a colour is: sum of Mahalanobis distances to four edge strips, without the largest.

    Leaving out the largest tolerates an object that covers one edge (Zhang et al., ICCV 2015, section 3.3).
    """
    width = max(2, round(strip * max(lab.shape[:2])))
    distances = []
    for edge in (lab[:width], lab[-width:], lab[:, :width], lab[:, -width:]):
        colours = edge.reshape(-1, 3).astype(np.float64)
        centred = colours - colours.mean(axis=0)
        spread = np.einsum("ni,nj->ij", centred, centred) / len(colours) + 9 * np.eye(3)
        whiten = np.linalg.cholesky(np.linalg.inv(spread)).T
        offset = cv2.transform(lab - colours.mean(axis=0), whiten)
        distances.append(stretch(np.sqrt((offset**2).sum(axis=2))))
    return stretch(np.sum(distances, axis=0) - np.max(distances, axis=0)).astype(np.float32)
