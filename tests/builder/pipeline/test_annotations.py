"""People's ranks, flags and captions decide in `select`, and thresholds are fitted to them."""

from __future__ import annotations

import json
import logging
import math
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

import mycanvas  # noqa: F401  (registers the loader)
from builder.cli.main import main
from builder.config import load_config, parse_config, profile_selection
from builder.inspect.report.thresholds import command
from builder.pipeline.annotations import read_annotations
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import last_selection, reselect
from builder.pipeline.fit import fit_cutouts, fit_ranks
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.pipeline.rows import Row
from builder.records import CutoutReview
from builder.stages.select import FittedScore, SelectConfig
from mycanvas.errors import ConfigError, StoreError
from mycanvas.io.checked import read_checked, write_checked
from mycanvas.ratings.entries import AnyEntry, CaptionEdit, Flag, Rating
from mycanvas.ratings.events import Event, new_id
from mycanvas.ratings.store import RatingStore

LENIENT: Mapping[str, Any] = {"min_visible": None, "max_overlap": None, "max_border": None, "duplicate_bits": -1}


@pytest.fixture(scope="module")
def built(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build that draws each scene once."""
    folder = tmp_path_factory.mktemp("built") / "out"
    values = {"concepts": shapes, "backgrounds": grounds, "output": folder, "samples": 120, "resolution": 128}
    build(parse_config({**values, "workers": 1, "select": {"attempts": 1}}))
    reselect(folder, LENIENT)
    return folder


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> BuildFolder:
    return BuildFolder.open(Path(shutil.copytree(built, tmp_path / "out")))


def say(folder: BuildFolder, *entries: AnyEntry) -> None:
    store = RatingStore(folder.review_file)
    for entry in entries:
        store.add(Event(id=new_id(), entry=entry))


def rank(folder: BuildFolder, item: str, *scores: int) -> None:
    say(folder, *(Rating(rater=f"rater {n}", item=item, score=score) for n, score in enumerate(scores)))


def made(folder: BuildFolder) -> list[Row]:
    columns = ("id", "composition", "scores", "caption", "prompt", "concept_tokens", "class_names")
    return [row for index, _ in folder.markers() for row in folder.candidates(index, columns)]


def rows(path: Path) -> dict[str, Row]:
    loaded = datasets.load_dataset("mycanvas", "all", data_dir=str(path), split="train").remove_columns(
        ["image", "mask"]
    )
    return {row["id"]: row for row in loaded}


def test_ranks_override_scores_and_flags_and_fill_their_column(folder: BuildFolder) -> None:
    names = [row["id"] for row in made(folder)]
    low_visible = [row["id"] for row in made(folder) if row["scores"]["visible"] < 0.95]
    kept_by_rank, flagged_but_good = low_visible[:2]
    unranked, lost, flagged = low_visible[2], *[name for name in names if name not in low_visible][:2]
    rank(folder, kept_by_rank, 3, 4)  # 3.5 is rounded up
    rank(folder, flagged_but_good, 5)
    rank(folder, lost, 2, 3, 2)
    say(
        folder,
        Flag(rater="ana", item=flagged, reason="floating"),
        Flag(rater="ana", item=flagged_but_good, reason="artefact"),
        Flag(rater="ana", item=names[-1], reason="artefact"),
        Flag(rater="ana", item=names[-1], reason=None),
    )

    summary = reselect(folder.path, {"min_visible": 0.95})

    found = rows(folder.path)
    assert {kept_by_rank, flagged_but_good} <= found.keys()
    assert not {unranked, lost, flagged} & found.keys()
    assert (found[kept_by_rank]["rank"], found[flagged_but_good]["rank"]) == (4, 5)
    assert {row["rank"] for name, row in found.items() if name not in {kept_by_rank, flagged_but_good}} == {None}
    assert summary.funnel.dropped["rank 2"] == summary.funnel.dropped["flagged: floating"] == 1
    assert "flagged: artefact" not in summary.funnel.dropped

    ignored = reselect(folder.path, {"min_rank": None})

    assert lost in rows(folder.path)
    assert kept_by_rank not in rows(folder.path)
    assert ignored.funnel.dropped["flagged: artefact"] == ignored.funnel.dropped["flagged: floating"] == 1
    assert reselect(folder.path, {"min_rank": 2, "min_visible": None}).funnel.dropped == {"flagged: floating": 1}


def test_ranked_scenes_come_first_in_a_quota(folder: BuildFolder) -> None:
    group = [row["id"] for row in made(folder) if row["composition"] == made(folder)[0]["composition"]]
    reselect(folder.path, {"per_composition": 1})
    (best,) = rows(folder.path).keys() & set(group)
    worse = next(name for name in group if name != best)
    rank(folder, worse, 4)

    reselect(folder.path, {})

    assert rows(folder.path).keys() & set(group) == {worse}


def test_selection_with_the_same_ranks_changes_nothing(folder: BuildFolder) -> None:
    rank(folder, made(folder)[0]["id"], 1)
    reselect(folder.path, {})
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*") if path.is_file()}
    before.pop(folder.review_file)

    reselect(folder.path, {})

    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before
    assert read_annotations(folder).digest() != ""


def test_edited_caption_reaches_caption_and_prompt_and_one_that_lacks_a_class_does_not(
    folder: BuildFolder, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third = [row for row in made(folder) if len(set(row["class_names"])) == 2][:3]
    one, other = first["class_names"]
    say(
        folder,
        CaptionEdit(rater="ana", item=first["id"], caption=f"A shiny {one} beside a {other}."),
        CaptionEdit(rater="ana", item=second["id"], caption="Nothing to see."),
        CaptionEdit(rater="ana", item=third["id"], caption="no more"),
        CaptionEdit(rater="bo", item=third["id"], caption=None),
    )
    with caplog.at_level(logging.WARNING):
        reselect(folder.path, {})

    found, tokens = rows(folder.path), dict(zip(first["class_names"], first["concept_tokens"], strict=True))
    edited = found[first["id"]]
    assert edited["caption"] == f"A shiny {one} beside a {other}."
    assert edited["prompt"] == f"A shiny {tokens[one]} {one} beside a {tokens[other]} {other}."
    assert json.loads(edited["provenance"])["written_by"] == "person"
    for same in (second, third):
        assert found[same["id"]]["caption"] == same["caption"]
        assert found[same["id"]]["prompt"] == same["prompt"]
    (message,) = [message for message in caplog.messages if "edited caption" in message]
    assert message.startswith(f"the edited caption of scene {second['id']} is not used, as it does not say ")


def test_copy_without_the_build_folder_keeps_ranks_and_captions(folder: BuildFolder, tmp_path: Path) -> None:
    name = made(folder)[0]["id"]
    rank(folder, name, 5)
    reselect(folder.path, {})
    copy = Path(shutil.copytree(folder.path, tmp_path / "copy", ignore=shutil.ignore_patterns(".build")))

    assert rows(copy) == rows(folder.path)
    assert rows(copy)[name]["rank"] == 5


def test_damaged_file_of_ranks_stops_the_selection(folder: BuildFolder) -> None:
    rank(folder, made(folder)[0]["id"], 5)
    folder.review_file.write_bytes(b"x" * 5000)
    before = folder.selected_file.read_bytes()

    with pytest.raises(StoreError, match=r"review.sqlite is damaged; restore it from a copy, or move it"):
        reselect(folder.path, {"min_visible": 0.9})
    assert folder.selected_file.read_bytes() == before


def like(folder: BuildFolder, *, at_random: bool = False) -> None:
    """Rank 7 of 8 scenes by a rater who likes visible, sharp objects without seams."""
    draw = np.random.default_rng(4)
    chosen = [row for index, row in enumerate(made(folder)) if index % 8]
    values = np.array([[row["scores"][name] for name in ("visible", "sharpness", "seam")] for row in chosen])
    logits = ((values - values.mean(axis=0)) / values.std(axis=0)) @ np.array([2.0, 1.0, -1.5]) + 1
    logits = np.zeros(len(chosen)) if at_random else logits
    good = draw.uniform(size=len(chosen)) < 1 / (1 + np.exp(-logits))
    for row, is_good in zip(chosen, good, strict=True):
        rank(folder, row["id"], int(draw.choice([4, 5] if is_good else [1, 2, 3])))


def acceptance(fitted: FittedScore, scores: Mapping[str, float | None]) -> float:
    """The acceptance as `FittedScore` documents it."""
    known = [(fitted.weights[name], scores[name], fitted.means[name]) for name in fitted.weights]
    terms = [weight * (value - mean) for weight, value, mean in known if value is not None]
    return 1 / (1 + math.exp(-(fitted.intercept + sum(terms))))


def report_command(folder: BuildFolder) -> str:
    """The line of the folder's report, as the page shows it before a threshold is moved."""
    config = parse_config({**read_checked(folder.config_file, dict[str, Any]), "select": last_selection(folder)})
    return command(folder.path, config.select, SelectConfig(**profile_selection(config.profile)), ())


def test_fitted_score_decides_on_scenes_without_a_rank_from_then_on(
    folder: BuildFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    like(folder)
    main(["select", str(folder.path), "--fit-ranks", "--json"])
    found = json.loads(capsys.readouterr().out)
    fit = found["acceptance"]

    fitted = FittedScore.model_validate(last_selection(folder)["fitted"])
    assert fitted.model_dump() == {key: fit[key] for key in ("bound", "intercept", "weights", "means")}
    assert fit["scenes"] == 105
    ranks, kept = read_annotations(folder).ranks, rows(folder.path)
    for row in made(folder):
        passes = acceptance(fitted, row["scores"]) >= fitted.bound
        assert (row["id"] in kept) == (ranks[row["id"]] >= 4 if row["id"] in ranks else passes)
    unranked = sum(name not in ranks for name in kept)
    assert found["funnel"]["dropped"][f"acceptance < {fitted.bound:g}"] == 15 - unranked > 0

    line = shlex.split(report_command(folder))
    assert line[:4] == ["mycanvas", "select", str(folder.path), "--reset"]
    main(["select", str(folder.path), "--fitted", "none"])
    assert last_selection(folder)["fitted"] is None
    main(line[1:])
    assert last_selection(folder)["fitted"] == fitted.model_dump()
    assert rows(folder.path).keys() == kept.keys()

    main(["select", str(folder.path), "--max-seam", "0.9"])
    capsys.readouterr()
    assert last_selection(folder)["fitted"] == fitted.model_dump()
    main(["inspect", str(folder.path)])
    assert f"acceptance, fitted to people's ranks, of at least {fitted.bound:g}; weights: " in capsys.readouterr().out

    values = read_checked(folder.config_file, dict[str, Any])
    build(load_config(None, None, {key: values[key] for key in ("concepts", "backgrounds", "samples", "resolution")}
                      | {"output": folder.path, "workers": 1}))  # fmt: skip
    assert last_selection(folder)["fitted"] == fitted.model_dump()

    main(["select", str(folder.path), "--fit-ranks", "--max-seam", "none"])
    printed = capsys.readouterr().out
    lines = printed.split("in build.toml:\n")[1].split("\n\n")[0].splitlines()
    toml = tmp_path / "build.toml"
    toml.write_text("\n".join(['concepts = "photos"', *lines]))
    assert load_config(toml, None, {}).select.fitted == fitted

    ranks = read_annotations(folder).ranks.values()
    counts = {least: sum(each >= least for each in ranks) for least in (4, 5)}
    main(["select", str(folder.path), "--min-rank", "5"])
    assert fit_ranks(folder.path, 0.5, {}).accepted == counts[5] != counts[4]
    assert fit_ranks(folder.path, 0.5, {}, reset=True).accepted == counts[4]

    main(["select", str(folder.path), "--reset"])
    assert last_selection(folder)["fitted"] is None


def test_refused_fit_changes_nothing(folder: BuildFolder, capsys: pytest.CaptureFixture[str]) -> None:
    def refusal(*arguments: str) -> str:
        before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
        with pytest.raises(SystemExit):
            main(["select", str(folder.path), *arguments])
        assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before
        return capsys.readouterr().err

    assert "0 ranked scenes; expected at least 100: rank more with mycanvas review" in refusal("--fit-ranks")
    assert "0 judged cut-outs, 0 accepted and 0 refused; expected at least 30" in refusal("--fit-cutouts")
    like(folder, at_random=True)
    assert "acceptance does not predict what people accept: its AUC is 0." in refusal("--fit-ranks")
    assert "expected a number above 0 and of at most 1, got 90" in refusal("--fit-ranks", "--precision", "90")
    assert "--precision needs --fit-ranks or --fit-cutouts" in refusal("--precision", "0.9")
    assert "give either --fitted or --fit-ranks" in refusal("--fit-ranks", "--fitted", "none")
    assert 'expected a JSON object, as the report of `mycanvas inspect --html` has it, or "none"' in refusal(
        "--fitted", "0.8"
    )
    assert "select.fitted.intercept is missing" in refusal("--fitted", '{"bound": 0.5}')
    assert "give either --min-cutout or --fit-cutouts" in refusal("--fit-cutouts", "--min-cutout", "0.5")


def test_ranks_of_scenes_with_refused_cutouts_are_not_fitted(
    folder: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    like(folder)
    scenes = [row for index, _ in folder.markers() for row in folder.candidates(index, ("id", "source_images"))]
    shown = scenes[0]["source_images"][0]
    (photo,) = (photo for photo in folder.sources().photos if photo.id == shown)
    ranks = read_annotations(folder).ranks
    left = sum(row["id"] in ranks and shown not in row["source_images"] for row in scenes)
    build_reviews(folder).put(CutoutReview(photo=photo.sha256, verdict="refuse"))

    with pytest.raises(SystemExit):
        main(["select", str(folder.path), "--fit-ranks"])

    assert 0 < left < 100
    assert f"{left} ranked scenes; expected at least 100" in capsys.readouterr().err


def test_gate_is_fitted_to_accepted_and_refused_cutouts(
    folder: BuildFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = read_checked(folder.sources_file, dict[str, Any])
    draw = np.random.default_rng(1)
    template, sources["photos"] = sources["photos"], []
    reviews = build_reviews(folder)
    for index in range(72):
        quality, sha256 = float(draw.uniform()), f"{index:064x}"
        photo = {**template[index % len(template)], "id": f"c{index % 9}/{index}.png", "concept": f"c{index % 9}"}
        sources["photos"].append({**photo, "sha256": sha256, "quality": quality, "thin": 0.0})
        verdict = "use" if draw.uniform() < 1.4 * quality else "refuse"
        reviews.put(CutoutReview(photo=sha256, verdict=verdict))
    reviews.put(CutoutReview(photo=f"{0:064x}", verdict="use", mask=None))
    sources["photos"][1]["thin"] = None  # an outline that the user gave
    write_checked(
        folder.sources_file, {key: value for key, value in sources.items() if key not in {"format", "checksum"}}
    )

    fit = fit_cutouts(folder.path, 0.9)
    main(["select", str(folder.path), "--fit-cutouts"])

    assert fit.cutouts == 71
    assert 0.3 < fit.bound < 0.9
    assert f"for a new build of these photos: --min-quality {fit.bound:g}\n" in capsys.readouterr().out
    assert last_selection(folder)["min_cutout"] == fit.bound


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"weights": {"beauty": 1.0}, "means": {"beauty": 0.0}}, "unknown score 'beauty'; the scores are cutout"),
        ({"weights": {"size": 1.0}, "means": {}}, "weights and means must have the same scores"),
        ({"bound": 2.0}, "select.fitted.bound: expected a number of at most 1, got 2"),
    ],
)
def test_invalid_fitted_score_is_refused(table: dict[str, Any], message: str) -> None:
    whole = {"bound": 0.5, "intercept": 0.0, "weights": {"size": 1.0}, "means": {"size": 0.1}, **table}

    with pytest.raises(ConfigError, match=message):
        load_config(None, None, {"concepts": "photos", "select": {"fitted": whole}})
