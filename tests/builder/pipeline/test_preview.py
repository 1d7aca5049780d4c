"""The preview of a build: its choice of scenes, its temporary folder, and its questions to a language model."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.preview import preview, spread
from builder.records import BackgroundRef, Concept, CutoutReview, Sample
from builder.sources.cutout_reviews import REVIEWS, CutoutReviews
from mycanvas.errors import InputError
from tests.chat_server import sensible, serve
from tests.contracts.small_builds import config_for


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


def samples(*sizes: int) -> tuple[Sample, ...]:
    """Two scenes of each composition, of which there is one for each of these sizes."""
    return tuple(
        Sample(id=f"{index}-{turn}", concepts=members, photo_ids=(), background=ground, sizes=None)
        for index, size in enumerate(sizes)
        for members in [tuple(concept(f"c{index}{place}") for place in range(size))]
        for turn in range(2)
    )


def concept(name: str) -> Concept:
    return Concept(name=name, token=f"<{name}>", class_noun=name, height_cm=10, photos=())


ground = BackgroundRef(scene="yard", phrase="in a yard", variant=0)


def ids(chosen: Sequence[Sample]) -> list[str]:
    return [sample.id for sample in chosen]


def test_samples_are_spread_over_splits_and_compositions() -> None:
    plan = samples(2, 4, 5, 3, 4)

    assert ids(spread(plan, 1)) == ["0-0"]
    assert ids(spread(plan, 3)) == ["0-0", "1-0", "2-0"]
    assert ids(spread(plan, 5)) == ["0-0", "3-0", "1-0", "4-0", "2-0"]
    assert ids(spread(plan, 6)) == ["0-0", "3-0", "1-0", "4-0", "2-0", "2-1"]
    assert sorted(ids(spread(plan, 99))) == sorted(ids(plan))


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError])
def test_nothing_is_left_after_an_error(
    shapes: Path, grounds: Path, tmp_path: Path, temporary: Path, error: type[BaseException]
) -> None:
    config = config_for(shapes, grounds, tmp_path / "out")

    def fail() -> None:
        with preview(config) as begun:
            assert list(temporary.iterdir()) == [begun.folder.path]
            raise error

    with pytest.raises(error):
        fail()
    assert not any(temporary.iterdir())
    assert not config.output.exists()


def test_the_folder_of_a_killed_preview_is_removed_and_others_stay(
    shapes: Path, grounds: Path, tmp_path: Path, temporary: Path
) -> None:
    for name in ("killed", "running", "new"):
        (temporary / f"mycanvas-preview-{name}" / ".build").mkdir(parents=True)
    (temporary / "mine").mkdir()
    for name in ("mycanvas-preview-killed", "mycanvas-preview-running", "mine"):
        os.utime(temporary / name, (0, 0))

    with (
        BuildFolder(temporary / "mycanvas-preview-running").locked(),
        preview(config_for(shapes, grounds, tmp_path / "out")),
    ):
        pass

    assert {path.name for path in temporary.iterdir()} == {"mine", "mycanvas-preview-new", "mycanvas-preview-running"}


def test_a_language_model_is_asked_only_for_the_scenes_that_are_drawn_and_gives_those_of_the_build(
    shapes: Path, grounds: Path, tmp_path: Path, temporary: Path
) -> None:
    shutil.copytree(grounds / "yard", tmp_path / "places" / "garden")
    shutil.copytree(grounds / "yard", tmp_path / "places" / "lawn")
    with serve(sensible) as server:
        layout = {"backend": "llm", "llm": {"model": "tiny", "base_url": server.url, "max_tokens": 512}}
        config = config_for(shapes, tmp_path / "places", tmp_path / "out", layout=layout, select={"duplicate_bits": -1})
        with preview(config) as begun:
            made = begun.make(2)
        asked = len(server.asked)
        build(config)

    assert asked == 4  # a theme and boxes for each
    assert not any(temporary.iterdir())
    built = {row["id"]: row for index in range(4) for row in BuildFolder(config.output).candidates(index)}
    assert Counter(scene.split for scene in made.scenes) == {"objects_le3": 1, "objects_4": 1}
    assert [(scene.image, scene.caption) for scene in made.scenes] == [
        (built[scene.id]["image"]["bytes"], built[scene.id]["caption"]) for scene in made.scenes
    ]


@pytest.mark.usefixtures("temporary")
def test_accepted_cutout_passes_the_bound_on_quality_as_in_the_build(
    shapes: Path, grounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REVIEWS, str(tmp_path / "reviews"))
    photos = Path(shutil.copytree(shapes, tmp_path / "photos"))
    for file in photos.glob("*/*.png"):
        with Image.open(file) as image:
            image.convert("RGB").save(file)  # to be cut out, with a quality below 1
    config = config_for(
        photos,
        grounds,
        tmp_path / "out",
        compositions=[["cone"]],
        select={"min_cutout": 1.0},
        segment={"min_quality": 0},
    )
    with preview(config) as begun:
        assert set(begun.make(2).dropped.values()) == {"cutout < 1"}
    for file in (photos / "cone").iterdir():
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        CutoutReviews([tmp_path / "reviews"]).put(CutoutReview(photo=digest, verdict="use"))

    with preview(config) as begun:
        assert "cutout < 1" not in begun.make(2).dropped.values()
