from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from builder.stages.backgrounds import find_backgrounds
from mycanvas.errors import ConfigError, InputError


def save(path: Path, width: int = 400, height: int = 300, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(width).integers(0, 255, (height, width, len(mode)), np.uint8)
    Image.fromarray(noise).save(path)


@pytest.mark.parametrize(
    ("scene", "phrase"),
    [
        ("garden", "in a garden"),
        ("old_attic", "in an old attic"),
        ("beach", "on a beach"),
        ("on_a_beach", "on a beach"),
        ("table", "on a wooden table"),
        ("wooden_table", "on a wooden table"),
        ("Wooden-Floor 2", "on a wooden floor"),
        ("snow", "in the snow"),
        ("deep_snow", "in the deep snow"),
        ("outdoors", "outdoors"),
    ],
)
def test_phrase_of_a_scene_comes_from_its_folder_name(tmp_path: Path, scene: str, phrase: str) -> None:
    save(tmp_path / scene / "1.png")

    (background,) = find_backgrounds(tmp_path).backgrounds

    assert (background.scene, background.phrase) == (scene, phrase)


def test_every_photo_of_every_scene_is_found_in_order(tmp_path: Path) -> None:
    for name in ("snow/b.png", "snow/a.jpg", "garden/c.webp", "garden/.hidden.png", "garden/notes.txt"):
        save(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("no photo")

    found = find_backgrounds(tmp_path)

    assert [background.photo and background.photo.id for background in found.backgrounds] == [
        "garden/c.webp",
        "snow/a.jpg",
        "snow/b.png",
    ]
    assert found.rejected == ()


def test_unusable_photos_are_rejected_by_name_and_the_others_are_not(tmp_path: Path) -> None:
    save(tmp_path / "garden" / "good.png")
    save(tmp_path / "garden" / "small.png", width=255)
    save(tmp_path / "garden" / "glass.png", mode="RGBA")
    save(tmp_path / "loose.png")
    (tmp_path / "garden" / "text.jpg").write_text("not a photo")
    (tmp_path / "garden" / "phone.heic").write_bytes(b"")
    (tmp_path / "empty").mkdir()

    found = find_backgrounds(tmp_path)

    assert [background.photo and background.photo.id for background in found.backgrounds] == ["garden/good.png"]
    reasons = {each.sample_id: each.reason for each in found.rejected}
    assert sorted(reasons) == [
        "empty",
        "garden/glass.png",
        "garden/phone.heic",
        "garden/small.png",
        "garden/text.jpg",
        "loose.png",
    ]
    assert "255x300" in reasons["garden/small.png"]
    assert "partly transparent" in reasons["garden/glass.png"]
    assert "not in a scene's folder" in reasons["loose.png"]


def test_loose_photos_alone_are_an_error_that_says_where_to_put_them(tmp_path: Path) -> None:
    save(tmp_path / "photo.png")

    with pytest.raises(InputError, match=r"holds 1 photo and no folder; expected a folder for each scene"):
        find_backgrounds(tmp_path)


def test_a_folder_without_one_usable_photo_is_an_error_that_gives_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "garden").mkdir()
    (tmp_path / "garden" / "text.jpg").write_text("not a photo")

    with pytest.raises(InputError, match=r"garden/text.jpg: not a picture"):
        find_backgrounds(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist; expected a folder of folders of photos"):
        find_backgrounds(tmp_path / "nowhere")


def test_backgrounds_toml_overrides_phrase_and_ground_of_its_scene_only(tmp_path: Path) -> None:
    save(tmp_path / "garden" / "1.png")
    save(tmp_path / "snow" / "1.png")
    (tmp_path / "backgrounds.toml").write_text('[garden]\nphrase = "among roses"\nhorizon = 0.4\nground = 0.6\n')

    garden, snow = find_backgrounds(tmp_path).backgrounds

    assert (garden.phrase, garden.horizon, garden.ground) == ("among roses", 0.4, 0.6)
    assert (snow.phrase, snow.horizon, snow.ground) == ("in the snow", None, None)


def test_table_without_a_folder_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path / "garden" / "1.png")
    (tmp_path / "backgrounds.toml").write_text('[gardn]\nhorizon = 9\n[garden]\nphrase = "among roses"\n')

    (garden,) = find_backgrounds(tmp_path).backgrounds

    assert garden.phrase == "among roses"
    assert "no folder is called gardn; did you mean garden? (this table is not used)" in caplog.text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[garden]\nhorizont = 0.4", r"unknown key garden.horizont; did you mean horizon\?"),
        ("gardn = 0.4", r"no folder is called gardn; did you mean garden\?"),
        ("[garden]\nground = 1.5", r"garden.ground: expected a number of at most 0.95, got 1.5"),
        ("[garden]\nhorizon = 0.7\nground = 0.6", r"ground 0.6 must be larger than horizon 0.7"),
        ("[garden", "is not TOML"),
        ('[garden]\nphrase = "in a garden of very many long words"', "1 to 6 plain words"),
        (
            '[garden]\nphrase = "in a ' + "garden" * 2000 + '"',
            "…. cannot be the phrase of garden: expected 1 to 6 plain words",
        ),
        ('[garden]\nphrase = "in a gar\\u202eden"', r"gar\\u202eden' cannot be the phrase of garden"),
        ("gardn = 1\n[garden]\nground = 2\nphrase = 3", r"(?s)called gardn;.*phrase: expected text.*ground: expected"),
    ],
)
def test_a_wrong_backgrounds_toml_is_an_error_that_says_what_is_wrong(
    tmp_path: Path, text: str, complaint: str
) -> None:
    save(tmp_path / "garden" / "1.png")
    (tmp_path / "backgrounds.toml").write_text(text)

    with pytest.raises(ConfigError, match=complaint):
        find_backgrounds(tmp_path)


@pytest.mark.parametrize("name", [" ", "\u3000"])
def test_a_folder_named_by_spaces_only_asks_for_a_phrase(tmp_path: Path, name: str) -> None:
    save(tmp_path / name / "0.jpg")

    with pytest.raises(ConfigError, match=r"cannot be the phrase of .*; set phrase in backgrounds\.toml"):
        find_backgrounds(tmp_path)
