"""An error of the file system ends in one message with the path and the reason; nothing half-written is left."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

import mycanvas  # noqa: F401  (registers the loader)
from builder import build, load_config
from builder import select as reselect
from builder.cli.main import main
from mycanvas.dataset import open_dataset
from mycanvas.errors import InputError, MyCanvasError
from mycanvas.export import export
from tests.faults import Operation, fault, watched

DENIED = "Permission denied"
SHARD = "objects_le3-00000-of-00001.arrow"

COMMANDS = {
    "inspect": ["inspect", "built"],
    "push": ["push", "built", "jane/scenes", "--license", "CC0-1.0", "--dry-run"],
    "prompts": ["prompts", "built", "--output", "new/prompts.jsonl"],
    "ratings": ["ratings", "built", "--quality", "ratings.jsonl", "--output", "new"],
    "init": ["init", "photos", "--config", "new/build.toml"],
    "models": ["models", "build.toml"],
    "clean": ["clean", "built", "--yes"],
    "select": ["select", "built", "--min-visible", "0.1"],
    "export": ["export", "built", "--format", "yolo", "--output", "new"],
    "build": ["build", "build.toml", "--output", "new"],
}
"""The commands that need neither a model nor the Hub, in the folder `place`."""
WITH_MODELS = {
    "evaluate": ["evaluate", "arm", "--dataset", "built", "--output", "new"],
    "alignment": ["alignment", "ratings.jsonl", "--output", "new"],
    "train": ["train", "--data", "built", "--composition", "ball+box", "--model", "./none", "--output", "new"],
}
"""Commands that read files before they load models."""
STEPS = {"build": 6, "select": 3, "export": 3, "inspect": 2}
"""Of commands that take long or use many files, the failure of every second, third or sixth of them is tried."""


@pytest.fixture(scope="module")
def origin(
    shapes: Path, grounds: Path, build_shapes: Callable[[int, int], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with photos, a dataset of them, ratings of its scenes, and a build.toml."""
    folder = tmp_path_factory.mktemp("origin")
    for name in ("ball", "box"):
        shutil.copytree(shapes / name, folder / "photos" / name)
    (folder / "photos" / "ATTRIBUTION").write_text("Jane Doe, CC BY 4.0")
    shutil.copytree(grounds, folder / "places")
    settings = 'concepts = "photos"\nbackgrounds = "places"\nsamples = 2\nresolution = 128\nworkers = 1\n'
    (folder / "build.toml").write_text(settings)
    shutil.copytree(build_shapes(3, 128), folder / "built", copy_function=os.link)
    scenes = open_dataset(folder / "built").ids()
    ratings = [json.dumps({"rater": "ana", "item": name, "score": 4}) for name in scenes]
    (folder / "ratings.jsonl").write_text("\n".join(ratings))
    (folder / "arm").mkdir()
    (folder / "arm" / "images.jsonl").touch()
    return folder


@pytest.fixture
def place(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `origin`, in which the commands run, without network and with a home of its own."""
    place = tmp_path / "place"
    _restore(origin, place)
    monkeypatch.chdir(place)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return place


def _restore(origin: Path, place: Path) -> None:
    for entry in place.iterdir() if place.exists() else ():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(origin, place, copy_function=os.link, dirs_exist_ok=True)  # no file is changed in place


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a command; return its exit code and its messages."""
    capsys.readouterr()
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0), capsys.readouterr().err
    return 0, capsys.readouterr().err


def operations(place: Path, capsys: pytest.CaptureFixture[str], command: str) -> list[tuple[Operation, Path]]:
    """Each kind of operation of a command on each path in `place`, once for files whose names differ in digits only."""
    found: dict[tuple[Operation, str], Path] = {}

    def watch(operation: Operation, path: Path) -> None:
        if place in path.parents:
            kind = "".join("#" if c in "0123456789abcdef" else c for c in str(path.relative_to(place)))
            found.setdefault((operation, kind), path)

    with watched(watch):
        code, errors = run(capsys, *COMMANDS[command])
    assert code == 0, errors
    return [(operation, path) for (operation, _), path in found.items()]


@pytest.mark.parametrize("command", COMMANDS)
def test_failure_of_any_path_is_named_and_leaves_nothing_unfinished(
    command: str, origin: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = operations(place, capsys, command)
    assert len(found) > 1

    for index, (operation, path) in enumerate(found[:: STEPS.get(command, 1)]):
        _restore(origin, place)
        number = (errno.EACCES, errno.EIO)[index % 2] if operation != "stat" else errno.EACCES
        with fault(path, number, operation):
            code, errors = run(capsys, *COMMANDS[command])

        case = f"{operation} {path.relative_to(place)}: {errors}"
        assert code in {0, 1, 2}, case
        if code:
            assert errors.splitlines()[-1].startswith("error: "), case
            parts = path.relative_to(place).parts
            assert any(part.removeprefix(".").split(".")[0] in errors for part in parts), case
        if operation in {"read", "write", "make"}:
            assert not [each for each in place.rglob(".*.unfinished") if each.is_file()], case


@pytest.mark.parametrize(
    ("command", "operation", "name", "number", "message"),
    [
        ("ratings", "read", "ratings.jsonl", errno.EACCES, "give this user the right to read it"),
        ("ratings", "read", "ratings.jsonl", errno.EIO, "the disk failed; restore it from a copy"),
        ("models", "read", "build.toml", errno.EACCES, "give this user the right to read it"),
        ("init", "list", "photos/ball", errno.EACCES, "cannot read the folder photos/ball"),
        ("build", "list", "photos", errno.EIO, "the disk failed; restore it from a copy"),
        ("build", "list", "places", errno.EACCES, "give this user the right to read it"),
        ("push", "read", "built/README.md", errno.EACCES, DENIED),
        ("inspect", "stat", "built/.build/build.json", errno.EACCES, "give this user the right to read it"),
        ("select", "read", "built/README.md", errno.EIO, "Input/output error"),
        ("inspect", "read", f"built/data/{SHARD}", errno.EACCES, "give this user the right to read it"),
        ("push", "read", f"built/data/{SHARD}", errno.EIO, "the disk failed; restore it from a copy"),
        ("export", "read", f"built/data/{SHARD}", errno.EACCES, "give this user the right to read it"),
        ("evaluate", "read", "arm/images.jsonl", errno.EACCES, "give this user the right to read it"),
        ("alignment", "read", "ratings.jsonl", errno.EIO, "cannot be read as an image-caption dataset"),
        ("inspect", "write", "built/contact_sheet.png", errno.EROFS, "choose a place that you may write to"),
        ("prompts", "make", "new", errno.EROFS, "choose a place that you may write to"),
        ("train", "make", "new", errno.EROFS, "choose a place that you may write to"),
        ("export", "make", "new", errno.EDQUOT, "make room, then run the same command again"),
    ],
)
def test_message_says_why_and_what_to_do(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    operation: Operation,
    name: str,
    number: int,
    message: str,
) -> None:
    path = place / name
    with watched(_failing(path, number, operation)):
        code, errors = run(capsys, *{**COMMANDS, **WITH_MODELS}[command])

    assert code == (2 if command == "models" else 1), errors
    assert os.strerror(number) in errors
    assert path.name in errors
    assert message in errors


def _failing(path: Path, number: int, operation: Operation) -> Callable[[Operation, Path], None]:
    """Fail for a path, and for the temporary name under which it is written."""

    def fail(done: Operation, other: Path) -> None:
        if done == operation and other.parent == path.parent and path.name in other.name:
            raise OSError(number, os.strerror(number), str(other))

    return fail


def test_what_cannot_be_read_among_photos_is_left_out_by_name(
    place: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "photos" / "away").symlink_to(place / "unmounted")
    (place / "photos" / "circle").symlink_to("circle")
    (place / "photos" / "ball" / "2.jpg").symlink_to("2.jpg")
    (place / "places" / "away").symlink_to(place / "unmounted")

    with fault(place / "photos" / "ATTRIBUTION", errno.EACCES, "read"):
        code, errors = run(capsys, *COMMANDS["build"])

    assert code == 0, errors
    remedy = "its symbolic link leads back to itself; correct the link"
    assert '"away" is left out: cannot be read: No such file or directory; correct the path' in caplog.text
    assert f'"circle" is left out: cannot be read: Too many levels of symbolic links; {remedy}' in caplog.text
    assert f'"ball/2.jpg" is left out: cannot be read: Too many levels of symbolic links; {remedy}' in caplog.text
    assert 'background "away" is left out: cannot be read' in caplog.text
    assert f"ATTRIBUTION cannot be read: {DENIED}; give this user the right to read it; its credits" in caplog.text


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file whose start cannot be read")
def test_photo_on_a_failing_disk_is_left_out_by_name(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    (place / "photos" / "ball" / "2.jpg").symlink_to("/proc/self/mem")

    main(COMMANDS["build"])

    assert '"ball/2.jpg" is left out: cannot be read: Input/output error; the disk failed' in caplog.text


def test_folder_of_photos_without_the_right_to_enter_it_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def deny(operation: Operation, path: Path) -> None:
        if operation == "stat" and path.parent == place / "photos":
            raise PermissionError(errno.EACCES, DENIED, str(path))

    for command in ("build", "init"):
        with watched(deny):
            code, errors = run(capsys, *COMMANDS[command])

        assert code == 1
        assert f"photos/ball cannot be read: {DENIED}; give this user the right to read it" in errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folder_without_rights_is_refused_by_name(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (place / "built", place / "built" / ".build"):
        folder.chmod(0)
        try:
            code, errors = run(capsys, *COMMANDS["inspect"])
        finally:
            folder.chmod(0o755)

        assert code == 1
        assert f"cannot read built/.build/build.json: {DENIED}; give this user the right to read it" in errors


@pytest.mark.parametrize("name", ["x" * 300, "circle", "ratings.jsonl/new"])
@pytest.mark.parametrize("command", ["build", "export", "prompts", "ratings", "init", "inspect"])
def test_output_that_cannot_be_made_is_refused_by_name(
    command: str, name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "circle").symlink_to("circle")
    before = sorted(place.rglob("*"))
    arguments = [each.replace("new", name) for each in COMMANDS[command]]
    more = ["--sheet", f"{name}/sheet.png"] if command == "inspect" else []

    code, errors = run(capsys, *arguments, *more)

    assert code == 1, errors
    assert name.split("/")[0] in errors
    assert errors.splitlines()[-1].startswith("error: ")
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize("command", ["inspect", "select", "clean", "push", "export", "prompts", "ratings"])
def test_input_that_cannot_be_read_is_refused_by_name(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "circle").symlink_to("circle")
    for name in ("x" * 300, "circle", "ratings.jsonl"):
        code, errors = run(capsys, *(name if each == "built" else each for each in COMMANDS[command]))

        assert code == 1, errors
        assert name in errors


@pytest.mark.parametrize("command", ["ratings", "build"])
def test_pipe_in_place_of_a_file_is_refused_by_name(
    command: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [each.replace("ratings.jsonl", "pipe").replace("build.toml", "pipe") for each in COMMANDS[command]]
    os.mkfifo(place / "pipe")

    code, errors = run(capsys, *arguments)

    assert code == (2 if command == "build" else 1)
    assert "not a regular file" in errors
    assert "pipe" in errors


def test_temporary_files_that_cannot_be_removed_do_not_fail_a_push(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept: list[str] = []

    def fail(operation: Operation, path: Path) -> None:
        if operation == "delete" and path.parent == place and len(path.stem) == 64:  # relative to an open folder
            kept.append(path.name)
            raise OSError(errno.EIO, os.strerror(errno.EIO), path.name)

    with watched(fail):
        code, errors = run(capsys, *COMMANDS["push"])

    assert code == 0, errors
    assert kept


def test_python_functions_raise_errors_of_the_package(place: Path) -> None:
    with fault(place / "built" / "README.md", errno.EACCES, "read"), pytest.raises(MyCanvasError, match=r"README\.md"):
        reselect("built", min_visible=0.1)
    with fault(place / "new", errno.EACCES, "stat"), pytest.raises(MyCanvasError, match="new"):
        build(load_config("build.toml", output="new"))
    stored = _stored(place / "built")
    with fault(stored, errno.EIO, "read"), pytest.raises(InputError, match=stored.name):
        export(place / "built", "yolo", place / "new")


def test_loading_names_a_shard_that_cannot_be_read(place: Path) -> None:
    stored = _stored(place / "built")

    for operation in ("stat", "read"):
        with fault(stored, errno.EACCES, operation), pytest.raises(PermissionError, match=stored.name):
            datasets.load_dataset("mycanvas", data_dir=str(place / "built"), cache_dir=str(place / "cache"))


def _stored(built: Path) -> Path:
    """The stored shard of the scenes, which programs read."""
    return next(file for file in built.glob(".build/shards/*") if file.samefile(built / "data" / SHARD))


def test_last_resort_names_the_path_and_the_reason(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fault(place / "built", errno.ENOTCONN, "stat"):
        code, errors = run(capsys, *COMMANDS["inspect"])

    reason = f"{os.strerror(errno.ENOTCONN)}; check this path, its rights and its disk"
    assert (code, errors.splitlines()[-1]) == (1, f"error: cannot access {place / 'built'}: {reason}")


def test_memory_that_runs_out_is_reported_in_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def full(_operation: Operation, path: Path) -> None:
        if path == place / "photos":
            raise MemoryError

    with watched(full):
        code, errors = run(capsys, *COMMANDS["build"])

    assert (code, errors.splitlines()[-1]) == (
        1,
        "error: memory ran out; end other programs, or build with fewer --workers or a lower --resolution",
    )
