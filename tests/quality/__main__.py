"""Measure the fraction of photos used and its precision against labels by eye: of each segmenter, and of scenes.

Run: make quality, or
    python -m tests.quality [--photos ../shared/photos/concepts] [--u2net FILE] [--isnet FILE] [--draw FOLDER]

The labels in cutouts.csv were given by eye; see docs/quality.md. A label counts as long as its cut-out covers the same
area of the photo; a changed cut-out needs a new one. Gates are chosen on all subjects but one and applied to that one.
With --draw, the five worst of each segmenter, used and refused, are drawn there; never commit those pictures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.config import load_config
from builder.inspect.contact_sheet import arranged
from builder.inspect.cutout_sheet import draw_tile
from builder.pipeline.build import cut_out_only
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.source_photos import CutoutUse
from builder.sources.cutout_reviews import REVIEWS
from mycanvas.io.files import OFF
from tests.quality.cutouts import USABLE, grade_of, read_labels
from tests.quality.gates import Outcome, chosen_gate, cross_validated, format_figures, precision_of
from tests.quality.scenes import print_scenes

PHOTOS = Path("../shared/photos/concepts")
WORST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One way to cut out. name: as in the labels. segment: the [segment] table of a configuration."""

    name: str
    profile: str
    segment: dict[str, object]


def main() -> None:
    """Cut out with every segmenter whose files are given, and print its figures; then those of scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--u2net", type=Path, default=os.environ.get("MYCANVAS_U2NET"), help="the network's file")
    parser.add_argument("--isnet", type=Path, default=os.environ.get("MYCANVAS_ISNET"), help="the network's file")
    parser.add_argument("--draw", type=Path, help="a folder for contact sheets of the worst")
    given = parser.parse_args()
    os.environ[REVIEWS] = OFF  # the gates are measured without anyone's decisions
    if not given.photos.is_dir():
        raise SystemExit(f"{given.photos} has no photos")
    labels = read_labels()
    print(f"{'':10} photos labels usable   gate  used precision recall  interval of the precision")
    for run in runs(given.u2net, given.isnet):
        with tempfile.TemporaryDirectory() as output:
            overrides = {"concepts": str(given.photos), "output": Path(output) / "out", "segment": run.segment}
            folder = cut_out_only(load_config(None, run.profile, overrides))
            photos = [photo for photo in folder.sources().photos if photo.quality is not None]
            known = {
                photo.id: grade for photo in photos if (grade := grade_of(folder, photo, run.name, labels)) is not None
            }
            labelled = [photo for photo in photos if photo.id in known]
            print_line(run.name, len(folder.sources().photos), labelled, known)
            if given.draw:
                draw_worst(folder, labelled, known, given.draw, run.name)
    if (given.photos.parent / "backgrounds").is_dir():
        print_scenes(given.photos.parent, given.u2net)


def runs(u2net: Path | None, isnet: Path | None) -> Iterator[Run]:
    """TriCut, and one and three rounds of each network whose file is given."""
    yield Run(name="tricut", profile="classic", segment={})
    for name, model, file in (("u2net", "u2net", u2net), ("isnet", "isnet-general-use", isnet)):
        for rounds in (1, 3) if file else ():
            rembg = {"model": model, "file": file, "rounds": rounds}
            yield Run(name=f"{name}-{rounds}", profile="photo", segment={"rembg": rembg})


def print_line(name: str, photos: int, labelled: Sequence[CutoutUse], grades: dict[str, int]) -> None:
    """Print the share used and the precision, with the gate in force and with gates chosen on other subjects."""
    outcomes = [
        Outcome(subject=photo.concept, quality=photo.quality or 0.0, usable=grades[photo.id] >= USABLE)
        for photo in labelled
    ]
    if not outcomes:
        print(f"{name:10}{photos:7}{0:7}")
        return
    precision = precision_of(name)
    now = format_figures([photo.used for photo in labelled], outcomes)
    validated = format_figures(cross_validated(outcomes, precision), outcomes)
    usable = sum(outcome.usable for outcome in outcomes)
    print(
        f"{name:10}{photos:7}{len(outcomes):7}{usable:7}{'now':>7}{now}\n"
        f"{'':31}{chosen_gate(outcomes, precision):7.3f}{validated}  chosen for precision {precision:g}"
    )


def draw_worst(
    folder: BuildFolder, photos: Sequence[CutoutUse], grades: dict[str, int], target: Path, name: str
) -> None:
    """Draw the used ones with the lowest grades, the most trusted first, and the refused ones with the highest."""
    target.mkdir(parents=True, exist_ok=True)
    used = sorted((grades[photo.id], -(photo.quality or 0), photo.id) for photo in photos if photo.used)
    refused = sorted((-grades[photo.id], -(photo.quality or 0), photo.id) for photo in photos if not photo.used)
    by_id = {photo.id: photo for photo in photos}
    worst = [by_id[key] for group in (used, refused) for _, _, key in group[:WORST]]
    if worst:
        tiles = [draw_tile(folder, photo) for photo in worst]
        arranged(tiles, WORST, tiles[0].size).save(target / f"{name}.png")


if __name__ == "__main__":
    main()
