from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from mycanvas.io.messages import closest, counted, differences, explain, nearest
from mycanvas.io.text import printable


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    needed: int = 1


class Outer(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    count: Annotated[int, Field(ge=1, lt=10_000_000)] = 1
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.5
    sizes: Annotated[tuple[int, ...], Field(min_length=1, max_length=2)] = (1,)
    name: Annotated[str, Field(min_length=1, max_length=2, pattern="^[a-z]*$")] = "a"
    backend: Literal["one", "two"] = "one"
    expected: bool = True
    folder: Path = Path()
    inner: Inner = Inner()

    @model_validator(mode="after")
    def _not_seven(self) -> Self:
        if self.count == 7:
            raise ValueError("count cannot be 7; choose another")
        return self


def message(**values: Any) -> str:
    with pytest.raises(ValidationError) as wrong:
        Outer.model_validate(values)
    (error,) = wrong.value.errors()
    return explain(error, ["needed"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", 0, "expected a whole number of at least 1, got 0"),
        ("count", 10_000_000, "expected a whole number below 10000000, got 10000000"),
        ("count", "many", "expected a whole number, got 'many'"),
        ("count", 1.5, "expected a whole number, got 1.5"),
        ("count", [], "expected a whole number, got []"),
        ("share", 0, "expected a number above 0, got 0"),
        ("share", 2, "expected a number of at most 0.5, got 2"),
        ("share", "half", "expected a number, got 'half'"),
        ("share", float("nan"), "expected a finite number, got nan"),
        ("sizes", [], "expected a list of at least 1 value, got []"),
        ("sizes", [1, 2, 3], "expected a list of at most 2 values, got [1, 2, 3]"),
        ("sizes", 3, "expected a list, got 3"),
        ("name", "", "expected text of at least 1 character, got ''"),
        ("name", "abc", "expected text of at most 2 characters, got 'abc'"),
        ("name", 3, "expected text, got 3"),
        ("backend", "three", "expected 'one' or 'two', got 'three'"),
        ("expected", "perhaps", "expected true or false, got 'perhaps'"),
        ("folder", 3, "expected a path, got 3"),
        ("inner", 3, "expected a table of keys and values, got 3"),
    ],
)
def test_message_says_what_was_expected_and_given(name: str, value: object, expected: str) -> None:
    assert message(**{name: value}) == f"{name}: {expected}"


def test_message_names_the_place_within_a_table_or_list() -> None:
    assert message(inner={"needed": 1.5}) == "inner.needed: expected a whole number, got 1.5"
    assert message(sizes=[1, "x"]) == "entry 2 of sizes: expected a whole number, got 'x'"


def test_a_place_within_lists_is_counted_from_one() -> None:
    class Listing(BaseModel):
        groups: list[list[Inner]]

    with pytest.raises(ValidationError) as wrong:
        Listing.model_validate({"groups": [[], [{"needed": "x"}]]})

    assert explain(wrong.value.errors()[0], []).startswith("needed of entry 1 of entry 2 of groups: expected a whole")


def test_unknown_key_names_the_nearest_known_one() -> None:
    assert message(inner={"neded": 1}) == "unknown key inner.neded; did you mean needed?"


def test_message_of_our_own_validator_is_kept() -> None:
    assert message(count=7) == "count cannot be 7; choose another"


def test_unknown_type_of_error_keeps_pydantics_message() -> None:
    assert message(name="A") == "name: string should match pattern '^[a-z]*$', got 'A'"


def test_long_value_is_cut() -> None:
    cut = message(count=["long"] * 100)

    assert cut.startswith("count: expected a whole number, got ['long', 'long'")
    assert cut.endswith("…")
    assert len(cut) < 100


def test_missing_key_is_named() -> None:
    class Needing(BaseModel):
        path: str

    with pytest.raises(ValidationError) as wrong:
        Needing.model_validate({})

    assert explain(wrong.value.errors()[0], ["path"]) == "path is missing"


def test_hint_is_the_nearest_name_or_all_names() -> None:
    assert nearest("smaples", ["seed", "samples"]) == "did you mean samples?"
    assert nearest("x", ["seed", "samples"]) == "known: seed, samples"
    assert closest("x", ["seed", "samples"]) is None


def test_similarity_decides_which_names_are_alike() -> None:
    assert closest("mine", {"mit"}) == "mit"
    assert closest("mine", {"mit"}, similarity=0.6) is None


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [(0, "file", "0 files"), (1, "file", "1 file"), (2, "file", "2 files"), (3, "entry", "3 entries")],
)
def test_counts_are_singular_for_one_only(count: int, noun: str, text: str) -> None:
    assert counted(count, noun) == text


def test_differences_are_in_columns_as_json_and_cut() -> None:
    before = {"steps": 20, "method": "cd", "seed": None, "prompt": "q" * 200}
    now = {"steps": 30, "method": "cd", "prompt": "a\u202eb", "lora": ["x"]}

    assert differences(before, now) == [
        "  steps   was 20, now 30",
        f'  prompt  was "{"q" * 98}…, now "a\\u202eb"',
        '  lora    was not given, now ["x"]',
    ]
    assert differences(now, now) == []


class Needs(BaseModel):
    needed: int


@pytest.mark.parametrize("name", ["a\nerror: all is well", "\u202egnp", "\u2028", "\ud800", "x" * 100_000])
def test_wrong_names_of_keys_make_no_other_lines_and_no_long_ones(name: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(dict[str, Needs]).validate_python({name: {}})

    for text in (message(inner={name: 1}), explain(wrong.value.errors()[0], ["needed"])):
        assert printable(text) == text
        assert "\n" not in text
        assert len(text) < 300
