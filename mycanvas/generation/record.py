"""The folder of generated pictures: how each was made, which are left to make, and the manifest that evaluation reads.

`generation.json` records the settings of each composition, as a model is trained for one: several runs, each with its
own composition and LoRA, fill one folder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mycanvas.errors import StoreError
from mycanvas.generation.plan import Request
from mycanvas.io.checked import read_checked, write_checked
from mycanvas.io.files import is_inside, os_errors, remove_unfinished, write_text
from mycanvas.io.messages import differences, was_now
from mycanvas.io.text import brief
from mycanvas.metrics.manifest import MANIFEST, read_prompts
from mycanvas.metrics.protocol import KEYS

RECORD, LOCK = "generation.json", ".lock"
FILES = (MANIFEST, RECORD)

Settings = Mapping[str, Any]
"""Everything beside prompt and seed on which a picture depends, as JSON types."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """How the pictures in a folder were made, or will be.

    settings: by composition. pictures: the keys of a manifest's line, and the seed, by file.
    """

    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, dict[str, Any]] = field(default_factory=dict)


def plan_record(folder: Path, requests: Sequence[Request], settings: Settings) -> tuple[Record, list[Request]]:
    """Add pictures to the record of a folder, which is not written yet.

    Returns:
        The record with them, and those that are not in the folder yet.

    Raises:
        StoreError: the folder was made with other settings or prompts, or has other files of these names.
    """
    with os_errors(folder):
        before = _read(folder)
        planned = {request.prompt.file: _picture(request) for request in requests}
        made = {file: row for file, row in before.pictures.items() if (folder / file).exists()}
        _check_settings(folder, before.settings, {row["composition"] for row in made.values()}, requests, settings)
        _check_files(folder, made, planned)
        record = Record(
            settings={**before.settings, **{each.prompt.composition: dict(settings) for each in requests}},
            pictures={**before.pictures, **planned},
        )
        _check_manifest(folder, record)
        return record, [request for request in requests if not (folder / request.prompt.file).exists()]


def write_record(folder: Path, record: Record) -> None:
    """Write the record, before any of its pictures, and remove what a killed run left of them."""
    write_checked(folder / RECORD, asdict(record))
    remove_unfinished(folder, {Path(file).name for file in (*record.pictures, *FILES)})


def write_manifest(folder: Path, record: Record) -> None:
    """List the pictures that are in a folder, for `mycanvas evaluate`."""
    rows = [row for file, row in sorted(record.pictures.items()) if (folder / file).exists()]
    write_text(folder / MANIFEST, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def generated_pictures(folder: Path) -> dict[str, int]:
    """The number of pictures of each composition that are in a folder.

    Raises:
        StoreError: its record is damaged.
    """
    pictures = _read(folder).pictures
    return Counter(row["composition"] for file, row in pictures.items() if (folder / file).exists())


def _read(folder: Path) -> Record:
    path = folder / RECORD
    if not path.exists():
        return Record()
    return read_checked(path, Record, remedy="restore it, or choose another --output")


def _check_settings(
    folder: Path,
    recorded: Mapping[str, Settings],
    made: Collection[str],
    requests: Sequence[Request],
    settings: Settings,
) -> None:
    """Refuse other settings for a composition that has pictures."""
    for composition in dict.fromkeys(request.prompt.composition for request in requests):
        before = recorded[composition] if composition in made else settings
        if lines := differences(before, settings):
            first = f"the pictures of {brief(composition)} in {folder} were generated with other settings"
            last = "Use another --output, or the same settings to resume."
            raise StoreError("\n".join([first, *lines, last]))


def _check_files(folder: Path, made: Mapping[str, Mapping[str, Any]], planned: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse pictures that exist and were made from something else."""
    for file, picture in planned.items():
        if not is_inside(folder / file, folder):
            raise StoreError(f"{folder / file} is outside of {folder}; choose another --output")
        before = made.get(file)
        if before is None and (folder / file).exists():
            raise StoreError(f"{folder / file} exists and is no picture of this command; choose another --output")
        if before is not None and before != picture:
            name = next(name for name in picture if before.get(name) != picture[name])
            raise StoreError(
                f"{file} in {folder} was generated from another {name}: {was_now(before.get(name), picture[name])}; "
                "choose another --output"
            )


def _check_manifest(folder: Path, record: Record) -> None:
    """A manifest that exists may only list the pictures of the record: it will be replaced."""
    if not (folder / MANIFEST).exists():
        return
    for prompt in read_prompts(folder / MANIFEST):
        known = record.pictures.get(prompt.file)
        if known is None or any(known[key] != getattr(prompt, key) for key in KEYS):
            given = f"{folder / MANIFEST} lists {brief(prompt.file)}, which is not among these pictures"
            raise StoreError(f"{given}; choose another --output")


def _picture(request: Request) -> dict[str, Any]:
    return {**{key: getattr(request.prompt, key) for key in KEYS}, "seed": request.seed}
