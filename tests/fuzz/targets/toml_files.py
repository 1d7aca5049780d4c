"""build.toml, concepts.toml and backgrounds.toml, and the folders that the last two describe."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from builder.config import load_config
from builder.config.load import parse_config, profile_names
from builder.config.reference import options
from builder.config.template import build_toml
from builder.sources.background_photos import find_backgrounds
from builder.sources.concept_folders import TOKEN, ConceptDescription
from builder.sources.concept_names import is_class_noun
from builder.sources.concepts import find_concepts
from builder.sources.photo_folders import read_descriptions
from mycanvas.io.text import printable
from mycanvas.io.toml import merge, toml_key, toml_string
from tests.fuzz.draws import NUMBERS, changed, damaged, name, text
from tests.fuzz.target import Target, require

CONCEPTS = """\
[dog6]
class_noun = "dog"
height_cm = 50.5
token = "<dog6>"
attribution = "Ada, CC BY 4.0"
use = ["0.png"]
["rc car"]
class_noun = "rc car"
leave_out = ["0.png"]
"""
BACKGROUNDS = """\
[yard]
phrase = "in a yard"
horizon = 0.3
ground = 0.5
"""
PIECES = tuple(
    piece.encode()
    for piece in (
        *(
            '"""',
            "'''",
            "[[x]]",
            "[x.y]",
            "x = {",
            "{a = 1}",
            "a.b.c = 1",
            '"\\u0000"',
            '"\\uD800"',
            '"\\U0010FFFF"',
            "1979-05-27",
        ),
        *(
            "07:32:00",
            "0xff",
            "1_000",
            "inf",
            "-nan",
            "+1",
            "# \x1f",
            "\r\n",
            "\ufeff",
            "[" * 500,
            "{a=" * 400,
            "a." * 90,
            "[a]\n" * 3,
        ),
        *(
            "'\\",
            '"\\q"',
            "true",
            "[]",
            '""',
            "x.x.",
            "[[a.b]]",
            "a = 1\na = 2\n",
            '"a" = 1',
            "'' = 1",
            '"\u202e" = 1',
            "[''.'']",
        ),
    )
)
SETTABLE = [(*option.table.split("."), option.name) if option.table else (option.name,) for option in options()]


def targets(scratch: Path) -> Iterator[Target]:
    """The targets of this file; `scratch` is an empty folder."""
    yield _build_toml(scratch / "build")
    yield _descriptions(scratch / "described")
    yield _concepts(scratch / "concepts")
    yield _backgrounds(scratch / "backgrounds")
    yield Target(name="TOML strings", draw=lambda random: text(random), check=_round_trip, inputs=100_000)


def _build_toml(folder: Path) -> Target:
    folder.mkdir()
    seeds = [(resources.files("builder.config") / "profiles" / f"{each}.toml").read_bytes() for each in profile_names()]
    template = re.sub(r"(?m)^# (?=[a-z_]+ = )", "", build_toml({"concepts": "photos"})).encode()
    seeds += [template, b'concepts = "photos"\nsamples = 30\nresolution = "1024x768"\n[select]\nmin_alignment = 0.2\n']

    def draw(random: Random) -> bytes:
        if random.random() < 0.5:
            return damaged(random, random.choice(seeds[:-2] + seeds[-1:] * 4 + seeds[-2:-1]), PIECES)
        return _toml(random, merge({"concepts": "photos"}, _settings(random))).encode("utf-8", "surrogatepass")

    def check(data: bytes) -> None:
        file = folder / "build.toml"
        file.write_bytes(data)
        config = load_config(file, None, {"concepts": folder})
        again = parse_config(json.loads(json.dumps(config.model_dump(mode="json"))))
        require(again == config, "a configuration is the same after it was stored")
        require(again.digest() == config.digest(), "and so is its digest")
        require(printable(str(config.output)) == str(config.output), "paths have no control characters")

    return Target(name="build.toml", draw=draw, check=check, inputs=30_000)


def _settings(random: Random) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for _ in range(random.randrange(1, 5)):
        *tables, key = (
            random.choice(SETTABLE)
            if random.random() < 0.9
            else [name(random) for _ in range(random.choice((1, 2, 3)))]
        )
        place = values
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                break
        else:
            place[key] = _setting(random)
    return values


def _setting(random: Random, depth: int = 2) -> Any:
    kind = random.randrange(8 if depth else 6)
    if kind < 2:
        return random.choice(NUMBERS)
    if kind < 4:
        return random.choice(
            (text(random), "1024x768", "auto", "classic", "rembg", "llm", "none", "a/b@c", "./m", "~/x")
        )
    if kind < 6:
        return random.choice((True, False, random.random(), random.randrange(-3, 3000)))
    if kind == 6:
        return [_setting(random, depth - 1) for _ in range(random.randrange(4))]
    return {name(random): _setting(random, depth - 1) for _ in range(random.randrange(3))}


def _toml(random: Random, values: dict[str, Any], prefix: str = "") -> str:
    lines = [f"{toml_key(key)} = {_literal(each)}" for key, each in values.items() if not isinstance(each, dict)]
    for key, each in values.items():
        if isinstance(each, dict):
            place = f"{prefix}{toml_key(key)}"
            lines += [f"[{place}]", _toml(random, each, f"{place}.")]
    return "\n".join(lines)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_key(key)} = {_literal(each)}" for key, each in value.items()) + "}"
    return str(value)


def _described(seed: str, random: Random) -> bytes:
    if random.random() < 0.5:
        return damaged(random, seed.encode(), PIECES)
    values = changed(random, tomllib.loads(seed))
    return (_toml(random, values) if isinstance(values, dict) else str(values)).encode("utf-8", "surrogatepass")


def _descriptions(folder: Path) -> Target:
    folder.mkdir()

    def check(data: bytes) -> None:
        file = folder / "concepts.toml"
        file.write_bytes(data)
        valid, invalid = read_descriptions(file, ["dog6", "rc car"], ConceptDescription)
        require(not valid.keys() & invalid.keys() and valid.keys() <= {"dog6", "rc car"}, "a table is valid or invalid")
        for described in valid.values():
            require(described.token is None or re.fullmatch(TOKEN, described.token), "tokens are in angle brackets")
        for problem in [each for lines in invalid.values() for each in lines]:
            from tests.fuzz.target import check_message

            check_message(problem)

    return Target(name="concepts.toml", draw=lambda random: _described(CONCEPTS, random), check=check, inputs=30_000)


def _concepts(folder: Path) -> Target:
    for concept in ("dog6", "rc car"):
        (folder / concept).mkdir(parents=True)
        Image.new("RGB", (64, 64), "red" if concept == "dog6" else "blue").save(folder / concept / "0.png")

    def check(data: bytes) -> None:
        (folder / "concepts.toml").write_bytes(data)
        found = find_concepts(folder)
        for concept in found.concepts:
            require(is_class_noun(concept.class_noun), "class nouns are plain words")
            require(re.fullmatch(TOKEN, concept.token), "tokens are in angle brackets")
            require(all(photo.path.is_relative_to(folder) for photo in concept.photos), "photos are in the folder")
        tokens = [concept.token.casefold() for concept in found.concepts]
        require(len(set(tokens)) == len(tokens), "tokens are unique")

    return Target(
        name="folders of concepts", draw=lambda random: _described(CONCEPTS, random), check=check, inputs=3_000
    )


def _backgrounds(folder: Path) -> Target:
    (folder / "yard").mkdir(parents=True)
    Image.new("RGB", (256, 256), "green").save(folder / "yard" / "0.png", compress_level=0)

    def check(data: bytes) -> None:
        (folder / "backgrounds.toml").write_bytes(data)
        for found in find_backgrounds(folder).backgrounds:
            require(found.phrase and found.phrase.isprintable(), "a phrase is printable")
            require(
                found.horizon is None or found.ground is None or found.horizon < found.ground,
                "ground is below the horizon",
            )

    return Target(
        name="backgrounds.toml", draw=lambda random: _described(BACKGROUNDS, random), check=check, inputs=3_000
    )


def _round_trip(value: str) -> None:
    written = f"{toml_key(value)} = {toml_string(value)}\n"
    require(tomllib.loads(written) == {value: value}, "TOML gives back what was written")
