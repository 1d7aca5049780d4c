"""The chain of steps at a tiny size: it runs, resumes after a kill, and refuses a measure that sees nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from mycanvas.dataset import open_dataset
from mycanvas.dataset.composition import Composition, find_composition
from mycanvas.errors import StoreError
from mycanvas.io.images import decode_rgb
from mycanvas.metrics.summary import Arm, summarise
from mycanvas.models.detectors import Detection
from mycanvas.training.data import TrainingData
from tests.miniature.__main__ import SHEET, check_base, print_table
from tests.miniature.after_table import singles
from tests.miniature.arms import (
    ARMS,
    CONTROL,
    Training,
    arm_prompts,
    on_white,
    shown_to,
    shuffled,
    train_arm,
    untrained,
    without_tokens,
)
from tests.miniature.base import OTHER_WORDS, new_base, pretrain
from tests.miniature.experiment import NOT_TRAINED, Experiment, Sizes
from tests.miniature.grounds import PHRASES, UNSEEN
from tests.miniature.loop import Schedule, fit
from tests.miniature.photos import SCENE_SIDE
from tests.miniature.pictures import COLUMNS, FEET
from tests.miniature.scoring import PRIMARY, comparison_lines, is_apart, loses, pooled, split_lines
from tests.miniature.sheet import TILE
from tests.miniature.toys import KINDS

FEW = Schedule(steps=2, lr=1e-3, save=1, batch=4)
TINY = Sizes(
    base=FEW,
    detector=FEW,
    encoder=FEW,
    arms=Training(steps=1, rates={"cd": 1e-3, "db-lora": 1e-3}, batch=2, class_pictures=1),
    compositions=(("ball1", "mug1"), ("boat1", "car1", "fish2", "star2")),
    scenes=2,
    strangers=2,
    per_class=1,
    seeds=1,
    denoising_steps=1,
    workers=1,
)


def quadratic(module: torch.nn.Linear, step: int) -> torch.Tensor:
    return (module(torch.full((1, 2), float(step))) - 1).square().sum()


@pytest.mark.parametrize("killed_at", [2, 3])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path: Path, killed_at: int) -> None:
    def trained(name: str, steps: int) -> torch.Tensor:
        torch.manual_seed(0)
        module = torch.nn.Linear(2, 1)
        schedule = Schedule(steps=6, lr=0.1, warmup=2, save=2)

        def loss_at(step: int) -> torch.Tensor:
            if step == steps:
                raise KeyboardInterrupt
            return quadratic(module, step)

        fit(module, loss_at, schedule, tmp_path / name, report=lambda _: None)
        return module.weight.detach()

    whole = trained("whole", 6)
    with pytest.raises(KeyboardInterrupt):
        trained("killed", killed_at)

    assert torch.equal(trained("killed", 6), whole)


def test_slow_weights_move_a_tenth_as_far(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 1)
    for weight in module.parameters():
        torch.nn.init.ones_(weight)
    schedule = Schedule(steps=1, lr=0.1, warmup=1, decay=None)
    fit(module, lambda step: quadratic(module, step + 1), schedule, tmp_path / "a", report=lambda _: None, slow="bias")

    moved = [float((1 - weight).detach().abs().max()) for weight in (module.weight, module.bias)]
    assert moved == pytest.approx([0.1, 0.01], rel=0.02)


def test_first_pictures_depend_on_no_prompt_and_words_are_far_apart() -> None:
    base = new_base()
    noisy, times = torch.randn((1, 3, 48, 48)), torch.tensor([500])
    with torch.no_grad():
        one, other = (base.predict(noisy, times, base.encode([text])) for text in ("a mug", "a ball"))
        hidden, _ = base.encode(["a mug", "a ball"])

    assert torch.equal(one, other)
    assert float((hidden[0, 2] - hidden[1, 2]).std()) > 1


def test_the_base_model_learns(tmp_path: Path) -> None:
    lines: list[str] = []
    schedule = Schedule(steps=12, lr=2e-3, warmup=2, decay=None, save=4, batch=4)
    base = pretrain("weak", schedule, tmp_path / "weak.safetensors", lines.append)
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]

    assert losses[2] < losses[0]
    assert lines[-1].startswith("weak: step 12,")
    assert base.generate(["a mug", "a ball"], [0, 1], steps=2).shape == (2, 48, 48, 3)


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """An experiment of tiny size before its arms."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MYCANVAS_CACHE", "off")
        patched.setenv("MYCANVAS_REVIEWS", "off")
        experiment = Experiment(folder=tmp_path_factory.mktemp("run"), sizes=TINY, report=lambda _: None)
        experiment.check_settings()
        experiment.run(["things", "detector", "encoder", "weak_base", "full_base"])
        yield experiment


@pytest.fixture(scope="module")
def pair(ready: Experiment) -> Mapping[str, Composition]:
    """A composition of two things, and of the strangers of the same names."""
    return {kind: find_composition(ready.folder / f"{kind}_scenes", "ball1+mug1") for kind in ("things", "strangers")}


def test_objects_of_scenes_stand_in_the_places_of_pretraining(ready: Experiment) -> None:
    boxes = [box for scene in open_dataset(ready.folder / "things_scenes").mapped().scenes() for box in scene.boxes]
    centres = [(column + 0.5) / COLUMNS for column in range(COLUMNS)]

    assert len(boxes) == TINY.scenes * 6
    for x, y, width, height in boxes:
        assert min(abs((y + height) / SCENE_SIDE - foot) for foot in FEET) < 0.03
        assert min(abs((x + width / 2) / SCENE_SIDE - centre) for centre in centres) < 0.03


def test_judges_that_learned_nothing_do_not_tell_things_from_strangers(ready: Experiment) -> None:
    floor, ceiling = ready.floor_and_ceiling(ready.judges())

    assert not is_apart(ceiling, floor)
    assert pooled(ceiling, "cp_clip").count == pooled(floor, "identity").count == 4


def test_a_measure_that_tells_things_from_strangers_is_apart(ready: Experiment) -> None:
    _, ceiling = ready.floor_and_ceiling(ready.judges())
    low, high = (with_scores(ceiling, value) for value in (0.2, 0.6))

    assert is_apart(high, low)
    assert not is_apart(with_scores(ceiling, 0.3), low)


def test_a_class_is_recognised_where_it_is_the_first_that_is_found(ready: Experiment) -> None:
    first, second = (
        Detection(label=kind, box=(0, 0, 9, 9), score=score) for kind, score in (("mug", 0.9), ("car", 0.8))
    )
    detector: Any = SimpleNamespace(detect=lambda _, labels: [[first, second] for _ in labels])
    found = ready.recognised(ready.base("weak"), replace(ready.judges(), detector=detector))

    assert found == {kind: float(kind == "mug") for kind in KINDS}


@pytest.mark.parametrize("name", [NOT_TRAINED, *ARMS])
def test_every_arm_is_trained_drawn_and_scored(ready: Experiment, name: str) -> None:
    ready.run([f"arm/weak/{name}/{number}" for number in range(len(TINY.compositions))])
    arm = ready.arm_scores("weak", name, ready.judges())
    listing = ready.folder / "listings" / arm.name / "00.jsonl"
    before = listing.stat().st_mtime_ns
    ready.run([f"arm/weak/{name}/0"])

    assert pooled(arm, "identity").count == len(UNSEEN) * len(TINY.compositions)
    assert listing.stat().st_mtime_ns == before


def test_a_finished_part_is_not_run_again(ready: Experiment) -> None:
    lines: list[str] = []
    again = replace(ready, report=lines.append)
    again.run(["detector", "encoder", "weak_base"])

    assert [line.split(":")[0] for line in lines] == ["detector", "encoder", "weak_base"]
    assert not [line for line in lines if "loss" in line]


def test_shuffled_photos_are_never_those_of_their_concept(ready: Experiment) -> None:
    composition = find_composition(ready.folder / "things_scenes", "boat1+car1+fish2+star2")
    found = shuffled(composition)

    owners = [{photo.concept for photo in concept.photos} for concept in found.concepts]
    assert all(concept.name not in own for concept, own in zip(found.concepts, owners, strict=True))
    assert all(len(own) > 1 for own in owners)


def test_strangers_are_trained_on_under_the_names_of_the_things(pair: Mapping[str, Composition]) -> None:
    shown = shown_to(ARMS["strangers"], **pair)
    names, photos = zip(*((each.token, each.photos[0].image) for each in shown.concepts), strict=True)

    assert list(names) == [each.token for each in pair["things"].concepts]
    assert not {bytes(image) for image in photos} & {bytes(each.photos[0].image) for each in pair["things"].concepts}


def test_a_collage_has_the_objects_of_a_scene_on_white(pair: Mapping[str, Composition]) -> None:
    scene = pair["things"].scenes[0]
    before, after = decode_rgb(scene.image), decode_rgb(on_white(scene).image)
    changed = (before != after).any(2)
    x, y, width, height = (round(value) for value in scene.boxes[0])
    inside = changed[y : y + height, x : x + width]

    assert (after[changed] == 255).all()
    assert 0.6 < changed.mean() < 0.98
    assert 0.1 < inside.mean() < 0.9


@pytest.mark.parametrize("name", ["cd + photos", "cd + collage", "cd + scenes", "ours + scenes"])
def test_prompts_of_training_have_no_word_that_weak_captions_lack(
    ready: Experiment, pair: Mapping[str, Composition], name: str
) -> None:
    described = [
        replace(scene, id=f"{number}", prompt="A <ball1> ball sits behind a <mug1> mug.")
        for number, scene in enumerate([*pair["things"].scenes] * 8)
    ]
    shown = shown_to(ARMS[name], replace(pair["things"], scenes=described), pair["strangers"])
    arm = untrained(ready.base("weak"), shown)
    settings = arm.settings.model_copy(update={"prompting": ARMS[name].prompting, "source": ARMS[name].source})
    data = TrainingData(replace(arm, settings=settings), [])
    prompts = {draw.example.prompt for step in range(20) for draw in data.draws(0, step, 8)}
    known = {*OTHER_WORDS.split(), *" ".join(PHRASES.values()).split(), *KINDS} - {"to", "left", "right"}
    words = {word.strip(",:") for prompt in prompts for word in prompt.split() if not word.startswith("<")}

    assert len(prompts) > 3
    assert words <= known


def test_prompts_of_the_base_model_are_the_plain_ones_without_tokens(
    ready: Experiment, pair: Mapping[str, Composition]
) -> None:
    prompts = arm_prompts(untrained(ready.base("weak"), pair["things"]), 0, 4)
    found = [without_tokens(each, pair["things"]).prompt for each in prompts]

    assert {"<ball1>" in each.prompt and "<mug1>" in each.prompt for each in prompts} == {True}
    assert {text.rpartition(" mug")[0].startswith("photo of a") for text in found} == {True}
    assert not any("<" in text for text in found)
    assert len({text.index("mug") < text.index("ball") for text in found}) == 2


def test_a_folder_of_other_settings_is_refused(ready: Experiment) -> None:
    ready.check_settings()

    with pytest.raises(StoreError, match=r"other settings\n  scenes +was 2, now 3"):
        replace(ready, sizes=replace(TINY, scenes=3)).check_settings()


def test_a_folder_of_unknown_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "detector.safetensors").touch()

    with pytest.raises(StoreError, match=r"has files, but no settings\.json"):
        Experiment(folder=tmp_path, sizes=TINY).check_settings()


@pytest.mark.parametrize(("least", "stops"), [(0.8, True), (0.6, False)])
def test_a_base_model_that_draws_too_few_classes_stops_the_run(least: float, stops: bool) -> None:
    experiment: Any = SimpleNamespace(base=lambda _: None, recognised=lambda *_: {"mug": 0.5, "car": 0.9})
    judges: Any = None
    if not stops:
        check_base(experiment, judges, least)
        return
    with pytest.raises(SystemExit, match="the base model does not draw the classes"):
        check_base(experiment, judges, least)


def test_the_table_has_a_row_for_every_arm(ready: Experiment, capsys: pytest.CaptureFixture[str]) -> None:
    ready.run(ready.arm_parts())
    capsys.readouterr()
    print_table(ready, ready.judges())
    printed = capsys.readouterr().out.splitlines()

    rows = [f"weak-{name.replace(' ', '_')}" for name in (NOT_TRAINED, *ARMS)]
    rows += [f"full-{name.replace(' ', '_')}" for name in (NOT_TRAINED, *CONTROL)]
    assert [row for row in rows if sum(line.split()[:1] == [row] for line in printed) != 3] == []
    null, strangers, base = (
        ready.arm_scores("weak", name, ready.judges()) for name in ("null", "strangers", "cd + photos")
    )
    unclear = sum(not loses(arm, base) for arm in (null, strangers))
    assert sum(line.startswith("no claim: ") for line in printed) == unclear
    assert len(printed[-1].split()) > 6
    with Image.open(ready.folder / SHEET) as sheet:
        assert sheet.height == (len(rows) + 1) * TILE
        assert len(sheet.getcolors(sheet.width * sheet.height) or ()) > 1000


def test_single_things_are_drawn_by_a_model_that_learned_several(ready: Experiment) -> None:
    found = singles(ready, "weak", "null")

    assert {picture.composition for picture in found.evaluation.pictures} == {
        "ball1",
        "mug1",
        "boat1",
        "car1",
        "fish2",
        "star2",
    }
    assert pooled(found, "identity").count == 6 * len(UNSEEN)


def test_an_arm_changes_only_a_copy_of_the_base_model(
    ready: Experiment, pair: Mapping[str, Composition], tmp_path: Path
) -> None:
    base = ready.base("weak")
    before = {name: value.clone() for name, value in base.transformer.state_dict().items()}
    trained = train_arm(base, ARMS["ours + scenes"], pair["things"], TINY.arms, tmp_path / "checkpoint.safetensors")

    assert all(torch.equal(value, before[name]) for name, value in base.transformer.state_dict().items())
    assert "<ball1+mug1>" in trained.model.base.tokenizer.get_vocab()
    assert "<ball1+mug1>" not in base.tokenizer.get_vocab()


def test_the_comparisons_of_the_plan_have_a_line_each(ready: Experiment) -> None:
    _, ceiling = ready.floor_and_ceiling(ready.judges())
    levels = {"cd + photos": 0.2, "cd + scenes": 0.5, "ours + scenes": 0.6, "cd + collage": 0.4}
    levels |= {"null": 0.1, "strangers": 0.15}
    weak = {name: with_scores(ceiling, level) for name, level in levels.items()}
    full = {**weak, "cd + scenes": with_scores(ceiling, 0.3)}
    head, *rows = comparison_lines(weak, full)

    assert head.split() == ["cp_clip", "identity"]
    assert [row.split()[-6] for row in rows] == [
        "+0.300",
        "+0.100",
        "+0.100",
        "-0.100",
        "-0.050",
        "+0.200",
    ]


def test_padding_of_prompts_changes_no_prediction(ready: Experiment) -> None:
    base, prompts = ready.base("weak"), ["a mug", "a ball on a pink table"]
    noisy, times = torch.randn((2, 3, 48, 48), generator=torch.Generator().manual_seed(0)), torch.tensor([10, 900])
    with torch.no_grad():
        own, padded = (base.predict(noisy, times, base.encode(prompts, length)) for length in (None, 40))

    assert torch.allclose(own, padded, atol=1e-5)


def test_null_arm_loses_only_if_it_is_clearly_worse(ready: Experiment) -> None:
    _, ceiling = ready.floor_and_ceiling(ready.judges())

    assert loses(with_scores(ceiling, 0.2), with_scores(ceiling, 0.3))
    assert not loses(with_scores(ceiling, 0.3), with_scores(ceiling, 0.3))
    assert not loses(with_scores(ceiling, 0.4, 0.0), with_scores(ceiling, 0.3))


def test_every_split_has_a_column(ready: Experiment) -> None:
    _, ceiling = ready.floor_and_ceiling(ready.judges())

    head, *rows = split_lines([with_scores(ceiling, 0.25)])

    assert head.split() == ["objects_le3", "objects_4"]
    assert [row.split()[1:3] for row in rows] == [[name, "0.250"] for name in PRIMARY]


def with_scores(arm: Arm, value: float, of_pairs: float | None = None) -> Arm:
    """The arm, with a value in place of every primary score; of_pairs: that of compositions of two things."""
    pictures = []
    for one in arm.evaluation.pictures:
        own = of_pairs if of_pairs is not None and one.composition.count("+") == 1 else value
        pictures.append(replace(one, scores={**one.scores, **dict.fromkeys(PRIMARY, own)}))
    return summarise(arm.name, replace(arm.evaluation, pictures=tuple(pictures)))
