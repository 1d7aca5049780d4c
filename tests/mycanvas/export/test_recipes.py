"""Recipes for trainers: every row of the dataset, as each trainer reads it."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mycanvas.errors import ConfigError, InputError, StoreError
from mycanvas.export import OPTIONS, export
from mycanvas.export.selection import Selection
from tests.mycanvas.conftest import encoded
from tests.mycanvas.export.conftest import Foreign, Row, photo_row, picture
from tests.mycanvas.export.trainers import MASKED, TRAINERS, Shown, samples_of

Scenes = dict[str, list[Row]]


def read(dataset: Path, name: str, out: Path, **options: Any) -> list[Shown]:
    """Export a dataset, and read it as the trainer does."""
    export(dataset, name, out, Selection(**options))
    return list(TRAINERS[name](out))


def rows_of(scenes: Scenes) -> dict[str, Row]:
    return {row["id"]: row for split in scenes.values() for row in split}


def numbers(row: Row) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(row["mask"])) as mask:
        return np.asarray(mask)


def shows(mask: NDArray[np.float64] | None, expected: NDArray[np.bool_]) -> bool:
    """Whether a mask is white on the expected pixels and darkest elsewhere; a JPEG blurs a few of the outline."""
    return mask is not None and bool(((mask > 0.55) != expected).mean() < 0.01)


@pytest.mark.parametrize("name", TRAINERS)
def test_every_scene_is_read_with_its_picture_caption_and_mask(
    dataset: Path, scenes: Scenes, out: Path, name: str
) -> None:
    rows = rows_of(scenes)

    found = read(dataset, name, out)

    assert sorted(shown.path.stem for shown in found) == sorted(rows)
    for shown in found:
        row = rows[shown.path.stem]
        assert shown.path.read_bytes() == row["image"]
        assert shown.caption == row["prompt"]
        assert (shown.times, shown.kind) == (1, "train")
        assert shows(shown.mask, numbers(row) > 0) == (name in MASKED)


@pytest.mark.parametrize("name", MASKED)
def test_a_concept_alone_is_white_and_scenes_without_it_are_left_out(
    dataset: Path, scenes: Scenes, photos: list[Row], out: Path, name: str
) -> None:
    concept = photos[0]
    rows = {key: row for key, row in rows_of(scenes).items() if concept["concept_token"] in row["concept_tokens"]}

    found = read(dataset, name, out, concept=concept["concept"])

    assert 0 < len(rows) < len(rows_of(scenes))
    assert sorted(shown.path.stem for shown in found) == sorted(rows)
    for shown in found:
        row = rows[shown.path.stem]
        assert shown.caption == row["prompt"]
        assert shows(shown.mask, numbers(row) == row["concept_tokens"].index(concept["concept_token"]) + 1)


@pytest.mark.parametrize("name", TRAINERS)
def test_compositions_choose_scenes(dataset: Path, scenes: Scenes, out: Path, name: str) -> None:
    names = sorted({row["composition"] for row in rows_of(scenes).values()})[:2]

    found = read(dataset, name, out, composition=tuple(names))

    expected = [key for key, row in rows_of(scenes).items() if row["composition"] in names]
    assert sorted(shown.path.stem for shown in found) == sorted(expected)


@pytest.mark.parametrize("name", TRAINERS)
def test_scenes_and_photos_are_three_to_one(
    dataset: Path, scenes: Scenes, photos: list[Row], out: Path, name: str
) -> None:
    found = read(dataset, name, out, source="both")

    times: Counter[bool] = Counter()
    for shown in found:
        times["+" in shown.path.stem] += shown.times
    own = [shown for shown in found if "+" in shown.path.stem]
    assert 2.7 <= times[False] / times[True] <= 3.3
    assert sorted(shown.path.read_bytes() for shown in own) == sorted(row["image"] for row in photos)
    assert len({shown.path.stem for shown in found}) == len(rows_of(scenes)) + len(photos)
    by_image = {row["image"]: row for row in photos}
    for shown in own:
        row = by_image[shown.path.read_bytes()]
        assert shown.caption.endswith(f"{row['concept_token']} {row['class_name']}")
        if name in MASKED:
            with Image.open(io.BytesIO(row["mask"])) as mask:
                assert shows(shown.mask, np.asarray(mask) > 127)


@pytest.mark.parametrize("name", TRAINERS)
def test_photos_alone(dataset: Path, photos: list[Row], out: Path, name: str) -> None:
    found = read(dataset, name, out, source="photos")

    assert sorted(shown.path.read_bytes() for shown in found) == sorted(row["image"] for row in photos)
    assert all(shown.times == 1 for shown in found)


@pytest.mark.parametrize("name", [name for name in TRAINERS if "holdout" in OPTIONS[name]])
def test_held_out_scenes_are_the_validation_set(dataset: Path, scenes: Scenes, out: Path, name: str) -> None:
    found = read(dataset, name, out, holdout=5)

    kinds = Counter(shown.kind for shown in found)
    assert kinds == {"validation": 5, "train": len(rows_of(scenes)) - 5}
    assert sorted(shown.path.stem for shown in found) == sorted(rows_of(scenes))


@pytest.mark.parametrize("name", [name for name in TRAINERS if "regularization" in OPTIONS[name]])
def test_class_pictures_keep_their_class_or_the_caption_beside_them(
    dataset: Path, scenes: Scenes, tmp_path: Path, out: Path, name: str
) -> None:
    for path in ("dog/a.png", "dog/b.jpg", "owl/a.webp"):
        (tmp_path / "classes" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), "red").save(tmp_path / "classes" / path)
    (tmp_path / "classes/dog/b.txt").write_text("a dog\nin the snow\n")

    found = read(dataset, name, out, regularization=tmp_path / "classes")

    own = {shown.path.name: shown for shown in found if "+" in shown.path.stem}
    assert {path: shown.caption for path, shown in own.items()} == {
        "dog+a.png": "a photo of a dog",
        "dog+b.jpg": "a dog in the snow",
        "owl+a.webp": "a photo of an owl",
    }
    assert all(shown.mask is None for shown in own.values())
    assert len(found) == len(rows_of(scenes)) + 3
    assert all(shown.kind == "class" for shown in own.values()) or name == "kohya"


@pytest.mark.parametrize("name", TRAINERS)
def test_words_replace_tokens_in_captions_samples_and_configuration(
    dataset: Path, scenes: Scenes, photos: list[Row], out: Path, name: str
) -> None:
    rows = rows_of(scenes)
    tokens = {row["concept_token"]: row["concept"] for row in photos}

    found = read(dataset, name, out, triggers="words", source="both")

    table = json.loads((out / "triggers.json").read_text("ascii"))
    words = {concept: entry["trigger"] for concept, entry in table.items()}
    assert set(words) == set(tokens.values())
    assert len(set(words.values())) == len(words)
    assert all(word.isalpha() and word.isascii() and word.islower() for word in words.values())
    for shown in found:
        if row := rows.get(shown.path.stem):
            expected = row["prompt"]
            for token, concept in tokens.items():
                expected = expected.replace(token, words[concept])
            assert shown.caption == expected
        assert "<" not in shown.caption
    captions = {shown.caption for shown in found}
    assert set(samples_of(name, out)) <= captions
    assert samples_of(name, out) or name == "diffsynth"
    assert not any("<" in path.read_text("utf-8") for path in out.iterdir() if path.is_file())


@pytest.mark.parametrize("name", MASKED)
def test_words_replace_the_tokens_of_all_concepts_beside_a_chosen_one(
    dataset: Path, scenes: Scenes, photos: list[Row], out: Path, name: str
) -> None:
    tokens = {row["concept_token"]: row["concept"] for row in photos}
    concept = photos[0]

    found = read(dataset, name, out, triggers="words", concept=concept["concept"], source="both")

    table = json.loads((out / "triggers.json").read_text("ascii"))
    rows = rows_of(scenes)
    shown = {token for each in found if (row := rows.get(each.path.stem)) for token in row["concept_tokens"]}
    assert set(table) == {tokens[token] for token in shown}
    assert len(table) > 1
    assert not [each.caption for each in found if "<" in each.caption]
    own = [each for each in found if "+" in each.path.stem]
    assert all(table[concept["concept"]]["trigger"] in each.caption for each in own)
    assert len(own) == sum(row["concept"] == concept["concept"] for row in photos)


def test_triggers_of_photos_of_one_concept_list_it_alone(dataset: Path, photos: list[Row], out: Path) -> None:
    read(dataset, "kohya", out, triggers="words", concept=photos[0]["concept"], source="photos")

    assert set(json.loads((out / "triggers.json").read_text("ascii"))) == {photos[0]["concept"]}


def test_photos_of_a_concept_that_no_scene_shows_are_exported(foreign: Foreign, out: Path) -> None:
    photos = [photo_row(f"fox/{number}.jpg", concept_token="<fox>", class_name="fox") for number in ("00", "01")]
    dataset = foreign([{}], [photo_row("dog6/00.jpg"), *photos])

    assert len(read(dataset, "kohya", out, concept="fox", source="photos")) == 2


def test_a_scene_without_a_visible_object_is_left_out(
    foreign: Foreign, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    black = picture(encoded(Image.new("P", (16, 12)), "PNG"))

    with caplog.at_level(logging.WARNING, "mycanvas"):
        found = read(foreign([{}, {"mask": black}]), "ai-toolkit", out)

    assert [shown.path.stem for shown in found] == ["s0"]
    assert "1 scene left out: no pixel of any object is visible" in caplog.text


def test_an_export_with_nothing_to_train_on_is_refused(foreign: Foreign, out: Path) -> None:
    black = picture(encoded(Image.new("P", (16, 12)), "PNG"))

    for name in TRAINERS:
        with pytest.raises(InputError, match="nothing is left to train on"):
            export(foreign([{"mask": black}]), name, out)


@pytest.mark.parametrize("name", TRAINERS)
def test_a_caption_is_one_line(foreign: Foreign, out: Path, name: str) -> None:
    (shown,) = read(foreign([{"prompt": "a <dog6> dog\r\n\n  and a <cat2> cat\u2028in a garden"}]), name, out)

    assert shown.caption == "a <dog6> dog and a <cat2> cat in a garden"


@pytest.mark.parametrize("name", TRAINERS)
def test_an_empty_caption_is_refused(foreign: Foreign, out: Path, name: str) -> None:
    with pytest.raises(InputError, match="scene s0 has an empty caption; every picture needs one"):
        export(foreign([{"prompt": " \n"}]), name, out)


@pytest.mark.parametrize(("name", "limit"), [("kohya", 225), ("diffusers", 75), ("musubi", 512)])
def test_captions_beyond_the_limit_are_counted(
    foreign: Foreign, out: Path, caplog: pytest.LogCaptureFixture, name: str, limit: int
) -> None:
    texts = ["dog " * limit, "dog " * (limit - 3) + "<dog6>", "dog " * (limit + 1)]  # "<dog6>" is four tokens

    with caplog.at_level(logging.WARNING, "mycanvas"):
        export(foreign([{"prompt": text} for text in texts]), name, out)

    assert f"longer than the {limit} tokens" in caplog.text
    assert caplog.text.count(" 2 captions" if name != "diffusers" else " 2 prompts") == 1


def test_an_epoch_is_summed_up_in_words(foreign: Foreign, out: Path) -> None:
    photos = [photo_row("dog6/0.jpg"), photo_row("cat2/0.jpg", concept_token="<cat2>", class_name="cat")]

    done = export(foreign([{} for _ in range(13)], photos), "kohya", out, Selection(source="both", holdout=1))

    assert done.usage[-1] == "Pictures: 12 scenes, and 2 photos 2 times; 1 scene held out."


def test_photos_whose_cut_out_is_not_trusted_count_whole(foreign: Foreign, out: Path) -> None:
    part = np.zeros((8, 8), np.uint8)
    part[2:4, 2:4] = 255
    mask = picture(encoded(Image.fromarray(part), "PNG"))
    photos = [
        photo_row("dog6/a.png", mask=mask),
        photo_row("dog6/a.jpg", mask=mask, used=False),
        photo_row("dog6/A.webp", mask=None),
    ]

    found = read(foreign([{}], [*photos, photo_row("cat2/0.jpg", concept_token="<cat2>")]), "kohya", out, source="both")

    masks = {shown.path.name: shown.mask for shown in found}
    assert sorted(masks) == ["cat2+0.jpg", "dog6+A+3.jpg", "dog6+a+2.jpg", "dog6+a.jpg", "s0.jpg"]
    assert shows(masks["dog6+a.jpg"], part > 0)
    for name in ("dog6+a+2.jpg", "dog6+A+3.jpg", "cat2+0.jpg"):
        assert shows(masks[name], np.ones((8, 8), bool))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"composition": ("cat2+dog7",)}, r"no composition 'cat2\+dog7'; did you mean cat2\+dog6\?"),
        ({"concept": "dog7"}, r"no concept 'dog7'; did you mean dog6\?"),
        ({"holdout": 1}, "--holdout 1 leaves no scene to train on; 1 are chosen"),
        ({"holdout": -1}, "expected --holdout of at least 0 scenes, got -1"),
        ({"holdout": 1, "source": "photos"}, "--source photos writes none"),
        ({"seed": -5, "triggers": "words"}, "expected --seed of at least 0, got -5"),
        ({"seed": 1}, "give it with --triggers words"),
    ],
)
def test_options_that_choose_nothing_are_refused(
    foreign: Foreign, out: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        export(foreign([{}]), "kohya", out, Selection(**options))
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("musubi", {"concept": "dog6"}, "the format musubi has no --concept; formats that have it: ai-toolkit, kohya,"),
        ("ai-toolkit", {"holdout": 1}, "no --holdout; formats that have it: kohya, onetrainer, simpletuner"),
        ("diffsynth", {"regularization": Path()}, "has no --regularization; formats that have it: ai-toolkit, kohya"),
        ("coco", {"triggers": "words"}, "the format coco has no --triggers"),
        ("diffusers", {"composition": ("cat2+dog6",)}, "the format diffusers has no --composition"),
    ],
)
def test_an_option_that_a_format_lacks_is_refused_by_name(
    foreign: Foreign, out: Path, name: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        export(foreign([{}]), name, out, Selection(**options))


def test_a_folder_with_other_options_is_refused(dataset: Path, out: Path) -> None:
    export(dataset, "musubi", out)

    assert not export(dataset, "musubi", out).written
    with pytest.raises(StoreError, match="an export of another --source, --triggers; remove it, or give another"):
        export(dataset, "musubi", out, Selection(triggers="words", source="both"))


def test_coco_of_one_composition_has_its_scenes_and_concepts(dataset: Path, scenes: Scenes, out: Path) -> None:
    name = next(iter(rows_of(scenes).values()))["composition"]

    done = export(dataset, "coco", out, Selection(composition=(name,)))

    found = [json.loads(path.read_bytes()) for path in (out / "annotations").iterdir()]
    expected = [row for row in rows_of(scenes).values() if row["composition"] == name]
    assert sum(done.counts.values()) == sum(len(each["images"]) for each in found) == len(expected)
    assert {category["name"] for category in found[0]["categories"]} == set(expected[0]["concept_tokens"])
