"""The reference of build.toml's options: complete, current, and true of what the schema accepts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest

from builder.config import load_config
from builder.config.reference import options, page
from builder.config.template import build_toml
from builder.stages.select import SelectConfig
from mycanvas.schema import SCORE_FIELDS

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_every_option_has_a_meaning() -> None:
    """The text below its field, or for a bound that of its score."""
    assert [f"{option.table}.{option.name}" for option in options() if len(option.meaning) < 8] == []


def test_committed_page_is_what_the_schema_says() -> None:
    """Write it again with: python -m builder.config.reference docs/configuration.md."""
    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(
    ("table", "name", "values", "default"),
    [
        ("", "sizes", "a list; each: a whole number from 1 to 5", "[2, 3, 4, 5]"),
        ("layout", "scale", "a number above 0 and of at most 1", "1.0"),
        ("repaint.diffusion", "refiner_start", "a number above 0 and below 1", "0.75"),
        ("select", "max_invented", "a number of at least 0", '""'),
        ("caption", "backend", 'one of "template", "vlm"', '"template"'),
        ("segment.rembg", "file", "a path", '""'),
    ],
)
def test_range_and_default_are_those_of_the_schema(table: str, name: str, values: str, default: str) -> None:
    (option,) = (each for each in options() if (each.table, each.name) == (table, name))

    assert (option.range, option.default) == (values, default)


def test_every_commented_option_may_be_uncommented(tmp_path: Path) -> None:
    file, whole = tmp_path / "build.toml", tmp_path / "whole.toml"
    text = build_toml({"concepts": "photos"})
    file.write_text(text, encoding="utf-8")
    whole.write_text(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M), encoding="utf-8")

    as_written, uncommented = load_config(file, None, {"workers": 4}), load_config(whole, None, {})

    assert uncommented == as_written
    assert as_written.output == tmp_path / "mycanvas_data"
    assert as_written.concepts == tmp_path / "photos"
    assert len(uncommented.select.model_fields_set) == len(SelectConfig.model_fields)
    assert not as_written.select.model_fields_set


@pytest.mark.parametrize("score", SCORE_FIELDS)
def test_bound_of_a_score_has_its_range_and_its_side(score: str) -> None:
    field = SCORE_FIELDS[score]
    side: Literal["min", "max"] = "min" if field.better == "high" else "max"
    (option,) = (option for option in options() if option.table == "select" and option.name.endswith(f"_{score}"))

    assert option.name == f"{side}_{score}"
    assert field.meaning in option.meaning
    limits = f"from {field.low:g} to {field.high:g}" if field.high is not None else f"of at least {field.low:g}"
    assert option.range == f"a number {limits}"
