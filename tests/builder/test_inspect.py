from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from builder.cli import main


def test_inspect_tells_what_wrote_the_captions_where_more_than_one_thing_may(
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
