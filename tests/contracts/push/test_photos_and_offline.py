"""Which source photos a push publishes, what a dry run says of them, and a dry run without the Hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from mycanvas.io.checked import read_checked, write_checked
from tests.hub.fake_hub import FakeHub
from tests.publishing import Run, read, refused, rows_at, shards_of


@pytest.fixture
def narrow(built: Path) -> Path:
    """A dataset of few scenes: most source photos are shown by none of them."""
    keep_three(built)
    return built


def keep_three(folder: Path) -> None:
    """Select the scenes with the three largest objects."""
    build = BuildFolder(folder)
    sizes = [row["scores"]["size"] for index, _ in build.markers() for row in build.candidates(index, ["scores"])]
    bounds = {"min_visible": None, "max_overlap": None, "max_border": None}
    reselect(folder, {**bounds, "min_size": sorted(sizes)[-3]})


def shown(folder: Path) -> set[str]:
    photos: set[str] = set()
    for file in folder.glob("data/*.arrow"):
        with pa.memory_map(str(file)) as mapped:
            table = pa.ipc.open_stream(mapped).read_all()
        photos.update(*table["source_images"].to_pylist())
    return photos


def published_photos(hub: FakeHub, name: str) -> set[str]:
    file = hub.head(name).files["concepts/train-00000-of-00001.parquet"]
    return set(pq.read_table(pa.BufferReader(hub.content(file)))["id"].to_pylist())


def test_only_photos_that_scenes_show_are_published(hub: FakeHub, run: Run, narrow: Path, name: str) -> None:
    would = json.loads(run("push", narrow, name, "--dry-run", "--json").out)
    done = json.loads(run("push", narrow, name, "--json").out)

    photos = shards_of(narrow)["concepts"].keys()
    assert published_photos(hub, name) == shown(narrow) < photos
    size = hub.head(name).files["concepts/train-00000-of-00001.parquet"].size
    expected = {"rows": len(shown(narrow)), "bytes": size, "held_back": len(photos - shown(narrow))}
    assert would["photos"] == done["photos"] == expected


def test_all_photos_are_published_where_that_is_asked_for(hub: FakeHub, run: Run, narrow: Path, name: str) -> None:
    run("push", narrow, name)

    done = json.loads(run("push", narrow, name, "--all-photos", "--json").out)

    assert rows_at(hub, name) == shards_of(narrow)
    assert {Path(path).parts[0] for path in done["send"]} == {"concepts", "README.md", "mycanvas.json"}
    assert run("push", narrow, name).code == 0
    assert published_photos(hub, name) == shown(narrow)


def test_dataset_with_fewer_photos_loads_and_its_card_counts_them(
    hub: FakeHub, run: Run, narrow: Path, tmp_path: Path, name: str
) -> None:
    run("push", narrow, name)

    rows = read(hub, tmp_path / "home", name)

    assert all(set(rows[way]["train"]) == shown(narrow) for way in rows if "concepts" in way)
    card = DatasetCard(hub.content(hub.head(name).files["README.md"]).decode())
    counts = {info["config_name"]: info["splits"][0]["num_examples"] for info in card.data.to_dict()["dataset_info"]}
    total = len(shards_of(narrow)["concepts"])
    assert counts["concepts"] == len(shown(narrow))
    assert f"one row per source photo that a scene shows ({len(shown(narrow))} of {total})" in card.text
    assert f"\n| concepts | train | {len(shown(narrow))} |" in card.text
    others = sorted(shards_of(narrow)["concepts"].keys() - shown(narrow))
    assert f"Not published, because no scene shows them: {', '.join(others)}." in card.text


def test_license_of_a_photo_that_is_not_published_does_not_matter(run: Run, finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "out")
    keep_three(folder)
    file = folder / ".build" / "sources.json"
    sources = read_checked(file, dict[str, Any])
    for each in (*sources["photos"], *sources["backgrounds"]):
        each["attribution"] = None if "concept" in each and each["id"] not in shown(folder) else "Jo, CC0"
    write_checked(file, sources)

    assert run("push", folder, "me/x", "--dry-run").code == 0
    assert "no maker or license is stated for" in refused(run("push", folder, "me/x", "--dry-run", "--all-photos"))


def test_dry_run_says_what_is_published_and_recommends_private(run: Run, narrow: Path, name: str) -> None:
    public, private = (
        run("push", narrow, name, "--dry-run").out,
        run("push", narrow, name, "--dry-run", "--private").out,
    )

    total = len(shards_of(narrow)["concepts"])
    line = f"would publish {len(shown(narrow))} source photos with the scenes, "
    assert line in public
    assert f"; not {total - len(shown(narrow))} that no scene shows (--all-photos)" in public
    assert "recommended: --private" in public
    assert line in private
    assert "recommended" not in private


@pytest.mark.parametrize("token", ["", "hf_mine"])
@pytest.mark.parametrize("why", ["no network", "offline mode"])
def test_dry_run_works_offline_and_says_what_it_cannot_know(
    run: Run, built: Path, name: str, token: str, why: str
) -> None:
    constants = "huggingface_hub.constants"
    limits = (
        {f"{constants}.ENDPOINT": "http://127.0.0.1:9"}
        if why == "no network"
        else {f"{constants}.HF_HUB_OFFLINE": True}
    )

    done = run("push", built, name, "--dry-run", token=token, limits=limits)
    values = json.loads(run("push", built, name, "--dry-run", "--json", token=token, limits=limits).out)

    assert done.code == 0, done.err
    assert f"the Hub cannot be reached, so it is unknown whether {name} exists" in done.out
    assert "the files above are those of a first push" in done.out
    assert (values["hub_reached"], values["keep"], values["delete"]) == (False, 0, [])
    assert "cannot " in refused(run("push", built, name, token="hf_mine", limits=limits))


def test_an_answer_that_refuses_is_reported_in_a_dry_run_too(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    hub.failing["info"] = 500

    assert "the Hub answered 500" in refused(run("push", built, name, "--dry-run"))


def test_a_successful_push_leaves_no_prepared_files_but_foreign_ones(run: Run, built: Path, name: str) -> None:
    prepared = BuildFolder(built).hidden / "push"
    prepared.mkdir()
    (prepared / "notes.txt").write_text("mine")
    (prepared / f"{'a' * 64}.parquet").mkdir()
    before = {file for file in built.rglob("*") if file.is_file()}

    assert run("push", built, name).code == 0

    assert sorted(file.name for file in prepared.iterdir()) == ["a" * 64 + ".parquet", "notes.txt"]
    assert {file for file in built.rglob("*") if file.is_file()} == before
    (prepared / "notes.txt").unlink()
    (prepared / f"{'a' * 64}.parquet").rmdir()
    assert json.loads(run("push", built, name, "--json").out)["send"] == {}
    assert not prepared.exists()
