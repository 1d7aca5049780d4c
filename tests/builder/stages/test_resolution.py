"""A resolution is a side, a size or a list of them; a square has one form, so that older builds are resumed."""

from __future__ import annotations

import pytest

from builder.config import load_config, parse_config
from builder.records import Size
from builder.stages.plan import PlanConfig
from builder.stages.resolution import read_resolution
from mycanvas.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "form", "sizes"),
    [
        (512, 512, [(512, 512)]),
        ("512", 512, [(512, 512)]),
        ("512x512", 512, [(512, 512)]),
        (["512x512"], 512, [(512, 512)]),
        (131, 131, [(131, 131)]),
        ("1024x768", "1024x768", [(1024, 768)]),
        (" 1024 x 768 ", "1024x768", [(1024, 768)]),
        ("1536x640", "1536x640", [(1536, 640)]),
        ("1024x1024,1152x896,896x1152", (1024, "1152x896", "896x1152"), [(1024, 1024), (1152, 896), (896, 1152)]),
        ([1024, "1152x896"], (1024, "1152x896"), [(1024, 1024), (1152, 896)]),
    ],
)
def test_every_form_is_read(given: object, form: object, sizes: list[tuple[int, int]]) -> None:
    config = PlanConfig.model_validate({"resolution": given})

    assert config.resolution == form
    assert config.scene_sizes() == tuple(Size(*size) for size in sizes)
    assert PlanConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("big", r"expected a side such as 1024, a size such as 1024x768, or a list .*, got 'big'"),
        ("1024x", r"expected a side .*, got '1024x'"),
        ("1024x768x3", r"expected a side .*, got '1024x768x3'"),
        ([], r"expected a side .*, got an empty list"),
        (True, r"expected a side .*, got True"),
        (768.5, r"expected a side .*, got 768.5"),
        ("512x512,", r"expected a side .*, got '512x512,'"),
        (64, r"sides must be from 128 to 4096 pixels, got 64"),
        ("8192x4096", r"sides must be from 128 to 4096 pixels, got 8192x4096"),
        ("1000x770", r"sides of a size must be multiples of 8, got 1000x770; the nearest is 1000x768"),
        ("1536x512", r"the longer side must be at most 2.5 times the shorter one, got 1536x512"),
        ("512,512x512", r"512x512 is listed 2 times; list it once"),
    ],
)
def test_what_is_wrong_is_reported_with_what_is_expected(given: object, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^resolution: {problem}"):
        parse_config({"concepts": "photos", "resolution": given})


def test_a_square_has_the_digest_that_it_had_as_a_number() -> None:
    number = load_config(None, None, {"concepts": "photos", "resolution": 256})
    text = load_config(None, None, {"concepts": "photos", "resolution": "256x256"})

    assert number.identity()["resolution"] == 256
    assert text.digest() == number.digest()


def test_a_value_of_any_depth_is_refused() -> None:
    deep: object = 1
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(ValueError, match="expected a side"):
        read_resolution(deep)
