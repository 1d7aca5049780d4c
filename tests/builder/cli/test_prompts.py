from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.main import main
from builder.cli.prompts import PER_COMPOSITION
from mycanvas.metrics import protocol


@pytest.fixture(scope="module")
def built(build_shapes: Callable[[int, int], Path]) -> Path:
    return build_shapes(6, 128)


def failed(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["prompts", *map(str, arguments)])
    printed = capsys.readouterr()
    assert ended.value.code == code
    assert printed.out == ""
    return printed.err


def test_every_composition_gets_prompts_with_other_backgrounds(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "generated" / "images.jsonl"
    capsys.readouterr()
    main(["prompts", str(built), "--output", str(output), "--per-composition", "2"])
    lines = [json.loads(line) for line in output.read_text().splitlines()]

    assert capsys.readouterr().out == (
        f'{len(lines)} prompts in {output}; generate an image for each, named by its "file"\n'
    )
    assert set(Counter(line["composition"] for line in lines).values()) == {2}
    assert all(line["prompt"].endswith(line["background"]) for line in lines)
    assert len({line["file"] for line in lines}) == len(lines)


def test_existing_prompts_are_not_replaced_by_others(
    built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "images.jsonl"
    arguments = ["prompts", str(built), "--output", str(output)]
    main(arguments)
    before = output.read_text()
    main(arguments)

    message = f"error: {output} exists with other content; delete it, or choose another --output\n"
    assert failed(capsys, 1, *arguments[1:], "--per-composition", 1) == message
    assert output.read_text() == before


def test_wrong_usage_is_refused(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "prompts.jsonl"

    assert "Missing option '--output'" in failed(capsys, 2, built)
    assert "Missing argument 'DATASET'" in failed(capsys, 2, "--output", output)
    assert "got 100" in failed(capsys, 1, built, "--output", output, "--per-composition", 100)
    assert "nowhere does not exist" in failed(capsys, 1, "nowhere", "--output", output)
    assert not output.exists()


def test_default_is_the_paper_s() -> None:
    """It is repeated because help is printed without importing the protocol."""
    assert PER_COMPOSITION == protocol.PER_COMPOSITION
