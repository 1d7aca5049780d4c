"""Layers of finished pictures: they show the picture again, and objects are whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from builder.records import Canvas, Rgb, size_of
from builder.stages.paste import visible_mask
from builder.stages.repaint.blend import Blend, BlendConfig
from builder.stages.repaint.diffusion import Diffusion, DiffusionConfig
from mycanvas.io.layers import PictureLayer, flatten
from tests.builder.stages.repaint.balls import FakeInpainter, canvas

SEED = 3


def balls() -> Canvas:
    """Two balls, the second in front of the first."""
    made = canvas()
    return replace(made, mask=visible_mask(made.layers, size_of(made.mask)))


def blended_by_pillow(layers: tuple[PictureLayer, ...]) -> Rgb:
    height, width = layers[0].rgba.shape[:2]
    picture = Image.new("RGBA", (width, height))
    for layer in layers:
        picture = Image.alpha_composite(picture, Image.fromarray(layer.whole(height, width)))
    return np.asarray(picture.convert("RGB"))


def largest_difference(first: Rgb, second: Rgb) -> int:
    return int(np.abs(first.astype(int) - second).max())


@pytest.mark.parametrize("config", [BlendConfig(), BlendConfig(harmonise=0, shadow=0), BlendConfig(shadow=1)])
def test_layers_of_a_blended_picture_show_it_again(config: BlendConfig) -> None:
    scene = balls()
    (picture,) = Blend(config).repaint([scene], SEED)

    layers = Blend.layers(config, scene, picture, SEED)

    assert largest_difference(flatten(layers), picture) <= 2
    assert largest_difference(blended_by_pillow(layers), picture) <= 2
    shadows = ["shadow"] if config.shadow else []
    assert [layer.kind for layer in layers] == ["background", *shadows, "object", "object"]
    assert [layer.index for layer in layers[-2:]] == [0, 1], "back to front"


def test_shadow_is_black_and_a_layer_of_its_own() -> None:
    scene = balls()
    background, shadow, *_ = Blend.layers(BlendConfig(), scene, scene.layout.setting.background.pixels, SEED)

    assert np.array_equal(background.rgba[..., :3], scene.layout.setting.background.pixels)
    assert not shadow.rgba[..., :3].any()
    assert shadow.rgba[..., 3].max() > 40


def test_object_keeps_the_pixels_that_another_one_hides() -> None:
    scene = balls()
    behind = Blend.layers(BlendConfig(), scene, scene.layout.setting.background.pixels, SEED)[2]
    whole = behind.whole(*scene.mask.shape)[..., 3] > 200

    hidden = whole & (scene.mask == 2)

    assert hidden.sum() > 200
    assert np.array_equal(behind.rgba[..., 3] > 127, scene.layers[0].alpha > 0.5)


def test_layers_of_a_repainted_picture_show_the_stored_one() -> None:
    scene, config = balls(), DiffusionConfig()
    (picture,) = Diffusion(FakeInpainter(0.7), config).repaint([scene], SEED)
    assert isinstance(picture, np.ndarray)

    background, *objects = Diffusion.layers(config, scene, picture, SEED)

    assert [layer.kind for layer in objects] == ["object", "object"]
    assert largest_difference(flatten([background, *objects]), picture) <= 2
    ground = background.rgba[..., 3] > 0
    assert not ground[50, 40], "nothing was painted behind a solid object"
    assert ground[scene.mask == 0].all()
    assert np.abs(background.rgba[scene.mask == 0][:, :3].astype(int) - round(0.7 * 255)).max() <= 8
