"""One self-contained HTML page about a build: works from a file, without a network, and needs no server."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from builder.config import BuildConfig, parse_config, profile_selection
from builder.inspect.output_file import OutputFile
from builder.inspect.report.concepts import read_concepts
from builder.inspect.report.scenes import ReportScenes, read_scenes
from builder.inspect.report.thresholds import Threshold, command, option, thresholds
from builder.inspect.summary import Inspection, inspect_build
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.card import parameters_of
from builder.pipeline.card_plots import describe_positions, describe_sizes
from builder.pipeline.funnel import Funnel
from builder.pipeline.histogram import histogram
from builder.pipeline.manifest import digest_of, read_manifest
from builder.pipeline.placements import CELLS
from builder.pipeline.required_models import backends_with_models
from builder.stages.select import SelectConfig
from dataset_card import Histogram, count_ticks
from mycanvas import __version__
from mycanvas.dataset import open_dataset
from mycanvas.io.checked import read_checked
from mycanvas.io.images import PALETTE
from mycanvas.io.messages import counted
from mycanvas.io.text import printable
from mycanvas.schema import SCORE_FIELDS, SPLIT_TITLES, SPLITS

if TYPE_CHECKING:
    import jinja2

MADE_BY = "mycanvas inspect"
"""The page's generator, so that no other page is overwritten."""
SCENE_BYTES = 16_500_000
"""Bytes of all scenes in the page, with their pictures."""
CUTOUT_BYTES = 2_000_000
"""Bytes of all pictures of cut-outs."""
QUOTA = ("per_composition", "duplicate_bits", "min_rank")
"""The keys of [select] that are no bounds on scores, and that the page can change."""
_HERE = Path(__file__).parent
_START = 512
"""Bytes of a file that hold its generator."""


def write_report(file: Path, folder: BuildFolder, inspection: Inspection) -> None:
    """Write the page. An existing file is replaced only if it is such a page.

    Raises:
        ConfigError: the file's name does not end in .html.
        StoreError: another file has this name, it cannot be written, or the build is not finished or is damaged.
        InputError: the dataset cannot be read.
    """
    _REPORT.write(file, lambda: render(folder, inspection, folder.path).encode())


def published_report(folder: BuildFolder) -> bytes:
    """The page for other people: it names no folder of this machine.

    Raises:
        StoreError: as for `render`.
        InputError: as for `render`.
    """
    return render(folder, inspect_build(folder), Path(folder.path.resolve().name)).encode()


def _is_report(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return f'<meta name="generator" content="{MADE_BY}">'.encode() in opened.read(_START)
    except OSError:
        return False


_REPORT = OutputFile(
    noun="report",
    suffix=".html",
    format="a page",
    is_ours=_is_report,
    other="give it another name with --html FILE.html",
)


def render(folder: BuildFolder, inspection: Inspection, shown_path: Path) -> str:
    """Make the page. It has no dates: the same build gives the same page.

    Args:
        folder: a finished build.
        inspection: the result of `inspect_build`.
        shown_path: the folder in the command that the page shows.

    Raises:
        StoreError: the build is not finished, or a file of it is missing or damaged.
        InputError: the dataset in it cannot be read.
    """
    from markupsafe import Markup

    manifest = read_manifest(folder)
    captions = {scene.id: scene.caption for scene in open_dataset(folder.path).scenes()}
    kept = frozenset(captions)
    config = parse_config({**read_checked(folder.config_file, dict[str, Any]), "select": manifest.made_from.select})
    scenes = read_scenes(folder, captions, inspection.sources.photos, config.select, SCENE_BYTES)
    profile = SelectConfig.model_validate(profile_selection(config.profile))
    bounds = list(thresholds(scenes.rows, config.select, profile))
    line = command(shown_path, config.select, profile, (*QUOTA, *(each.key for each in bounds)))
    photos = inspection.sources.every_photo()
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    scripts = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("selection.js", "page.js"))
    return _template().render(
        generator=MADE_BY,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(scripts),  # noqa: S704 - a file of this package
        style_digest=_csp_digest(style),
        script_digest=_csp_digest(scripts),
        data=_cleaned(_script_data(line, scenes, bounds, config.select, profile, manifest.made_from.keep)),
        path=shown_path.name or str(shown_path),
        funnel=inspection.funnel,
        funnel_rows=_funnel_rows(inspection.funnel),
        split_titles=SPLIT_TITLES,
        scenes=scenes,
        compositions=_compositions(scenes, kept),
        thresholds=bounds,
        option=option,
        quota=_quota(config.select),
        ranked=any("rank" in row for row in scenes.rows),
        captions=histogram(scenes.caption_words, whole=True),
        sizes=histogram(100 * np.asarray(scenes.placements.areas), (0,)),
        placements=scenes.placements,
        cells=CELLS,
        positions_text=describe_positions(scenes.placements),
        sizes_text=describe_sizes(scenes.placements),
        words_text=_words_text(scenes.caption_words),
        concepts=read_concepts(
            folder,
            photos,
            [(scenes.compositions[row["composition"]].split("+"), row["id"] in kept) for row in scenes.rows],
            CUTOUT_BYTES,
        ),
        backgrounds=inspection.sources.backgrounds,
        provenance=_provenance(folder, config, digest_of(manifest.files)),
        parameters=_shown_values(parameters_of(config)),
        count_ticks=count_ticks,
        bars=_bars,
        counted=counted,
    )


def _script_data(
    select_command: str,
    scenes: ReportScenes,
    bounds: Sequence[Threshold],
    select: SelectConfig,
    profile: SelectConfig,
    keep: int | None,
) -> dict[str, Any]:
    """The data that page.js reads, as JSON types."""
    return {
        "command": select_command,
        "rows": scenes.rows,
        "scores": [{"name": name, "better": field.better} for name, field in SCORE_FIELDS.items()],
        "compositions": scenes.compositions,
        "keep": keep,
        "splits": list(SPLITS),
        "colours": [f"#{bytes(PALETTE[at : at + 3]).hex()}" for at in range(3, len(PALETTE), 3)],
        "quota": _quota(select),
        "profile": _quota(profile),
        "thresholds": [each.as_json() for each in bounds],
    }


def _quota(select: SelectConfig) -> dict[str, int | None]:
    """The settings of a selection that are no bounds on scores."""
    return {key: getattr(select, key) for key in QUOTA}


def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _finalized(value: object) -> object:
    """Escape what terminals and readers of text act on; HTML is escaped afterwards, by autoescape."""
    return printable(value) if type(value) is str else value


def _cleaned(values: Any) -> Any:
    """The same JSON, with all text as `printable` gives it."""
    if isinstance(values, str):
        return printable(values)
    if isinstance(values, Mapping):
        return {key: _cleaned(value) for key, value in values.items()}
    return [_cleaned(value) for value in values] if isinstance(values, list) else values


def _csp_digest(code: str) -> str:
    """The digest by which the page's own security policy knows this code."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def _bars(found: Histogram, left: float, width: float, height: float) -> list[tuple[float, float, float, float]]:
    """The x, y, width and height of each bar of a histogram; y is from the plot's upper edge."""
    low, high = found.edges[0], found.edges[-1]
    most = count_ticks(max(found.counts))[-1]
    scale, thickness = width / (high - low), width / len(found.counts)
    return [
        (left + (edge - low) * scale, height * (1 - count / most), thickness, height * count / most)
        for edge, count in zip(found.edges, found.counts, strict=False)
    ]


def _funnel_rows(funnel: Funnel) -> list[tuple[str, str, int, int]]:
    """Kind, label, scenes, and scenes that are left before it, of each step."""
    planned, made = sum(funnel.planned.values()), sum(funnel.made.values())
    rows = [("step", "planned", planned, planned)]
    if funnel.again:
        rows.append(("step", "drawn, with further attempts", planned + funnel.again, planned + funnel.again))
    left = planned + funnel.again
    for reason, count in funnel.rejected.items():
        rows.append(("lost", f"rejected by {reason}", count, left))
        left -= count
    rows.append(("step", "made", made, made))
    left = made
    for reason, count in funnel.dropped.items():
        rows.append(("lost", f"dropped: {reason}", count, left))
        left -= count
    kept = sum(funnel.kept.values())
    return [*rows, ("step", "kept", kept, kept)]


def _compositions(scenes: ReportScenes, kept: frozenset[str]) -> list[tuple[str, int, int]]:
    """Name, scenes kept and made of each composition, those with most scenes first."""
    made = Counter(row["composition"] for row in scenes.rows)
    of_kept = Counter(row["composition"] for row in scenes.rows if row["id"] in kept)
    rows = [(name, of_kept[number], made[number]) for number, name in enumerate(scenes.compositions)]
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))


def _words_text(words: Sequence[int]) -> str:
    return (
        f"Histogram of the lengths of {len(words)} captions: {min(words)} to {max(words)} words, "
        f"{sum(words) / len(words):.1f} on average"
    )


def _provenance(folder: BuildFolder, config: BuildConfig, shards: str) -> dict[str, str]:
    return {
        "seed": str(config.seed),
        "profile": config.profile,
        **{f"stage {stage}": name for stage, name in backends_with_models(config, folder.revisions()).items()},
        "license": config.license or "none for the whole dataset",
        "mycanvas": __version__,
        "sha256 of the configuration": config.digest(),
        "sha256 of the shards": shards,
    }


def _shown_values(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
