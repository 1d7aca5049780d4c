"""Processor time in which TriCut cuts out one photo, beside an earlier commit.

Run: python -m tests.benchmarks.bench_cutout [--photos ../shared/photos/concepts] [--rounds 3] [--against a142aea]

Both cut out the first photo of each concept, in processes that take turns. The earlier commit is checked out in a
temporary folder. Counted is time in user and system mode; reading the photo is not counted.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.earlier import arguments, print_items, print_mean, take_turns

GOAL = 3

CUT = """
import json, sys, time
from pathlib import Path
import cv2
import numpy as np
from PIL import Image, ImageOps
try:
    from builder.stages.segment.tricut import TriCut
except ImportError:
    from builder.segment.tricut import TriCut

cv2.setNumThreads(1)

def spent(path):
    with Image.open(path) as photo:
        pixels = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
    start = time.process_time()
    list(TriCut().matte([pixels]))
    return time.process_time() - start

photos = [sorted(folder.glob("*.jpg"))[0] for folder in sorted(Path(sys.argv[2]).iterdir()) if folder.is_dir()]
spent(photos[0])
print(json.dumps({photo.parent.name: spent(photo) for photo in photos}))
"""
"""A program that prints the seconds of each concept's first photo; its arguments: a folder, and the concepts'."""


def main() -> None:
    """Measures both and prints a line for each photo and one for all."""
    parser = arguments(__doc__)
    parser.add_argument("--photos", type=Path, default=Path("../shared/photos/concepts"))
    given = parser.parse_args()
    rounds = take_turns(CUT, given.against, given.rounds, str(given.photos.resolve()))
    print(f"{'core-milliseconds a photo':32}{given.against:>10}{'now':>8}{'ratio':>8}  goal")
    print_items(rounds)
    print_mean("mean of all photos", rounds, f">= {GOAL}")


if __name__ == "__main__":
    main()
