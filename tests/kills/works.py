"""The commands that are killed, and the photos that they read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import draw_shape, draw_yard

SIDE = 160
SETTINGS = {
    "build": "shard_size = 4\n",
    "keep": "shard_size = 4\n[select]\nmax_overlap = 0.1\nmin_visible = 0.9\nmax_border = 0.1\nattempts = 2\n",
    "shards": "shard_size = 2\n",
}
"""The content of each build.toml: of most builds, of one that draws scenes again and plans more, of many shards."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A command of mycanvas that writes to a folder.

    words: of the command; OUTPUT stands for the folder or the URL. begins_with: the work that has made the folder.
    plans: whether it is a build.
    """

    name: str
    words: tuple[str, ...]
    begins_with: str | None = None
    plans: bool = True

    @property
    def alone(self) -> tuple[str, ...]:
        """The option of one worker, where the command has it."""
        return ("--workers", "1") if self.plans else ()


OUTPUT = "OUTPUT"


def draw_inputs(folder: Path) -> None:
    """Draw the photos of all works: five concepts, one of which has to be cut out; more of them; a background."""
    few, more, grounds = folder / "few", folder / "more", folder / "grounds"
    for index, name in enumerate(("ball", "box", "cone", "ring", "slab")):
        (few / name).mkdir(parents=True)
        for view in range(2):
            draw_shape(few / name / f"{view}.png", index, view)
    opaque = few / "slab" / "0.png"
    with Image.open(opaque) as shape:
        wall = Image.new("RGBA", shape.size, (214, 210, 200, 255))
        wall.alpha_composite(shape.copy())
    noise = np.random.default_rng(0).normal(0, 2, (*wall.size, 3))
    Image.fromarray(np.clip(np.asarray(wall)[..., :3] + noise, 0, 255).astype(np.uint8)).save(opaque)
    shutil.copytree(few, more)
    draw_shape(more / "ball" / "new.png", 0, 7)
    (more / "disc").mkdir()
    draw_shape(more / "disc" / "0.png", 3, 3)
    grounds.mkdir()
    draw_yard(grounds / "yard")
    for name, text in SETTINGS.items():
        (folder / f"{name}.toml").write_text(text)


def works(folder: Path) -> dict[str, Work]:
    """All works, by name; folder: of the photos."""

    def build(samples: int, *more: str, photos: str = "few", settings: str = "build") -> tuple[str, ...]:
        words = ["build", folder / f"{settings}.toml", "--concepts", folder / photos, "--samples", samples]
        return tuple(map(str, [*words, "--resolution", SIDE, "--output", OUTPUT, *more]))

    grounds = ("--backgrounds", str(folder / "grounds"))
    select = ("select", OUTPUT, "--per-composition", "1")
    every = (
        Work(name="build", words=build(16)),
        Work(name="other seed", words=build(16, "--seed", "1")),
        Work(name="small build", words=build(8, *grounds)),
        Work(name="growing", words=build(20, *grounds, photos="more"), begins_with="small build"),
        Work(name="keep", words=build(8, "--keep", "8", *grounds, settings="keep")),
        Work(name="select", words=select, begins_with="small build", plans=False),
        Work(name="clean", words=("clean", OUTPUT, "--yes"), begins_with="select", plans=False),
        Work(name="many shards", words=build(40, *grounds, settings="shards")),
    )
    return {work.name: work for work in every}
