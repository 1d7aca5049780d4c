"""Builds of the shapes with decisions about cut-outs, and changes of these decisions."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import datasets
from PIL import Image

import mycanvas  # noqa: F401  (registers the loader)
from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.reviewed_cutouts import build_reviews, current_sources
from builder.pipeline.source_photos import CutoutUse
from builder.records import CutoutReview
from tests.contracts.small_builds import bytes_of, config_for

Change = Callable[[Path, Path], None]
"""Changes decisions, given the folder of the photos and that of the build."""
COMPOSITIONS = [["cone"], ["ball", "ring"], ["ball2", "cone"], ["box", "slab"]]
TOML = '[ball]\nuse = ["1.png"]\n[box]\nleave_out = ["1.png"]\n'


def png(box: tuple[int, int, int, int], size: tuple[int, int] = (160, 160)) -> bytes:
    """A mask that is white in a box."""
    mask, encoded = Image.new("L", size), io.BytesIO()
    mask.paste(255, box)
    mask.save(encoded, "PNG")
    return encoded.getvalue()


SLIM, WIDE = png((40, 20, 120, 150)), png((30, 30, 130, 140))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def of(photos: Path, name: str) -> str:
    return sha256((photos / name).read_bytes())


def decided(shapes: Path, folder: Path) -> Path:
    """The shapes, with a mask beside one and a description that names two."""
    photos = Path(shutil.copytree(shapes, folder / "photos"))
    (photos / "ring" / "1.mask.png").write_bytes(SLIM)
    (photos / "concepts.toml").write_text(TOML)
    return photos


def config(photos: Path, grounds: Path, output: Path, **changes: object) -> BuildConfig:
    return config_for(photos, grounds, output, compositions=COMPOSITIONS, select={"duplicate_bits": -1}, **changes)


def kept(output: Path) -> dict[str, list[str]]:
    """The photos of each scene of a dataset, by its id."""
    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(output), split="train")
    return {row["id"]: row["source_images"] for row in rows.select_columns(["id", "source_images"])}


def but_those_of(scenes: Mapping[str, list[str]], photo: str) -> dict[str, list[str]]:
    return {name: photos for name, photos in scenes.items() if photo not in photos}


def compared(output: Path) -> dict[str, str]:
    """The sums of the files of a build, without its own path, collected decisions and shards of earlier selections."""
    files = bytes_of(output)
    earlier = {f".build/shards/{digest}.arrow" for digest in files.values()} - {
        f".build/shards/{digest}.arrow" for name, digest in files.items() if not name.startswith(".build")
    }
    return {
        name: digest
        for name, digest in files.items()
        if name not in {".build/config.json", *earlier} and not name.startswith(".build/reviews")
    }


def made(output: Path) -> dict[str, str]:
    files = compared(output)
    return {
        name: files[name] for name in files if name.startswith((".build/candidates", ".build/plan", ".build/cutou"))
    }


def stop_halfway(output: Path) -> None:
    """Remove what a build that was killed after half of its shards had not made."""
    unmade = (output / ".build" / "candidates").glob("0000[23].*")
    for file in (*unmade, output / ".build" / "selected.json", output / "README.md"):
        file.unlink()
    for place in ("data", "concepts"):
        shutil.rmtree(output / place)


def use(photos: Mapping[str, CutoutUse], name: str) -> tuple[bool, str]:
    return photos[name].used, photos[name].why


def uses(output: Path) -> dict[str, CutoutUse]:
    return {photo.id: photo for photo in current_sources(BuildFolder.open(output)).photos}


def review(name: str, *, verdict: str = "refuse", mask: bytes | None = None) -> Change:
    def decide(photos: Path, output: Path) -> None:
        digest = sha256(mask) if mask else None
        made = CutoutReview(photo=of(photos, name), verdict=verdict, mask=digest)  # type: ignore[arg-type]
        build_reviews(BuildFolder(output)).put(made, mask)

    return decide
