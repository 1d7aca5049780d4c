"""The engine for clusters: its tasks run on every node, survive their workers, and fail as if they ran here."""

from __future__ import annotations

import io
import logging
import multiprocessing
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.engines.base import EngineOptions
from builder.engines.ray import RayEngine
from builder.engines.ray_staff import ANSWER
from builder.engines.ray_worker import Probe, Worker, new_probe
from builder.pipeline.build import build
from builder.pipeline.own_files import unfinished_files
from mycanvas import __version__
from mycanvas.errors import ConfigError, StoreError
from tests.builder.engines.tasks import die, die_once, double, warn_and_fail
from tests.contracts.small_builds import but_where, bytes_of, config_for
from tests.ray_nodes import ENVIRONMENT, Node, cluster, wait_until

Engine = Callable[..., RayEngine]


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    """A cluster of two nodes with a core each; the second one has a GPU, or says so."""
    with pytest.MonkeyPatch.context() as patch, cluster("--num-cpus=1", "--num-cpus=1 --num-gpus=1") as nodes:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield nodes


@pytest.fixture
def engine(nodes: list[Node], tmp_path: Path) -> Engine:
    """Makes an engine on the cluster."""

    def made(answer: float = ANSWER, **options: Any) -> RayEngine:
        return RayEngine(EngineOptions(**{"folder": tmp_path, "address": nodes[0].address, **options}), answer)

    return made


def test_tasks_run_on_every_node_and_are_tried_again_where_a_worker_dies(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with engine() as running:
        assert sorted(running.map(double, range(20))) == [2 * number for number in range(20)]
        assert list(running.map(die_once, [tmp_path / "trace"])) == [1]
        with pytest.raises(StoreError, match=r"^the disk is full$"):
            list(running.map(warn_and_fail, ["the disk is full"] * 5))
        assert list(running.map(double, [4])) == [8]

        assert signal.getsignal(signal.SIGTERM) == before
        assert running.report().startswith("2 nodes with ")
        assert running.report().endswith("1 tried again")
    assert "about to fail" in caplog.messages
    assert list((tmp_path / ".build").iterdir()) == []


def test_node_that_others_occupy_keeps_no_task_waiting(engine: Engine, nodes: list[Node]) -> None:
    import ray

    ray.init(nodes[0].address, logging_level=logging.ERROR, log_to_driver=False)
    try:
        first = min(node["NodeID"] for node in ray.nodes())
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(first, soft=False)
        other = ray.remote(Worker).options(num_cpus=1, scheduling_strategy=strategy).remote()
        ray.get(other.run.remote(double, 1))

        with engine(answer=2.0, workers=1) as running:
            assert list(running.map(double, [3])) == [6]
    finally:
        ray.shutdown()


def test_cluster_of_the_environment_is_asked_to_grow(
    engine: Engine, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.experimental.internal_kv import _internal_kv_get

    monkeypatch.setenv("RAY_ADDRESS", nodes[0].address)
    with engine(address=None, workers=1) as running:
        assert list(running.map(double, [3])) == [6]
        assert _internal_kv_get("autoscaler_resource_request") == b'[{"CPU": 1}]'


def test_store_that_fails_at_the_end_hides_no_error_and_keeps_no_worker(engine: Engine, tmp_path: Path) -> None:
    import ray

    def fail_with_the_store(running: RayEngine) -> None:
        with running:
            assert list(running.map(double, [3])) == [6]
            shutil.rmtree(tmp_path / "store")
            (tmp_path / "store").write_text("no folder any more")
            list(running.map(warn_and_fail, ["the disk is full"]))

    with pytest.raises(StoreError, match=r"^the disk is full$"):
        fail_with_the_store(engine(folder=f"file://{tmp_path}/store"))
    assert not ray.is_initialized()


def test_probe_that_a_killed_command_left_at_a_url_is_removed_by_the_next(
    engine: Engine, refusal: Callable[[Probe], str], tmp_path: Path
) -> None:
    url = f"file://{tmp_path}/store"
    left, foreign = new_probe(url), tmp_path / "store" / ".build" / "probe.txt"
    left.write()
    foreign.write_text("of another program")

    with engine(folder=url) as running:
        assert list(running.map(double, [3])) == [6]

    assert [file.name for file in foreign.parent.iterdir()] == ["probe.txt"]
    left.keep()  # by a command that still runs, for its next workers
    assert refusal(replace(left, patience=0.1)) == ""


def test_probe_that_a_killed_command_left_in_a_folder_is_found_by_who_claims_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    plain_open = io.open

    def noted_open(file: Path, *arguments: Any, **named: Any) -> Any:
        opened.append(Path(file))
        return plain_open(file, *arguments, **named)

    monkeypatch.setattr(io, "open", noted_open)
    new_probe(tmp_path).write()  # killed at any moment, it may leave each of the files that it opened

    assert opened == list(unfinished_files(tmp_path))


def test_tasks_with_models_run_where_the_gpus_are(engine: Engine) -> None:
    with engine(learned=True) as running:
        assert sorted(running.map(double, range(3))) == [0, 2, 4]

        assert running.report() == "1 node with 1 worker, 0 tried again"


@pytest.mark.long
def test_task_whose_workers_always_die_is_given_up(engine: Engine) -> None:
    with (
        engine(workers=1) as running,
        pytest.raises(StoreError, match="a task failed 4 times as its worker or node died"),
    ):
        list(running.map(die, [0]))


def test_build_whose_node_is_killed_makes_the_bytes_of_one_process(
    nodes: list[Node], shapes: Path, grounds: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The last test of the cluster, which loses its second node."""
    caplog.set_level(logging.INFO, "mycanvas")
    here, there, settings = tmp_path / "here", tmp_path / "there", {"samples": 96, "shard_size": 2}
    build(config_for(shapes, grounds, here, **settings))

    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_at_work, nodes[1])
        build(config_for(shapes, grounds, there, **settings, workers=2, engine="ray", address=nodes[0].address))
        killed.result()

    assert but_where(bytes_of(there)) == but_where(bytes_of(here))
    assert [
        line for line in caplog.messages if re.fullmatch(r"made 96 scenes .* on 2 nodes .*, [1-9] tried again", line)
    ]


def kill_at_work(node: Node) -> None:
    """Kill a node as soon as it runs a task, so that others are left."""
    wait_until(node.workers)
    node.kill()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"address": "ray://127.0.0.1:10001"}, 'address must be "auto" or HOST:PORT, got "ray://127'),
        ({"address": "127.0.0.1:9"}, 'cannot use the Ray cluster at "127.0.0.1:9": .*; correct --address'),
        ({"learned": True, "device": "cuda:1"}, "device must be .*, got 'cuda:1'"),
    ],
)
def test_wrong_cluster_is_an_error_of_the_configuration(tmp_path: Path, wrong: dict[str, str], message: str) -> None:
    pytest.importorskip("ray")
    with RayEngine(EngineOptions(folder=tmp_path, **wrong)) as engine, pytest.raises(ConfigError, match=message):
        list(engine.map(double, [1]))
    assert list((tmp_path / ".build").iterdir()) == []


MISSING = """
import sys
from pathlib import Path
sys.modules["ray"] = None
from builder.engines.base import EngineOptions
from builder.engines.ray import RayEngine
with RayEngine(EngineOptions(folder=Path(sys.argv[1]))) as engine:
    list(engine.map(len, ["task"]))
"""


def test_missing_extra_is_named(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MISSING, tmp_path], capture_output=True, text=True, check=False)

    assert done.stderr.splitlines()[-1].endswith("ray is not installed; run: pip install 'mycanvas[ray]'")


def test_no_task_starts_no_cluster(tmp_path: Path) -> None:
    with RayEngine(EngineOptions(folder=tmp_path, address="127.0.0.1:9")) as engine:
        assert list(engine.map(double, [])) == []
        assert engine.report() == ""


def probe(folder: Path, **changes: str) -> Probe:
    found = new_probe(folder)
    values = {"content": found.content, "versions": found.versions, **changes}
    return Probe(file=found.file, url=None, folder=found.folder, levels=found.levels, patience=0.1, **values)


@pytest.fixture
def refusal() -> Iterator[Callable[[Probe], str]]:
    """Asks a node why it cannot work, in a process of its own, as a worker changes the logging of its process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda asked: pool.submit(Worker().refusal, asked).result()


def test_node_must_see_the_url_of_a_build(refusal: Callable[[Probe], str], tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    asked = replace(new_probe(url), patience=0.1)

    assert refusal(asked) == f"it does not see the files in {url}; give it the same environment"
    asked.write()
    assert refusal(asked) == ""
    asked.remove()
    assert "does not see" in refusal(asked)


def test_node_that_sees_another_folder_or_has_another_version_is_refused(
    refusal: Callable[[Probe], str], tmp_path: Path
) -> None:
    python = platform.python_version()
    other, same = probe(tmp_path, versions="mycanvas 0.0.1, Python 3.11.0"), probe(tmp_path)
    has = f"it has mycanvas {__version__}, Python {python}, not mycanvas 0.0.1, Python 3.11.0; install the same there"

    assert refusal(other) == has
    assert refusal(same) == f"it does not see the files in {tmp_path}; mount the same file system there"
    same.file.parent.mkdir()
    same.file.write_text("the content of another command's probe")
    assert "does not see" in refusal(same)
    same.file.write_text(same.content)
    assert refusal(same) == ""
