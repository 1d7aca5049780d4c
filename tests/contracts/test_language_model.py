"""A build that asks a language model: what it says is planned and placed, asked for once, and never stops a build."""

from __future__ import annotations

import json
import shutil
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pytest

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from builder.config import BuildConfig, parse_config
from builder.pipeline.build import build
from builder.pipeline.build_folder import BuildFolder
from builder.stages.layout.replies import tally
from mycanvas.errors import ModelError, StoreError
from tests.builder.stages.layout.test_examples import LEFT, coco
from tests.chat_server import ChatServer, Raw, Said, sensible, serve

SAMPLES = 12


@pytest.fixture(scope="module")
def places(grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four scenes, of which a composition is seen in three."""
    folder = tmp_path_factory.mktemp("places")
    for scene in ("beach", "garden", "lawn", "yard"):
        shutil.copytree(grounds / "yard", folder / scene)
    return folder


Make = Callable[..., BuildConfig]


@pytest.fixture(scope="module")
def config(shapes: Path, places: Path) -> Make:
    """A configuration for an output and a server's address, if there is one."""
    return partial(configured, shapes, places)


def configured(shapes: Path, places: Path, output: Path, url: str | None, **llm: Any) -> BuildConfig:
    own = {name: llm.pop(name) for name in ("workers", "samples", "sizes") if name in llm}
    values = {"concepts": shapes, "backgrounds": places, "output": output, "samples": SAMPLES, "resolution": 128}
    values |= {"shard_size": 4, "workers": 1, **own}
    layout = {"backend": "llm", "llm": {"model": "tiny", "base_url": url, "tries": 2, "max_tokens": 512, **llm}}
    return parse_config({**values, "layout": layout, "select": {"duplicate_bits": -1, "attempts": 1}})


def provenances(output: Path) -> list[dict[str, Any]]:
    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(output), split="train")
    return [{**json.loads(row["provenance"]), "phrase": row["background"], "id": row["id"]} for row in rows]


def data(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((output / "data").iterdir())}


@pytest.fixture(scope="module")
def sensibly(config: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sensibly") / "out"
    with serve(sensible) as server:
        build(config(output, server.url))
    return output


def test_model_that_follows_its_instructions_places_every_scene(
    sensibly: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = provenances(sensibly)
    counts = tally(sensibly / ".build" / "replies")
    plan = BuildFolder(sensibly).plan()

    main(["inspect", str(sensibly)])
    page = capsys.readouterr().out

    assert {row["placed_by"] for row in made} == {"llm"}
    assert counts.accepted == SAMPLES + len(plan.compositions())
    assert not counts.refused
    assert f"language model: {counts.accepted} replies, {counts.accepted} accepted, 0 refused" in page
    assert f"objects placed by llm: {len(made)}" in page


def test_scenes_use_the_backgrounds_of_their_composition(sensibly: Path) -> None:
    """The sensible model takes the first three scenes there are; phrases stay their own without repainting."""
    assert {row["phrase"] for row in provenances(sensibly)} == {
        "on a beach",
        "in a garden",
        "on a lawn",
    }


def test_rerun_uses_stored_replies_without_a_server(sensibly: Path, config: Make, tmp_path: Path) -> None:
    output = tmp_path / "out"
    shutil.copytree(sensibly, output)
    shutil.rmtree(output / "data")
    shutil.rmtree(output / ".build" / "candidates")

    build(config(output, unused_url()))

    assert data(output) == data(sensibly)


def test_other_examples_are_another_configuration_and_another_path_is_not(config: Make, tmp_path: Path) -> None:
    for name, noun in (("one", "mug"), ("same", "mug"), ("other", "vase")):
        (tmp_path / name).mkdir()
        coco(tmp_path / name, [(noun, LEFT)])
    output = tmp_path / "out"
    with serve(sensible) as server:
        build(config(output, server.url, samples=2, examples=str(tmp_path / "one")))
        build(config(output, server.url, samples=2, examples=str(tmp_path / "same")))

        with pytest.raises(StoreError, match=r"layout\.llm\.examples"):
            build(config(output, server.url, samples=2, examples=str(tmp_path / "other")))


def test_two_workers_write_the_bytes_of_one(sensibly: Path, config: Make, tmp_path: Path) -> None:
    with serve(sensible) as server:
        build(config(tmp_path / "out", server.url, workers=2))

    assert data(tmp_path / "out") == data(sensibly)


def test_a_real_model_behind_a_real_server_ends_in_a_dataset(
    chat_server: ChatServer, config: Make, tmp_path: Path
) -> None:
    """It is random: its JSON is whole, and what it means is not."""
    before = len(chat_server.asked)
    summary = build(config(tmp_path / "out", chat_server.url, samples=2, sizes=[2]))
    counts = tally(tmp_path / "out" / ".build" / "replies")
    placed_by = Counter(row["placed_by"] for row in provenances(tmp_path / "out"))

    assert counts.accepted + sum(counts.refused.values()) == len(chat_server.asked) - before
    assert not {"not JSON", "wrong names", "missing", "wrong form", "not finite"} & set(counts.refused)
    assert placed_by["solver"] <= counts.unanswered["boxes"]
    assert placed_by["solver"] + placed_by["llm"] == sum(placed_by.values())
    assert any(line.startswith("language model: ") for line in summary.lines())


def test_a_real_model_on_this_machine_ends_in_a_dataset(
    tiny_model: Callable[[str], Path], config: Make, tmp_path: Path
) -> None:
    build(config(tmp_path / "out", None, model=str(tiny_model("llm")), samples=2, sizes=[2]))
    counts = tally(tmp_path / "out" / ".build" / "replies")

    assert provenances(tmp_path / "out")
    assert not {"not JSON", "wrong names", "missing", "wrong form", "not finite"} & set(counts.refused)


def test_a_model_on_this_machine_is_loaded_once_and_not_by_the_workers(
    tiny_model: Callable[[str], Path], config: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mycanvas")

    build(config(tmp_path / "out", None, model=str(tiny_model("llm")), samples=8, sizes=[2], workers=2, tries=1))

    assert sum(message.startswith("the language model reads ") for message in caplog.messages) == 1
    assert len(provenances(tmp_path / "out")) == 8


def test_the_key_comes_from_the_environment_and_is_written_nowhere(
    config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with serve(sensible) as server:
        build(config(tmp_path / "out", server.url, samples=2))

    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert set(server.keys) == {"sk-secret"}
    assert any(path.parent.parent.name == "replies" for path in files)
    assert not any(b"sk-secret" in path.read_bytes() for path in files)


def test_unreachable_server_is_one_error_before_any_work(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "build.toml"
    settings.write_text(f'[layout]\nbackend = "llm"\n[layout.llm]\nbase_url = "{unused_url()}"\n')

    with pytest.raises(SystemExit) as ended:
        main(["build", str(settings), "--concepts", str(shapes), "--output", str(tmp_path / "out")])

    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said.startswith("error: no language model at http://127.0.0.1:")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_server_that_refuses_what_is_asked_is_an_error_before_there_is_a_plan(config: Make, tmp_path: Path) -> None:
    refuses = serve(lambda _: Raw(400, b'{"error": {"message": "no json_schema here"}}'))
    with refuses as server, pytest.raises(ModelError, match="no json_schema here"):
        build(config(tmp_path / "out", server.url))

    assert not (tmp_path / "out" / ".build" / "plan").exists()


def test_unusable_replies_cost_no_scene(config: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serve(lambda _: "As a language model I would rather not.") as server:
        summary = build(config(tmp_path / "out", server.url))

    assert {row["placed_by"] for row in provenances(tmp_path / "out")} == {"solver"}
    assert [record.message for record in caplog.records if "usable" in record.message] == [
        "the language model gave no usable reply for 4 of 4 compositions; their scenes use any background, and sizes "
        "from concepts.toml"
    ]
    assert (
        "language model: 32 replies, 0 accepted, 32 refused: not JSON 32; "
        "without a usable reply: 4 compositions, 12 scenes" in summary.lines()
    )


def asks_for_boxes(body: dict[str, Any]) -> bool:
    return "backgrounds" not in body["response_format"]["json_schema"]["schema"]["properties"]


def test_scenes_that_a_busy_server_cost_are_made_by_the_next_build(config: Make, tmp_path: Path) -> None:
    def busy(body: dict[str, Any]) -> Said:
        return Raw(429, headers={"Retry-After": "0"}) if asks_for_boxes(body) else sensible(body)

    with serve(busy) as server:
        with pytest.raises(StoreError, match="no scene would be kept"):
            build(config(tmp_path / "out", server.url, samples=2, otherwise="reject"))
        before = [marker for _, marker in BuildFolder(tmp_path / "out").markers()]
    with serve(sensible) as server:
        summary = build(config(tmp_path / "out", server.url, samples=2, otherwise="reject"))

    assert [(marker.rows, marker.retriable) for marker in before] == [(0, True)]
    assert sum(summary.funnel.kept.values()) == 2
    assert len([body for body in server.asked if asks_for_boxes(body)]) == 2


def test_scene_that_was_rejected_for_good_is_not_tried_again(config: Make, tmp_path: Path) -> None:
    refused: list[str] = []

    def odd(body: dict[str, Any]) -> Said:
        if not asks_for_boxes(body):
            return sensible(body)
        said = [message["content"] for message in body["messages"]]
        refused.append(said[-1])
        return "prose" if refused[0] in said else sensible(body)

    with serve(odd) as server:
        first = build(config(tmp_path / "out", server.url, samples=2, otherwise="reject"))
        asked = len(server.asked)
        again = build(config(tmp_path / "out", server.url, samples=2, otherwise="reject"))

    assert sum(first.funnel.kept.values()) == 1
    assert list(first.funnel.rejected.values()) == [1]
    assert again.funnel == first.funnel
    assert len(server.asked) == asked


def unused_url() -> str:
    """An address at which no server listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
