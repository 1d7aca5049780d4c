"""Blending: one alpha merge, limited changes of colour, and shadows on the ground only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import pytest

from builder.records import (
    Background,
    BackgroundRef,
    Canvas,
    Concept,
    Cutout,
    Layer,
    Layout,
    Placement,
    Rejected,
    Rgb,
    Sample,
    Scene,
    Setting,
)
from builder.stages.repaint import repaint
from builder.stages.repaint.base import RepaintConfig
from builder.stages.repaint.blend import Blend, BlendConfig

SIZE = 256
PLAIN = BlendConfig(harmonise=0, shadow=0)


def noise(shape: tuple[int, int], low: int, high: int, seed: int) -> Rgb:
    return np.random.default_rng(seed).integers(low, high, (*shape, 3), dtype=np.uint8)


def ball(index: int = 0, x: int = 80, y: int = 90, side: int = 90, low: int = 60, high: int = 200) -> Layer:
    """A textured ball with a soft edge."""
    alpha = np.zeros((side, side), np.float32)
    cv2.circle(alpha, (side // 2, side // 2), side // 2 - 4, 1.0, -1)
    alpha = np.clip(cv2.GaussianBlur(alpha, (0, 0), 1.2), 0, 1)
    return Layer(index=index, x=x, y=y, rgb=noise((side, side), low, high, seed=index), alpha=alpha)


def canvas(*layers: Layer, background: Rgb | None = None, sample_id: str = "sample") -> Canvas:
    if background is None:
        background = noise((SIZE, SIZE), 90, 220, seed=77)
    concept = Concept(name="ball", token="<ball>", class_noun="ball", height_cm=None, photos=())
    cutout = Cutout(photo_id="p", rgba=np.zeros((1, 1, 4), np.uint8), quality=1)
    count = len(layers)
    setting = Setting(
        sample=Sample(
            id=sample_id,
            concepts=(concept,) * count,
            photo_ids=("p",) * count,
            background=BackgroundRef(scene="garden", phrase="in a garden"),
        ),
        cutouts=(cutout,) * count,
        background=Background(pixels=background, horizon=0.4, ground=0.6),
    )
    places = tuple(Placement(x=la.x, y=la.y, width=1, height=1, depth=0) for la in layers)
    return Canvas(
        layout=Layout(setting=setting, placements=places),
        layers=layers,
        mask=np.zeros((SIZE, SIZE), np.uint8),
        boxes=((0, 0, 1, 1),) * count,
        visible=(1.0,) * count,
    )


def painted(scene: Canvas, config: BlendConfig = PLAIN, seed: int = 0) -> Rgb:
    (result,) = repaint([scene], Blend(config), RepaintConfig(), seed)
    assert isinstance(result, Scene)
    return result.image


def under(picture: Rgb, layer: Layer) -> Rgb:
    side = layer.alpha.shape[0]
    return picture[layer.y : layer.y + side, layer.x : layer.x + side]


def test_merge_is_one_alpha_blend() -> None:
    layer = ball()
    scene = canvas(layer)
    background = scene.layout.setting.background.pixels

    picture = painted(scene)

    alpha = layer.alpha[..., None].astype(np.float64)
    exact = layer.rgb * alpha + under(background, layer) * (1 - alpha)
    assert np.abs(under(picture, layer) - exact).max() <= 1.51  # three roundings to 8 bits
    outside = np.ones((SIZE, SIZE), np.bool_)
    under(outside, layer)[:] = layer.alpha == 0
    np.testing.assert_array_equal(picture[outside], background[outside])


def test_pixels_inside_objects_are_those_of_the_cut_out() -> None:
    layer = ball()

    inside = layer.alpha == 1
    np.testing.assert_array_equal(under(painted(canvas(layer)), layer)[inside], layer.rgb[inside])


def test_near_layers_cover_far_ones() -> None:
    far, near = ball(0), ball(1, x=110, y=100)

    picture = painted(canvas(far, near))

    np.testing.assert_array_equal(under(picture, near)[near.alpha == 1], near.rgb[near.alpha == 1])


def test_background_record_is_not_changed() -> None:
    scene = canvas(ball())
    before = scene.layout.setting.background.pixels.copy()

    painted(scene, BlendConfig())

    np.testing.assert_array_equal(scene.layout.setting.background.pixels, before)


def test_shadow_darkens_the_ground_at_the_foot_only() -> None:
    grey = np.full((SIZE, SIZE, 3), 180, np.uint8)
    layer = ball()

    picture = painted(canvas(layer, background=grey), BlendConfig(harmonise=0, shadow=0.55))

    foot = layer.y + 86
    assert (picture[foot + 1, 115:135] < 140).all()
    assert picture[layer.alpha.shape[0] + layer.y + 40 :].min() == 180
    assert picture[: layer.y + 20].reshape(-1, 3)[under_mask(layer)[: layer.y + 20].ravel() == 0].min() == 180
    assert picture[under_mask(layer) == 0].max() == 180


def under_mask(layer: Layer) -> np.ndarray:
    whole = np.zeros((SIZE, SIZE), np.float32)
    under(whole, layer)[:] = layer.alpha
    return whole


def test_stronger_shadow_is_darker() -> None:
    grey = np.full((SIZE, SIZE, 3), 180, np.uint8)
    sums = [
        painted(canvas(ball(), background=grey), BlendConfig(harmonise=0, shadow=strength)).sum()
        for strength in (0.0, 0.3, 0.6, 1.0)
    ]

    assert sums == sorted(sums, reverse=True)
    assert len(set(sums)) == 4


def test_no_shadow_falls_on_an_object() -> None:
    far, beside, near = ball(0, x=20), ball(1, x=100), ball(2, x=150, y=120)
    scene = canvas(far, beside, near)

    lit, shaded = painted(scene), painted(scene, BlendConfig(harmonise=0, shadow=1.0))

    for layer in (far, near):
        inside = layer.alpha == 1
        np.testing.assert_array_equal(under(shaded, layer)[inside], under(lit, layer)[inside])
    assert (shaded != lit).any()


def test_all_shadows_of_a_scene_fall_to_one_side() -> None:
    grey = np.full((SIZE, SIZE, 3), 180, np.uint8)
    sides = []
    for seed in range(8):
        dark = 180.0 - painted(
            canvas(ball(0, x=10, y=60, side=60), ball(1, x=170, y=100, side=60), background=grey),
            BlendConfig(harmonise=0, shadow=0.55),
            seed,
        )[..., 0].astype(float)
        dark[under_mask(ball(0, x=10, y=60, side=60)) > 0] = 0
        dark[under_mask(ball(1, x=170, y=100, side=60)) > 0] = 0
        sides.append([dark[:, 40:128].sum() > dark[:, :40].sum(), dark[:, 200:].sum() > dark[:, 128:200].sum()])

    assert all(first == second for first, second in sides)
    assert {first for first, _ in sides} == {True, False}


def test_harmonising_moves_colours_towards_the_surroundings_within_limits() -> None:
    bright = noise((SIZE, SIZE), 200, 250, seed=5)
    layer = ball(low=30, high=120)
    inside = layer.alpha == 1

    own = layer.rgb[inside].astype(float)
    means = [
        under(painted(canvas(layer, background=bright), BlendConfig(harmonise=h, shadow=0)), layer)[inside].mean()
        for h in (0.0, 0.2, 0.45)
    ]

    assert means[0] == pytest.approx(own.mean())
    assert means[0] + 3 < means[1] < means[2] < means[0] + 30


def test_harmonising_keeps_the_order_of_brightness() -> None:
    ramp = ball()
    ramp.rgb[:] = np.linspace(40, 210, 90).astype(np.uint8)[None, :, None]

    picture = painted(canvas(ramp, background=noise((SIZE, SIZE), 0, 90, seed=6)), BlendConfig(shadow=0))

    row = under(picture, ramp)[45, 8:82].astype(int).sum(axis=1)
    assert (np.diff(row) >= 0).all()
    assert row[-1] - row[0] > 0.7 * 3 * (210 - 40) * 74 / 90


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (230, 30, 20)])
def test_object_of_one_colour_keeps_one_colour(colour: tuple[int, int, int]) -> None:
    layer = ball()
    layer.rgb[:] = colour

    picture = painted(canvas(layer), BlendConfig(shadow=0))

    inside = under(picture, layer)[layer.alpha == 1].astype(int)
    assert np.ptp(inside, axis=0).max() == 0
    assert np.abs(inside[0] - colour).max() <= 40


def test_object_too_thin_to_measure_keeps_its_colours() -> None:
    layer = ball()
    thread = np.zeros_like(layer.alpha)
    thread[:, 41] = 1
    thin = Layer(index=0, x=layer.x, y=layer.y, rgb=layer.rgb, alpha=thread)

    picture = painted(canvas(thin), BlendConfig())

    np.testing.assert_array_equal(under(picture, thin)[:, 41], thin.rgb[:, 41])


def test_picture_depends_on_seed_and_sample_only() -> None:
    scenes = [canvas(ball(), sample_id=f"sample{i}") for i in range(3)]
    backend = Blend(BlendConfig())

    batch = [scene.image for scene in repaint(scenes, backend, RepaintConfig(), 4) if isinstance(scene, Scene)]

    np.testing.assert_array_equal(painted(scenes[2], BlendConfig(), 4), batch[2])
    assert (batch[0] != batch[2]).any()


class RejectsEverySecond:
    """A backend that rejects every second canvas."""

    def repaint(self, canvases: Sequence[Canvas], seed: int) -> Iterable[Rgb | Rejected]:  # noqa: ARG002
        for number, each in enumerate(canvases):
            setting = each.layout.setting
            yield setting.rejected("repaint", "busy", retriable=True) if number % 2 else setting.background.pixels


def test_rejected_canvas_does_not_affect_others() -> None:
    scenes = [canvas(ball(), sample_id=f"sample{i}") for i in range(3)]

    first, second, third = repaint(scenes, RejectsEverySecond(), RepaintConfig(), 0)

    assert isinstance(first, Scene)
    assert second == Rejected(sample_id="sample1", stage="repaint", reason="busy", retriable=True)
    assert isinstance(third, Scene)


def test_harmonising_uses_only_the_background_near_the_object() -> None:
    layer = ball(x=20)
    dark, halves = noise((SIZE, SIZE), 20, 60, seed=1), noise((SIZE, SIZE), 200, 250, seed=2)
    halves[:, :160] = dark[:, :160]
    config = BlendConfig(harmonise=1, shadow=0)

    near, everywhere = (painted(canvas(layer, background=each), config) for each in (halves, dark))

    np.testing.assert_array_equal(under(near, layer), under(everywhere, layer))


@pytest.mark.parametrize(("low", "high", "background"), [(110, 140, (0, 255)), (20, 235, (125, 130))])
def test_harmonising_changes_contrast_by_at_most_a_sixth(low: int, high: int, background: tuple[int, int]) -> None:
    layer = ball(low=low, high=high)
    scene = canvas(layer, background=noise((SIZE, SIZE), *background, seed=3))

    def contrast(picture: Rgb) -> float:
        lab = cv2.cvtColor(under(picture, layer), cv2.COLOR_RGB2LAB)
        return float(lab[..., 0][layer.alpha == 1].std())

    ratio = contrast(painted(scene, BlendConfig(harmonise=1, shadow=0))) / contrast(painted(scene))
    assert 0.8 < ratio < 1.2
    assert ratio != pytest.approx(1, abs=0.05)
