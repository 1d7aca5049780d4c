"""Choose the arms' learning rates, on things outside of the experiment and from photos alone.

Run: python -m tests.miniature.trial --folder miniature_run; it trains the base model if `tests.miniature` did not.

Each thing is learned by itself at each rate; after each number of steps, pictures of it are drawn on grounds that its
training did not show, and scored. docs/miniature.md has the rule of the choice.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from mycanvas.dataset import open_dataset
from mycanvas.dataset.composition import find_composition
from tests.miniature.arms import ArmSpec, Training, arm_prompts, draw_pictures, train_arm
from tests.miniature.experiment import Experiment
from tests.miniature.photos import build_scenes, write_things
from tests.miniature.scoring import pooled, score, write_pictures
from tests.miniature.things import TRIAL

RATES = {"cd": (1e-4, 3e-4, 6e-4, 1e-3, 2e-3), "db-lora": (1e-4, 3e-4, 1e-3, 2e-3, 4e-3)}
STEPS = (100, 200, 400, 600)
NAMES = ("ball1", "car2", "fish1", "star2")


def main() -> None:
    """Print the identity at every rate and number of steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("miniature_run"))
    parser.add_argument("--captions", default="weak", help="of the base model: weak or full")
    given = parser.parse_args()
    torch.set_num_threads(1)
    experiment = Experiment(folder=given.folder)
    experiment.run(["detector", "encoder", "things", f"{given.captions}_base"])
    photos, scenes = given.folder / "trial", given.folder / "trial_scenes"
    if not (photos / "concepts.toml").exists():
        write_things(photos, {name: TRIAL[name] for name in NAMES})
    build_scenes(photos, given.folder / "grounds", scenes, tuple((name,) for name in NAMES), 1)
    for method in RATES:
        for rate in RATES[method]:
            found = [_learned(experiment, given.captions, method, rate, scenes, name) for name in NAMES]
            means = [sum(each) / len(each) for each in zip(*found, strict=True)]
            shown = "  ".join(f"{steps} steps {mean:.3f}" for steps, mean in zip(STEPS, means, strict=True))
            print(f"{method} at {rate:g}: {shown}", flush=True)


def _learned(
    experiment: Experiment, captions: str, method: str, rate: float, scenes: Path, name: str
) -> Sequence[float]:
    """The identity of one thing after each number of STEPS."""
    base, judges = experiment.base(captions), experiment.judges()
    composition, things = find_composition(scenes, name), open_dataset(scenes).mapped()
    folder = experiment.folder / "trials" / f"{captions}-{method}-{rate:g}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    found: list[float] = []
    for before, steps in zip((0, *STEPS), STEPS, strict=False):
        checkpoint = folder / f"{steps}.safetensors"
        if before and not checkpoint.exists():
            shutil.copyfile(folder / f"{before}.safetensors", checkpoint)  # more steps go on from fewer
        training = Training(steps=steps, rates={method: rate})
        spec = ArmSpec(method=method, source="photos")
        arm = train_arm(base, spec, composition, training, checkpoint)
        prompts = arm_prompts(arm, 0, experiment.sizes.seeds)
        write_pictures(folder, prompts, list(draw_pictures(arm.model.base, prompts, experiment.sizes.denoising_steps)))
        found.append(pooled(score(name, folder, things, judges), "identity").mean)
    return found


if __name__ == "__main__":
    main()
