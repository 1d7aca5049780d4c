from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest
from PIL import Image

from builder.cli.main import main


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(12, 128)


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "out"))


def fails(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 1) -> tuple[str, str]:
    """The stdout and stderr of a command that must fail."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == code
    said = capsys.readouterr()
    return said.out, said.err


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("README.md", 2, "a contact sheet is a PNG"),
        ("sheet.jpg", 2, "a contact sheet is a PNG"),
        ("notes.png", 1, "exists and is no contact sheet of mycanvas"),
        ("photo.png", 1, "exists and is no contact sheet of mycanvas"),
        ("new/sheet.png", 1, "is not a folder"),
    ],
)
def test_a_contact_sheet_replaces_no_other_file(
    capsys: pytest.CaptureFixture[str], copy: Path, name: str, code: int, complaint: str
) -> None:
    (copy / "notes.png").write_text("mine")
    Image.new("RGB", (8, 8)).save(copy / "photo.png")
    before = {path: path.read_bytes() for path in copy.iterdir() if path.is_file()}

    printed, said = fails(capsys, "inspect", copy, "--sheet", copy / name, code=code)

    assert "planned" in printed
    assert "contact sheet" not in printed
    assert complaint in said
    assert "with --sheet FILE.png" in said
    assert {path: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before
    assert not (copy / "new").exists()


def test_a_contact_sheet_replaces_an_earlier_one(capsys: pytest.CaptureFixture[str], copy: Path) -> None:
    main(["inspect", str(copy)])
    main(["inspect", str(copy)])

    assert f"contact sheet: {copy / 'contact_sheet.png'}" in capsys.readouterr().out


def test_json_is_complete_even_if_the_sheet_cannot_be_written(capsys: pytest.CaptureFixture[str], copy: Path) -> None:
    printed, _ = fails(capsys, "inspect", copy, "--json", "--sheet", copy / "README.md", code=2)

    assert json.loads(printed)["contact_sheet"] is None


@pytest.mark.parametrize("flaw", ["missing", "cut short", "cut between batches"])
@pytest.mark.parametrize("place", ["data", "concepts"])
def test_a_damaged_shard_is_named_and_the_remedy_restores_it(
    capsys: pytest.CaptureFixture[str], copy: Path, flaw: str, place: str
) -> None:
    whole = {path: hashlib.sha256(path.read_bytes()).digest() for path in copy.glob("*/*.arrow")}
    shard = min(path for path in whole if path.parent.name == place)
    shard.write_bytes(shard.read_bytes()[: -8 if flaw == "cut between batches" else -5000])
    if flaw == "missing":
        shard.unlink()

    printed, said = fails(capsys, "inspect", copy)

    remedy = f"restore it with: mycanvas select {copy}"
    assert said == f"error: {shard} is {'missing' if flaw == 'missing' else 'damaged'}; {remedy}\n"
    assert printed == ""
    main(["select", str(copy)])
    main(["inspect", str(copy)])
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in copy.glob("*/*.arrow")} == whole


def test_missing_candidates_are_reported(capsys: pytest.CaptureFixture[str], copy: Path) -> None:
    for path in (copy / ".build" / "candidates").iterdir():
        path.unlink()

    _, said = fails(capsys, "inspect", copy)

    assert "candidates: 1 of 1 files are missing; run the same `mycanvas build` again" in said


def test_missing_shards_are_counted(capsys: pytest.CaptureFixture[str], copy: Path) -> None:
    shards = sorted(copy.glob("*/*.arrow"))
    for path in shards:
        path.unlink()

    _, said = fails(capsys, "inspect", copy)

    assert f"and {len(shards) - 1} more of {len(shards)} files are missing or damaged" in said


def test_inspect_counts_captions_by_writer_where_several_are_possible(
    shapes: Path,
    grounds: Path,
    tiny_model: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = tmp_path / "build.toml"
    model = f'[caption.vlm]\nmodel = "{tiny_model("llava")}"\nmax_tokens = 16\ntries = 2\n'
    settings.write_text(f'device = "cpu"\nworkers = 1\n[caption]\nbackend = "vlm"\n{model}')
    output = tmp_path / "out"
    folders = ["--concepts", str(shapes), "--backgrounds", str(grounds), "--output", str(output)]

    main(["build", str(settings), *folders, "--samples", "8", "--resolution", "192"])
    capsys.readouterr()
    main(["inspect", str(output)])

    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(output), split="train")
    wrote = Counter(json.loads(provenance)["written_by"] for provenance in rows["provenance"])
    assert wrote.total() == len(rows) > 0
    assert wrote.keys() == {"template"}  # the tiny model speaks noise
    assert f"captions written by template: {len(rows)}\n" in capsys.readouterr().out


def test_compositions_are_listed_by_the_names_that_other_commands_take(
    capsys: pytest.CaptureFixture[str], copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    main(["inspect", str(copy), "--json"])
    counts = Counter(json.loads(capsys.readouterr().out)["compositions"]).most_common()
    monkeypatch.setattr("builder.inspect.summary.MOST_COMPOSITIONS", 2)

    main(["inspect", str(copy)])

    lines = capsys.readouterr().out.splitlines()
    first = next(index for index, line in enumerate(lines) if "words per caption" in line) + 1
    assert [tuple(line.split()) for line in lines[first : first + 2]] == [(name, str(n)) for name, n in counts[:2]]
    assert lines[first + 2] == f"  and {len(counts) - 2} more; --json lists all"
