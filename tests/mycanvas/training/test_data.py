"""The pictures that each step draws, and how they look to the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mycanvas.dataset.class_pictures import ClassPicture
from mycanvas.dataset.composition import digest_of, find_composition
from mycanvas.dataset.pixels import Zoom, show_photo
from mycanvas.errors import ConfigError, InputError
from mycanvas.io.images import decode_rgb, encode_jpeg, quiet_decoding
from mycanvas.training.data import Arm, Example, TrainingData
from mycanvas.training.generated import made_class_pictures
from mycanvas.training.settings import Settings
from tests.tiny_models.tokenizers import clip_tokenizer

MakeArm = Callable[..., Arm]


@pytest.fixture
def arm(built: Path, compositions: dict[int, str]) -> MakeArm:
    """An arm at 64 pixels; options: of Settings."""

    def made(concepts: int = 2, **options: Any) -> Arm:
        settings = Settings(composition=compositions[concepts], model="m", method="cd", **options)
        model: Any = SimpleNamespace(multiple=16, encoders=(("", ""),), text=lambda _: (clip_tokenizer(), None))
        return Arm(find_composition(built, compositions[concepts]), settings, 64, model)

    return made


def class_picture(caption: str = "photo of a ball") -> ClassPicture:
    image = encode_jpeg(np.full((40, 80, 3), 90, np.uint8))
    return ClassPicture(class_name="ball", name="1", suffix=".jpg", image=image, size=(80, 40), caption=caption)


def kinds(examples: list[Example]) -> Counter[str]:
    return Counter(example.show.func.__name__ for example in examples)  # type: ignore[attr-defined]


def test_draws_depend_on_seed_and_step_alone(arm: MakeArm) -> None:
    data, again = TrainingData(arm(), ()), TrainingData(arm(), ())

    def drawn(data: TrainingData, seed: int, step: int) -> list[tuple[str, float, int]]:
        return [(draw.example.prompt, draw.time, draw.seed) for draw in data.draws(seed, step, 8)]

    again.draws(0, 4, 8)
    assert drawn(data, 0, 5) == drawn(again, 0, 5)
    assert len({str(drawn(data, *each)) for each in ((0, 5), (0, 6), (1, 5))}) == 3
    assert all(0 <= time < 1 for _, time, _ in drawn(data, 0, 5))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("photos", {"show_photo": 1.0}),
        ("scenes", {"show_scene": 1.0}),
        ("both", {"show_photo": 0.25, "show_scene": 0.75}),
        ("collage", {"show_photo": 0.25, "show_collage": 0.75}),
    ],
)
def test_sources_are_drawn_as_often_as_they_should(arm: MakeArm, source: str, expected: dict[str, float]) -> None:
    draws = TrainingData(arm(source=source), ()).draws(0, 0, 2000)

    counts = kinds([draw.example for draw in draws])
    assert {name: count / 2000 for name, count in counts.items()} == pytest.approx(expected, abs=0.04)


def test_as_many_class_pictures_are_added(arm: MakeArm) -> None:
    examples = [draw.example for draw in TrainingData(arm(), [class_picture()]).draws(0, 0, 8)]

    assert kinds(examples[8:]) == {"show_class_picture": 8}
    assert examples[8].show().pixels.shape == (48, 96, 3)


def test_processes_share_the_class_pictures_to_be_made(arm: MakeArm, tmp_path: Path) -> None:
    """One that made all would let the others wait longer than NCCL allows."""
    made: list[set[str]] = []

    class Model(SimpleNamespace):
        def generate(self, pictures: dict[Path, Any], *_: int) -> None:
            made.append({f"{path.parent.name}/{path.name}" for path in pictures})

    given = arm(class_pictures=3)
    given = replace(given, model=Model())  # type: ignore[arg-type]
    for index in range(2):
        processes: Any = SimpleNamespace(process_index=index, num_processes=2, wait_for_everyone=lambda: None)
        with pytest.raises(InputError, match="cannot be read"):  # the other's
            made_class_pictures(given, "r", tmp_path, processes)

    names = sorted({concept.class_name for concept in given.concepts})
    assert [len(share) for share in made] == [3, 3]
    assert made[0] | made[1] == {f"{name}/{seed}.jpg" for name in names for seed in range(3)}


def test_digest_follows_all_that_is_learned_and_nothing_else(arm: MakeArm) -> None:
    given = arm().composition
    scene, concept = given.scenes[0], given.concepts[0]
    photo = concept.photos[0]

    def with_scene(**changed: Any) -> str:
        return digest_of(replace(given, scenes=[replace(scene, **changed), *given.scenes[1:]]), ())

    def with_photo(**changed: Any) -> str:
        photos = (replace(photo, **changed), *concept.photos[1:])
        return digest_of(replace(given, concepts=[replace(concept, photos=photos), *given.concepts[1:]]), ())

    digests = [
        digest_of(given, ()),
        digest_of(given, [class_picture()]),
        digest_of(given, [class_picture("a ball")]),
        with_scene(image=photo.image),
        with_scene(mask=given.scenes[1].mask),
        with_scene(prompt="a <ball> ball", background=""),
        with_photo(image=scene.image),
        with_photo(mask=None),
        with_photo(used=not photo.used),
    ]
    assert len(set(digests)) == len(digests)
    assert digest_of(arm().composition, ()) == with_scene(rank=4) == digests[0]


def test_loss_counts_less_outside_of_objects(arm: MakeArm) -> None:
    (scene, *_) = [
        draw.example for draw in TrainingData(arm(source="scenes", background_weight=0.25), ()).draws(0, 0, 1)
    ]

    pixels, weight = scene.show()

    assert pixels.shape == (64, 64, 3)
    assert set(np.unique(weight)) == {0.25, 1.0}
    assert 0.02 < (weight == 1).mean() < 0.8


def test_masks_that_have_no_effect_are_not_decoded(arm: MakeArm) -> None:
    given = arm(source="scenes")
    scenes = [replace(scene, mask=bytes(scene.mask)[:-40]) for scene in given.composition.scenes]
    data = TrainingData(replace(given, composition=replace(given.composition, scenes=scenes)), ())

    assert data.draws(0, 0, 1)[0].example.show().weight is None


def test_pictures_are_decoded_at_about_the_size_that_is_shown(arm: MakeArm) -> None:
    """A photo of two megapixels is shown at 12 pixels in a small part of the time that decoding it takes."""
    large = encode_jpeg(np.full((1200, 1600, 3), 90, np.uint8))
    with quiet_decoding():
        assert [decode_rgb(large, side).shape[:2] for side in (None, 1600, 799, 12)] == [
            (1200, 1600),
            (1200, 1600),
            (600, 800),
            (150, 200),
        ]
    given = arm(source="photos")
    (photo, *_), zoom = given.composition.concepts[0].photos, Zoom(0.5, "", 0)
    pixels, weight = show_photo(replace(photo, image=large, mask=None), zoom, 64, 1.0)

    assert weight is not None
    assert np.count_nonzero(weight) == 32 * 24
    assert abs(pixels[weight > 0].astype(int) - 90).max() <= 1


def test_photos_are_shown_at_many_sizes_and_count_only_where_they_are(arm: MakeArm) -> None:
    examples = {draw.example for draw in TrainingData(arm(source="photos"), ()).draws(0, 0, 60)}

    shown = [example.show() for example in examples]
    covered = [float(weight.mean()) for _, weight in shown]

    assert min(covered) < 0.35
    assert max(covered) == 1
    assert all((pixels[weight == 0] == 128).all() for pixels, weight in shown)
    assert {example.prompt.split(" photo")[0] for example in examples} > {"zoomed in", "very small"}


def test_masks_of_photos_that_are_not_used_do_not_weigh_the_loss(arm: MakeArm) -> None:
    given = arm(source="photos", background_weight=0.0)
    concepts = given.composition.concepts
    unused = [replace(each, photos=tuple(replace(p, used=False) for p in each.photos)) for each in concepts]
    whole = replace(given, composition=replace(given.composition, concepts=unused))

    weights = [TrainingData(each, ()).draws(0, 0, 1)[0].example.show().weight for each in (given, whole)]

    assert weights[0].sum() < weights[1].sum()
    rows, columns = np.nonzero(weights[1])
    assert weights[1][rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].all()


def test_collages_show_all_cutouts_apart_on_white(arm: MakeArm) -> None:
    data = TrainingData(arm(concepts=5, source="collage", background_weight=0), ())
    example = next(d.example for d in data.draws(0, 0, 40) if kinds([d.example]) == {"show_collage": 1})

    pixels, weight = example.show()

    from scipy.ndimage import label

    assert label(weight > 0)[1] >= 5
    assert (pixels[weight == 0] > 120).mean() > 0.97
    assert all(token in example.prompt for token in ("<ball2>", "<box>", "<cone>", "<ring>", "<slab>"))


def test_collages_have_their_cutouts_anywhere(arm: MakeArm) -> None:
    """Scenes do too: as a control, collages must not teach a place."""
    data = TrainingData(arm(source="collage", background_weight=0), ())
    examples = {d.example for step in range(4) for d in data.draws(0, step, 40) if d.example.group == ""}

    shown = [example.show().weight > 0 for example in examples]

    assert len(shown) >= 4
    assert all(np.any([weight[rows] for weight in shown]) for rows in (slice(0, 28), slice(36, 64)))


def test_prompts_that_are_too_long_are_refused(arm: MakeArm) -> None:
    given = arm(source="photos")
    concepts = [replace(each, class_name="x" * 90) for each in given.composition.concepts]

    with pytest.raises(InputError, match=r"the shortest prompt of .* at most 77 are read"):
        TrainingData(replace(given, composition=replace(given.composition, concepts=concepts)), ())
    with pytest.raises(InputError, match="the caption of 1 has more than 77 tokens; shorten it"):
        TrainingData(given, [class_picture("dog " * 80)])


def test_composition_without_scenes_or_masks_is_refused(arm: MakeArm) -> None:
    given = arm(source="collage")
    empty = replace(given.composition, scenes=())
    bare = [
        replace(each, photos=tuple(replace(p, mask=None) for p in each.photos)) for each in given.composition.concepts
    ]

    with pytest.raises(InputError, match="has no pictures for --source collage; choose another source"):
        TrainingData(replace(given, composition=empty), ())
    with pytest.raises(InputError, match="which has no mask; choose another --source"):
        TrainingData(replace(given, composition=replace(given.composition, concepts=bare)), ())


def test_composition_is_found_in_any_order_of_its_concepts(built: Path, compositions: dict[int, str]) -> None:
    turned = "+".join(reversed(compositions[3].split("+")))

    found = find_composition(built, turned)

    assert found.name == compositions[3]
    assert [concept.name for concept in found.concepts] == compositions[3].split("+")
    assert {scene.composition for scene in found.scenes} == {compositions[3]}
    with pytest.raises(ConfigError, match="there is no composition 'cup'"):
        find_composition(built, "cup")


def test_damaged_picture_is_named(arm: MakeArm) -> None:
    given = arm(source="scenes")
    scenes = [replace(scene, image=bytes(scene.image)[:200]) for scene in given.composition.scenes]
    data = TrainingData(replace(given, composition=replace(given.composition, scenes=scenes)), ())

    with pytest.raises(InputError, match=r"scene \S+ cannot be used: .*; build the dataset again"):
        data.draws(0, 0, 1)[0].example.show()
