"""Builds whose scenes are dropped for several reasons, and their reports."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.finalize import reselect
from builder.pipeline.rows import candidate_schema
from mycanvas.io.checked import read_checked, write_checked
from mycanvas.io.files import sha256_of, write_stream

HOSTILE = "</script><!--<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J'\"&"


@pytest.fixture(scope="session")
def selected(build_shapes: Callable[[int, int], Path]) -> Path:
    """A build of which bounds, near-duplicates and a quota drop scenes; nothing is to be written in it."""
    folder = build_shapes(90, 128)
    reselect(folder, {"min_visible": 0.75, "max_overlap": 0.2, "duplicate_bits": 14, "per_composition": 4})
    return folder


@pytest.fixture(scope="session")
def page(selected: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of `selected`."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    main(["inspect", str(selected), "--html", str(file)])
    return file


def with_texts(folder: Path, text: str) -> None:
    """Put a text where captions, tokens, file names and makers are."""
    build = BuildFolder(folder)
    for index, marker in list(build.markers()):
        rows = [
            {**row, "caption": text, "concept_tokens": [text] * row["num_objects"]} for row in build.candidates(index)
        ]
        file = build.candidate_file(index)
        write_stream(file, candidate_schema(), [pa.RecordBatch.from_pylist(rows, schema=candidate_schema())])
        values = read_checked(file.with_suffix(".json"), dict[str, Any])
        write_checked(file.with_suffix(".json"), {**values, "sha256": sha256_of(file), "rows": marker.rows})
    sources = read_checked(build.sources_file, dict[str, Any])
    for photo in sources["photos"]:
        photo |= {"id": f"{photo['concept']}/{text}", "why": text, "class_noun": text, "token": text}
    for background in sources["backgrounds"]:
        background |= {"attribution": text, "phrase": text}
    write_checked(build.sources_file, sources)


@pytest.fixture(scope="session")
def hostile(selected: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a build whose captions, tokens, names and makers try to be code."""
    folder = Path(shutil.copytree(selected, tmp_path_factory.mktemp("hostile") / "out"))
    with_texts(folder, HOSTILE)
    reselect(folder, {})
    file = folder.parent / "<img src=x onerror=alert(1)>.html"
    main(["inspect", str(folder), "--html", str(file)])
    return file
