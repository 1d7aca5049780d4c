"""Every option of build.toml with its range, default and meaning, as the page docs/configuration.md.

The schema is the one source: a field's type has its range, and the text below a field is its meaning.
`python -m builder.config.reference FILE` writes the page.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from builder.config.load import profile_names
from builder.config.schema import AssembledConfig
from builder.stages.resolution import LARGEST, SMALLEST
from builder.stages.segment import SEGMENTERS
from builder.stages.segment.calibration import CALIBRATIONS, UNCALIBRATED
from mycanvas.io.files import write_text
from mycanvas.io.toml import toml_string

ONE_PER_CORE = "one per core"
"""The default of `workers`, which depends on the machine."""

NOT_GIVEN, REQUIRED = "not given", "required"

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
_LIMITS = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}

_HEAD = """\
# build.toml

`mycanvas build build.toml` reads a TOML file like the one that `mycanvas init photos` writes. Only `concepts` is
required. An option of the command line is used instead of the same one in the file. `""` resets an option that a
profile sets and that has no default. The defaults below are those of the profile `classic`.

This page is generated from the schema: `python -m builder.config.reference docs/configuration.md`.
"""

_TAIL = """\
## Files of saliency networks

With `segment.backend = "rembg"`, as in the profile `photo`, a session of rembg is downloaded once from its releases on
GitHub to `~/.rembg/models/<session>/<session>.onnx`. A file that was copied there is used as well, if its checksum is
the published one. `file` names a file at another place, and `model` the session that it belongs to:

```toml
# build.toml
profile = "photo"
concepts = "photos"
[segment.rembg]
model = "u2net"
file = "u2net.onnx"
```

For a network of your own, `model` is a session with the same input: u2net (320 pixels a side), isnet-general-use (1024,
values from -0.5 to 0.5) or birefnet-general (1024, normalised as for ImageNet, output without a sigmoid). The file of
another session and a network of another input size are refused before any work.

Unless they are given, `segment.min_quality` and `rounds` are those of the segmenter or session:

{calibrations}

## A language model on this machine

Without `layout.llm.base_url`, `layout.llm.model` runs on this machine, in the main process alone and on all cores. It
is asked for the themes of all compositions, then for the layouts of all scenes, before any scene is composed. Every
reply is stored when its batch is done, so that an interrupted build loses at most one batch.

Before the first request, the build measures and reports how many tokens a second the model reads and writes, and before
each round of requests how long it will take. A request for boxes has about 900 tokens, longer ones after a refused
reply. SmolLM2-135M-Instruct in float32 took 3 to 4 seconds a reply on two cores of a server, in batches of 8; the time
grows with the number of parameters. The command line also sets `GOMP_SPINCOUNT`, unless it is set: with its default, a
model is many times slower where other programs keep the cores busy. A program that calls `builder.build` sets it before
torch is imported.

## Cache of cut-outs

Each photo is cut out once, and each background painted once, for builds of any output and seed. With another
resolution, the object's outline in a photo is still found once for the settings of the segmenter.
`mycanvas build --preview 6` keeps its cut-outs for the build. The results are in `~/.cache/mycanvas/results`: about
30 kB a photo for outlines, 2 MB for cut-outs and 4 MB a painted background. `mycanvas clean --cache` lists these
files, and with `--yes` deletes them.

Two environment variables change it:

- `MYCANVAS_CACHE`: the folder of all caches of mycanvas instead of `~/.cache/mycanvas`. With `off`, neither cut-outs
  nor embeddings are kept. Empty counts as not set.
- `MYCANVAS_CACHE_SIZE`: its largest size after a build, such as `500MB` or `2GB`; the default is `1GB`. The results
  that were not used for longest are deleted first, outlines last.

## Decisions about cut-outs

A decision about a cut-out is kept by the content of its photo, in the `.build/reviews` folder of the build and in
`~/.local/share/mycanvas/reviews`, where other builds of the same photo find it. `MYCANVAS_REVIEWS` sets another folder
than the latter; with `off`, decisions are kept in their own build only.

## Shell completion

Bash completes commands, options, and the values of `--profile` and `--format` after this line in `~/.bashrc`; for zsh
write `zsh_source`, for fish `_MYCANVAS_COMPLETE=fish_source mycanvas | source`:

```bash
eval "$(_MYCANVAS_COMPLETE=bash_source mycanvas)"
```
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option. table: "" at the top of the file, else such as "repaint.diffusion".

    default: as TOML; None: the option is required, or its default is in `text`. text: the default in words.
    """

    table: str
    name: str
    meaning: str
    range: str
    default: str | None
    text: str


def options() -> list[Option]:
    """Every option, in the order of the schema; those of a table after those above it."""
    return list(_options(AssembledConfig, ""))


def _options(model: type[BaseModel], table: str) -> Iterator[Option]:
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner.append((f"{table}.{name}".lstrip("."), field.annotation))
        else:
            yield _option(table, name, field)
    for path, below in inner:
        yield from _options(below, path)


def _option(table: str, name: str, field: FieldInfo) -> Option:
    default = None if field.is_required() or field.default_factory else _toml(field.default)
    if field.is_required():
        text = REQUIRED
    elif field.default_factory:
        text = ONE_PER_CORE
    else:
        text = NOT_GIVEN if field.default is None else str(default)
    meaning = " ".join((field.description or "").split())
    return Option(table=table, name=name, meaning=meaning, range=_range(name, field), default=default, text=text)


def _range(name: str, field: FieldInfo) -> str:
    if name == "profile":
        return _one_of(profile_names())
    if name == "resolution":
        return f'a side from {SMALLEST} to {LARGEST}, a size such as "1024x768", or a list of these'
    if name == "output":
        return "a path, or a URL"
    if field.is_required():
        return "a path, or hf://owner/name"
    return _words(field.annotation, field.metadata)


def _words(kind: Any, limits: Sequence[Any] = ()) -> str:
    """The values that a type allows, in words; limits: of annotated-types, which apply to it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _words(inner[0], [limit for each in inner[1:] for limit in getattr(each, "metadata", [each])])
    if origin in (Union, UnionType):
        (some,) = (each for each in inner if each is not NoneType)
        return _words(some, limits)
    if origin is Literal:
        return _one_of(inner)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"a table of {', '.join(kind.model_fields)}"
    if origin is tuple:
        return f"a list; each: {_words(inner[0])}"
    found = {key: getattr(limit, key) for limit in limits for key in _LIMITS if getattr(limit, key, None) is not None}
    if found.keys() == {"ge", "le"}:
        return f"{_KINDS[kind]} from {found['ge']:g} to {found['le']:g}"
    return " ".join(
        [_KINDS[kind], " and ".join(f"{_LIMITS[key]} {found[key]:g}" for key in _LIMITS if key in found)]
    ).strip()


def _one_of(values: Iterable[object]) -> str:
    return "one of " + ", ".join(json.dumps(value) for value in values)


def _toml(value: Any) -> str:
    """A default as TOML; TOML has no null, for which "" stands."""
    if value is None:
        return '""'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return toml_string(str(value)) if isinstance(value, str | Path) else json.dumps(value)


def page() -> str:
    """The page: one table of options for each table of build.toml."""
    lines = [_HEAD.rstrip()]
    table = None
    for option in options():
        if option.table != table:
            table = option.table
            lines += ["", f"## {f'[{table}]' if table else 'At the top'}", ""]
            lines += ["| option | values | default | meaning |", "| --- | --- | --- | --- |"]
        default = option.text if option.default is None or option.text == NOT_GIVEN else f"`{option.default}`"
        cells = (f"`{option.name}`", option.range, default, option.meaning)
        lines.append(f"| {' | '.join(_escaped(cell) for cell in cells)} |")
    return "\n".join([*lines, "", _TAIL.replace("{calibrations}", _calibrations())])


def _calibrations() -> str:
    lines = ["| segmenter or session | `min_quality` | with more rounds | `rounds` |", "| --- | --- | --- | --- |"]
    for name, found in [*CALIBRATIONS.items(), ("every other session", UNCALIBRATED)]:
        rounds, repeated = ("", "") if name in SEGMENTERS else (f"{found.rounds}", f"{found.gate(2):g}")
        lines.append(f"| {name} | {found.min_quality:g} | {repeated} | {rounds} |")
    return "\n".join(lines)


def _escaped(cell: str) -> str:
    return re.sub(r"[|*]", r"\\\g<0>", cell)


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), page())
