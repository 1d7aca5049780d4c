"""Cost of training beside the work that it cannot avoid: decoding, the model's own step, memory.

Run: python -m tests.benchmarks.bench_training [--size 1024] [--rounds 40] [--steps 200] [--resolution 1024]

Loader: the pictures of steps that do nothing else, at 512 px of scenes of 1024 px, beside only decoding them to arrays
of that size, and beside decoding them whole and scaling them down. Step: a training step of tiny Stable Diffusion whose
latents and texts are cached, beside forward, loss, backward and optimizer on tensors that are ready. Memory: what each
scene adds to a process that holds a composition, beside keeping each picture and its tensor, as diffusers'
train_dreambooth_lora_sdxl.py does, each in a process of its own. All sides take turns, and the median of their ratios
counts, because other work on the machine slows all of them. Steps of full size on a GPU are not measured.
"""

from __future__ import annotations

import argparse
import copy
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image, ImageOps

from mycanvas.dataset import Concept, open_dataset
from mycanvas.dataset.composition import Composition, digest_of
from mycanvas.models.cache import Cache
from mycanvas.models.learned import add_lora
from mycanvas.models.trainable import StableDiffusion, load_model
from mycanvas.training.data import Arm, Draw, TrainingData
from mycanvas.training.loop import Loop, fit
from mycanvas.training.methods import METHODS
from mycanvas.training.settings import Settings
from tests.benchmarks.bench_export import write_dataset
from tests.tiny_models.text_to_image import sd15_images
from tests.tiny_models.tokenizers import clip_tokenizer

NAME = "cat2+dog6"
"""The composition of the shards."""
SCENES = 24
LOADED = 512
"""Pixels along the side of loaded pictures."""
CELL, CHANNELS = 8, 4
"""Of latents of Stable Diffusion."""
BATCH = 8
COUNTS = (100, 200, 400)
"""Scenes of a composition."""
WARM_UP = 20
"""Steps that are not measured: the first fill the caches."""


def main() -> None:
    """Measures, and prints one line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="pixels of a side of scenes")
    parser.add_argument("--rounds", type=int, default=40, help="of the loader")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--resolution", type=int, default=1024, help="at which memory is measured")
    parser.add_argument("--memory-of", nargs=2, metavar=("WAY", "DIR"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        print(*memory_of(given.memory_of[0], Path(given.memory_of[1]), given.resolution))
        return
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f"{'':40}{'mycanvas':>10}{'beside it':>11}{'ratio':>8}  goal")
    with tempfile.TemporaryDirectory() as folder:
        scenes = composition(write_dataset(Path(folder) / "scenes", SCENES, given.size))
        report_loader(scenes, given.rounds)
        report_step(scenes, sd15_images(Path(folder) / "tiny"), given.steps)
    report_memory(given.size, given.resolution)


def report_loader(scenes: Composition, rounds: int) -> None:
    """Pictures a second, of which each is loaded once in a round."""
    pictures = [(scene.image, scene.mask) for scene in scenes.scenes]

    def decoded(side: int | None, *, masks: bool) -> None:
        for image, mask in pictures:
            picture: Image.Image = Image.open(io.BytesIO(image))
            if side:
                picture.draft(None, (side, side))
            np.asarray(picture if side else picture.resize((LOADED, LOADED), Image.Resampling.LANCZOS))
            if masks:
                np.asarray(Image.open(io.BytesIO(mask)))

    for weight, what in ((1.0, "images"), (0.3, "images and masks")):
        loaded = arm(scenes, LOADED, background_weight=weight)
        data = TrainingData(loaded, ())
        ways: list[Callable[[], object]] = [
            lambda loaded=loaded, data=data: load_all(loaded, data),  # type: ignore[misc]
            lambda masks=weight < 1: decoded(LOADED, masks=masks),  # type: ignore[misc]
            lambda masks=weight < 1: decoded(None, masks=masks),  # type: ignore[misc]
        ]
        taken = np.array([[timed(way) for way in ways] for _ in range(rounds)])
        mine, floor, whole = (len(pictures) / seconds for seconds in np.median(taken, axis=0))
        line(f"{what} a second, decoding", mine, floor, ">= 0.9", np.median(taken[:, 1] / taken[:, 0]))
        line("   decoding whole, scaling down", mine, whole, ">= 1.5", np.median(taken[:, 2] / taken[:, 0]))


def load_all(loaded: Arm, data: TrainingData) -> Cache:
    """Load the pictures of steps until each has been drawn, as training does where no model takes time."""
    cache, seen, step = Cache(loaded.model, ()), set(), 0
    while len(seen) < len(loaded.composition.scenes):
        for draw in data.draws(0, step, BATCH):
            cache.latents(draw.example.show)
            seen.add(draw.example)
        step += 1
    return cache


def report_step(scenes: Composition, folder: Path, steps: int) -> None:
    """Milliseconds of a step."""
    model = load_model(folder, "tiny")
    model.place(torch.device("cpu"), torch.float32, False)
    learner = Learner(model, scenes)
    bare = Bare(learner)
    report_turns("step of tiny Stable Diffusion, ms", learner, bare.step, steps, "<= 1.05")
    if not torch.cuda.is_available():
        print("step of Stable Diffusion 1.5 on a GPU      not measured: there is none")


class Learner:
    """A model with LoRA on all its attention, which learns scenes; its texts do not change."""

    def __init__(self, model: StableDiffusion, scenes: Composition) -> None:
        method = METHODS["db-lora"]
        self.settings = Settings(composition=NAME, model="m", method="db-lora", source="scenes", checkpoint_every=10**9)
        self.data = TrainingData(Arm(scenes, self.settings, model.resolution, model), ())
        self.cache = Cache(model, ())
        self.weights = add_lora(model.denoiser, method.layers, 4, 0)

    def draws(self, step: int) -> list[Draw]:
        """The pictures of a step."""
        return self.data.draws(0, step, BATCH)

    def learn(self, steps: int, draws: Callable[[int], list[Draw]]) -> None:
        """Train. draws: begins each step."""
        unused: Any = None
        fit(
            self.cache,
            self.weights,
            Loop(
                draws=draws,
                settings=self.settings,
                steps=steps,
                rate=1e-4,
                processes=Accelerator(cpu=self.cache.model.device.type == "cpu"),
                checkpoint=Path("none"),
                sample=unused,
            ),
        )


class Bare:
    """Steps of a copy of a learner's model on tensors that are ready."""

    def __init__(self, learner: Learner) -> None:
        model = learner.cache.model
        self.denoiser = copy.deepcopy(model.denoiser)
        self.optimizer = torch.optim.AdamW([each for each in self.denoiser.parameters() if each.requires_grad], lr=1e-4)
        draws = learner.draws(0)
        self.latents = torch.stack([learner.cache.latents(draw.example.show)[0] for draw in draws])
        self.times = torch.tensor([int(draw.time * 1000) for draw in draws])
        self.target = torch.randn_like(self.latents)
        self.text = learner.cache.conditions([draw.example.prompt for draw in draws])

    def step(self) -> None:
        """Forward, loss, backward, optimizer."""
        loss = (self.denoiser(self.latents, self.times, **self.text).sample - self.target).square().mean()
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def report_turns(what: str, learner: Learner, other: Callable[[], None], steps: int, goal: str) -> None:
    """A step of training and one beside it, in turns: the latter where a step of training begins."""
    began: list[float] = []
    taken: list[float] = []

    def draws(step: int) -> list[Draw]:
        ended = time.process_time()
        if step:
            mine.append(ended - began[-1])
        taken.append(timed(other))
        began.append(time.process_time())
        return learner.draws(step)

    mine: list[float] = []
    learner.learn(WARM_UP + steps + 1, draws)
    pairs = list(zip(mine, taken, strict=False))[WARM_UP:]
    first, second = (1000 * statistics.median(each) for each in zip(*pairs, strict=True))
    line(what, first, second, goal, statistics.median(one / other for one, other in pairs))


def report_memory(size: int, resolution: int) -> None:
    """MB that each scene adds: the slope of the line through all counts."""
    peaks: dict[str, list[list[float]]] = {"mycanvas": [], "decoded": []}
    command = [sys.executable, "-m", __spec__.name, "--resolution", str(resolution), "--memory-of"]
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            scenes = write_dataset(Path(folder) / "scenes", count, size)
            for way, found in peaks.items():
                done = subprocess.run([*command, way, str(scenes)], capture_output=True, text=True, check=True)
                found.append([float(number) / 1e6 for number in done.stdout.split()])
    for index, what in enumerate(("peak of all memory, MB", "without views of files, MB")):
        mine, other = (np.array(peaks[way])[:, index] for way in peaks)
        for count, one, two in zip(COUNTS, mine, other, strict=True):
            line(f"{what}, {count} scenes", one, two, "", one / two)
        slopes = [float(np.polyfit(COUNTS, each, 1)[0]) for each in (mine, other)]
        line("   each scene adds", *slopes, "<= 0.05", slopes[0] / slopes[1])


def memory_of(way: str, folder: Path, resolution: int) -> tuple[int, int]:
    """Bytes of this process at most after all scenes of a folder were seen once, and those that are no file's now."""
    kept = hold(folder, resolution) if way == "mycanvas" else keep_decoded(folder, resolution)
    fields = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    assert kept
    return int(fields["VmHWM"].split()[0]) * 1024, int(fields["RssAnon"].split()[0]) * 1024


def hold(folder: Path, resolution: int) -> object:
    """All that a training keeps of its scenes."""
    scenes = composition(folder)
    loaded = arm(scenes, resolution)
    digest_of(scenes, ())
    return load_all(loaded, TrainingData(loaded, ()))


def keep_decoded(folder: Path, resolution: int) -> object:
    """All pictures decoded, and their tensors, as the script has them in lists."""
    import datasets

    import mycanvas  # noqa: F401  # registers the loader

    datasets.disable_progress_bars()
    pictures, tensors = [], []
    with tempfile.TemporaryDirectory() as cache:
        rows = datasets.load_dataset("mycanvas", "all", data_dir=str(folder), cache_dir=cache)["train"]
        for row in rows:
            pictures.append(row["image"])
            picture = ImageOps.exif_transpose(row["image"]).resize((resolution, resolution), Image.Resampling.BILINEAR)
            values = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
            tensors.append(values.clone().sub_(0.5).div_(0.5))  # as torchvision's ToTensor and Normalize
    return pictures, tensors


def composition(folder: Path) -> Composition:
    """The scenes of a folder of shards."""
    concepts = [Concept(name=name, token=f"<{name}>", class_name=name[:-1]) for name in NAME.split("+")]
    return Composition(name=NAME, concepts=concepts, scenes=list(open_dataset(folder).mapped().scenes()))


def arm(scenes: Composition, resolution: int, **options: float) -> Arm:
    """Scenes to learn by a model that takes no time."""
    latents = torch.ones(1, CHANNELS, resolution // CELL, resolution // CELL)
    model: Any = SimpleNamespace(
        multiple=64,
        encoders=(("", ""),),
        text=lambda _: (clip_tokenizer(), None),
        to_latents=lambda _: latents.clone(),
    )
    settings = Settings(composition=NAME, model="m", source="scenes", **options)  # type: ignore[arg-type]
    return Arm(scenes, settings, resolution, model)


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time, which other work on the machine changes little."""
    start = time.process_time()
    work()
    return time.process_time() - start


def line(what: str, mine: float, other: float, goal: str, ratio: float) -> None:
    """One row of the table."""
    print(f"{what:40}{mine:10.2f}{other:11.2f}{ratio:8.3f}  {goal}", flush=True)


if __name__ == "__main__":
    main()
