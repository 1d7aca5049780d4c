"""Rembg: mattes from saliency maps, over several rounds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from builder.records import Cutout, Photo, Rejected
from builder.stages.segment.rembg import Rembg, RembgConfig, softness
from builder.stages.segment.sessions import NetworkSpec
from tests.builder.stages.segment.bright_objects import SMALL_SPEC, FakeNetwork, bright_photo, cut, disc, iou, matte


@pytest.mark.parametrize("rounds", [1, 3])
def test_network_from_a_file_finds_a_bright_object_with_high_quality(network: Path, rounds: int) -> None:
    alpha = disc()

    (result,) = cut([Photo(id="disc", pixels=bright_photo(alpha))], RembgConfig(file=network, rounds=rounds))

    assert isinstance(result, Cutout)
    assert iou(result.mask, alpha >= 0.5) > 0.95
    assert 0.8 <= result.quality <= 1
    assert max(result.rgba.shape) < 110, "the cut-out is cropped to the object"


def test_later_rounds_drop_parts_that_the_first_was_unsure_of(network: Path) -> None:
    ball, neighbour = disc(), disc(radius=20, centre=(180, 30))
    photo = bright_photo(ball)
    photo[neighbour >= 0.5] = 118

    (once,) = cut([Photo(id="x", pixels=photo)], RembgConfig(file=network, rounds=1))
    (thrice,) = cut([Photo(id="x", pixels=photo)], RembgConfig(file=network, rounds=3))

    assert isinstance(once, Cutout)
    assert isinstance(thrice, Cutout)
    assert once.rgba.shape[1] > thrice.rgba.shape[1], "the neighbour is part of the cut-out after one round"
    assert iou(thrice.mask, ball >= 0.5) > 0.95


def test_each_round_gets_the_photo_under_the_last_map_only() -> None:
    network = FakeNetwork()  # its map is the brightness
    photo = np.full((64, 64, 3), 250, np.uint8)
    photo[:, :32] = 125
    photo[:8] = 0

    matte(network, photo, rounds=3)

    dim, bright = ([250 * (stack[0, 0, 40, column] + 0.5) for stack in network.inputs] for column in (10, 50))
    # Multiplying by every alpha in turn would end at 125 · ½ · ¼.
    assert dim == pytest.approx([125, 125 / 2, 125 / 4], abs=1)
    assert bright == pytest.approx([250, 250, 250], abs=1)


def test_photo_without_an_object_is_rejected_and_others_are_cut_out(network: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 4, (100, 120, 3))
    photos = {
        "wall": np.full((100, 120, 3), 180, np.uint8),
        "night": np.zeros((100, 120, 3), np.uint8),
        "faint": np.clip(128 + noise, 0, 255).astype(np.uint8),
        "disc": bright_photo(disc()),
    }

    results = cut([Photo(id=name, pixels=pixels) for name, pixels in photos.items()], RembgConfig(file=network))

    for result in results[:3]:
        assert isinstance(result, Rejected)
        assert (result.stage, result.reason, result.retriable) == ("segment", "no object found", False)
    assert isinstance(results[3], Cutout)


@pytest.mark.parametrize(
    "answer",
    [
        lambda stack: np.full((len(stack), 64, 64), np.nan),
        lambda stack: np.full((len(stack), 64, 64), 0.9),
        lambda stack: 0.4 * (stack.mean(axis=1) + 0.5),
    ],
    ids=["not a number", "uniform and sure", "nowhere sure"],
)
def test_map_without_an_object_gives_an_empty_matte(answer: Callable[[np.ndarray], np.ndarray]) -> None:
    (found,) = matte(FakeNetwork(answer), bright_photo(disc()), rounds=1)

    assert not found.alpha.any()
    assert found.quality == 0


def test_logits_pass_a_sigmoid() -> None:
    spec = NetworkSpec(size=64, mean=SMALL_SPEC.mean, deviation=SMALL_SPEC.deviation, logits=True)
    network = FakeNetwork(lambda stack: -200 + 400 * (stack.mean(axis=1) + 0.5))

    found, empty = Rembg(network, spec, RembgConfig(rounds=1)).matte(
        [bright_photo(disc()), np.full((64, 64, 3), 9, np.uint8)]
    )

    assert iou(found.alpha >= 0.5, disc() >= 0.5) > 0.9
    assert not empty.alpha.any()


def test_soft_edge_stays_soft() -> None:
    truth = disc((256, 256), 70, (128, 128), blur=12)

    (found,) = matte(FakeNetwork(), bright_photo(truth, 255, 0), rounds=1)

    between = (truth > 0.1) & (truth < 0.9)
    assert found.alpha.dtype == np.float32
    assert np.abs(found.alpha - truth)[between].mean() < 0.03
    assert len(np.unique(found.alpha[between])) > 100


def test_haze_and_faint_parts_are_removed() -> None:
    truth = disc((256, 256), 50, (90, 90))
    photo = bright_photo(truth, 255, 4)
    photo[200:230, 200:230] = 90

    (found,) = matte(FakeNetwork(), photo, rounds=1)

    assert not found.alpha[150:].any()
    assert iou(found.alpha >= 0.5, truth >= 0.5) > 0.95


def test_undecided_network_gives_low_quality() -> None:
    photo = bright_photo(disc())

    (sure,) = matte(FakeNetwork(lambda stack: np.clip(4 * stack.mean(axis=1) + 0.5, 0, 1)), photo, rounds=1)
    (unsure,) = matte(FakeNetwork(lambda stack: 0.7 * (stack.mean(axis=1) + 0.5)), photo, rounds=1)

    assert unsure.quality < sure.quality - 0.3


@pytest.mark.parametrize("size", [200, 1000])
def test_softness_is_the_share_of_see_through_area(size: int) -> None:
    alpha = np.zeros((size, size), np.float32)
    alpha[size // 10 : -size // 10, size // 10 : -size // 10] = 1
    assert softness(alpha) < 0.03
    alpha[size // 2 :][alpha[size // 2 :] == 1] = 0.6
    assert softness(alpha) == pytest.approx(0.5, abs=0.03)
    assert softness(np.zeros((4, 4), np.float32)) == 0


def test_matting_sharpens_the_edge_of_a_coarse_map() -> None:
    truth = disc((300, 300), 90, (150, 150))
    photo = bright_photo(truth, 220, 60)
    coarse = NetworkSpec(size=32, mean=SMALL_SPEC.mean, deviation=SMALL_SPEC.deviation)
    plain, matting = (
        next(iter(Rembg(FakeNetwork(), coarse, RembgConfig(rounds=1, matting=on)).matte([photo]))).alpha
        for on in (False, True)
    )

    assert np.abs(matting - truth).mean() < 0.5 * np.abs(plain - truth).mean()
    assert 0 <= matting.min() <= matting.max() <= 1
