"""Files of a training recipe: pictures, captions, masks, configurations, and the command that starts the training.

Paths are relative to the exported folder, so that it can be copied to another machine; `train.sh` changes to it. Only
that of diffusers names the dataset, which is not copied, by its absolute path.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from mycanvas.export.source import Source
from mycanvas.export.training_set import Picture
from mycanvas.io.toml import toml_string

SCRIPT = "train.sh"
TRIGGERS = "triggers.json"


def run_name(source: Source) -> str:
    """A name for the trained files, from the dataset's name: letters, digits, ".", "_" and "-" only."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", source.dataset.name).strip(".-")[:80] or "mycanvas"


def write_picture(output: Path, picture: Picture) -> None:
    """Write a picture as it is stored, and its caption beside it as `.txt`."""
    path = output / picture.path
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(picture.image)
    path.with_name(f"{picture.stem}.txt").write_text(picture.caption, encoding="utf-8")


def write_mask(path: Path, picture: Picture) -> None:
    """Write a picture's mask as a grey PNG, white on what counts in the loss."""
    from mycanvas.io.images import encode_png

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(picture.mask))


def write_json(path: Path, value: object) -> None:
    """Write indented ASCII JSON: trainers open it in the machine's own encoding."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one ASCII JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_dataset_toml(output: Path, trainer: str, tables: Mapping[str, Any], note: str | None = None) -> None:
    """Write `dataset.toml`, the configuration of datasets for sd-scripts and musubi-tuner.

    Args:
        output: the exported folder.
        trainer: its name, for a comment.
        tables: tables, lists of tables, text, numbers, booleans and lists of numbers.
        note: a further line of the comment.
    """
    head = f"# For --dataset_config of {trainer}. Paths are relative to this folder: run the trainer here.\n"
    head += f"# {note}\n" if note else ""
    (output / "dataset.toml").write_text(head + _toml_text(tables), encoding="utf-8")


def _toml_text(tables: Mapping[str, Any], prefix: str = "") -> str:
    """TOML of tables, lists of tables, text, numbers, booleans and lists of numbers, in this order."""
    plain, nested = [], []
    for key, value in tables.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            nested.append(f"\n[{name}]\n{_toml_text(value, name + '.')}")
        elif isinstance(value, Sequence) and not isinstance(value, str) and value and isinstance(value[0], Mapping):
            nested += [f"\n[[{name}]]\n{_toml_text(each, name + '.')}" for each in value]
        else:
            plain.append(f"{key} = {toml_string(value) if isinstance(value, str) else json.dumps(value)}\n")
    return "".join(plain + nested)


def write_script(
    output: Path, arguments: Mapping[str, str], commands: Sequence[Sequence[str]], notes: Sequence[str] = ()
) -> None:
    """Write `train.sh`, which takes arguments and runs commands in the exported folder.

    Args:
        output: the exported folder.
        arguments: the name of a variable -> its meaning; models first, the trainer's folder last.
        commands: words; "$NAME" in one stands for a variable's value, and "$HERE" for the exported folder.
        notes: further lines for the user, before the code.
    """
    usage = " ".join(arguments)
    lines = ["#!/bin/sh", f"# Start the training: sh {SCRIPT} {usage}"]
    lines += [f"#   {name}: {meaning}" for name, meaning in arguments.items()]
    lines += [f"# {note}" for note in notes]
    lines += ["set -eu", *_ABSOLUTE]
    for number, name in enumerate(arguments, 1):
        lines.append(f'{name}=$(absolute "${{{number}:?usage: sh {SCRIPT} {usage}}}")')
    lines.append('cd "$(dirname "$0")"')
    if any(word.startswith("$HERE") for words in commands for word in words):
        lines.append("HERE=$(pwd)")
    lines += [_command(words, (*arguments, "HERE")) for words in commands]
    (output / SCRIPT).write_text("\n".join(lines) + "\n", encoding="utf-8")


def usage_of(output: Path) -> tuple[str, ...]:
    """Read from `train.sh` how to start the training; no lines if an export has no script."""
    script = output / SCRIPT
    lines = script.read_text("utf-8").splitlines()[1:] if script.is_file() else []
    return tuple(line.removeprefix("# ") for line in takewhile(lambda line: line.startswith("#"), lines))


_ABSOLUTE = (
    "absolute() {  # a path as the script's caller means it; other names, as of the Hub, stay",
    '  if [ -e "$1" ]; then echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; else echo "$1"; fi',
    "}",
)


def _command(words: Sequence[str], names: Sequence[str]) -> str:
    """A command of the shell; each option begins a line.

    Variables are replaced only in words of plain characters: captions and names come from untrusted data.
    """
    variable = re.compile(rf"[\w=.-]*\$({'|'.join(names)})[\w./-]*")
    quoted = [f'"{word}"' if variable.fullmatch(word) else shlex.quote(word) for word in words]
    separated = (" \\\n  " + word if word.lstrip("'\"").startswith("--") else " " + word for word in quoted)
    return "".join(separated).removeprefix(" ")
