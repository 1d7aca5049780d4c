"""The chain of steps at a tiny size: it runs, resumes after a kill, and refuses a measure that tells nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.miniature.base import pretrain
from tests.miniature.experiment import Experiment, Sizes
from tests.miniature.loop import Schedule, fit
from tests.miniature.scoring import is_apart, pooled

FEW = Schedule(steps=2, lr=1e-3, save=1, batch=4)
TINY = Sizes(
    shared=FEW,
    branch=replace(FEW, steps=3, decay=2),
    detector=FEW,
    encoder=FEW,
    compositions=(("ball1", "mug1"), ("boat1", "car1", "fish2", "star2")),
    scenes=2,
    strangers=2,
    per_class=1,
)


def quadratic(module: torch.nn.Linear, step: int) -> torch.Tensor:
    return (module(torch.full((1, 2), float(step))) - 1).square().sum()


@pytest.mark.parametrize("killed_at", [2, 3])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path: Path, killed_at: int) -> None:
    def trained(name: str, steps: int) -> torch.Tensor:
        torch.manual_seed(0)
        module = torch.nn.Linear(2, 1)
        schedule = Schedule(steps=6, lr=0.1, warmup=2, save=2)

        def loss_at(step: int) -> torch.Tensor:
            if step == steps:
                raise KeyboardInterrupt
            return quadratic(module, step)

        fit(module, loss_at, schedule, tmp_path / name, report=lambda _: None)
        return module.weight.detach()

    whole = trained("whole", 6)
    with pytest.raises(KeyboardInterrupt):
        trained("killed", killed_at)

    assert torch.equal(trained("killed", 6), whole)


def test_the_base_model_learns_and_branches_go_on_from_the_shared_part(tmp_path: Path) -> None:
    lines: list[str] = []
    schedule = Schedule(steps=12, lr=2e-3, warmup=2, decay=None, save=4, batch=4)
    pretrain("none", schedule, tmp_path / "none.safetensors", report=lines.append)
    base = pretrain(
        "weak", replace(schedule, steps=13), tmp_path / "weak.safetensors", tmp_path / "none.safetensors", lines.append
    )
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in lines]

    assert losses[2] < losses[0]
    assert lines[-1].startswith("weak: step 13,")
    assert base.generate(["a mug", "a ball"], [0, 1], steps=2).shape == (2, 48, 48, 3)


def test_the_whole_chain_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYCANVAS_CACHE", "off")
    monkeypatch.setenv("MYCANVAS_REVIEWS", "off")
    lines: list[str] = []
    experiment = Experiment(folder=tmp_path, sizes=TINY, report=lines.append)
    experiment.things()
    experiment.scenes()
    judges = experiment.judges()
    floor, ceiling = experiment.floor_and_ceiling(judges)

    assert not is_apart(ceiling, floor)
    assert pooled(ceiling, "cp_clip").count == 4
    assert experiment.recognised(experiment.base("none"), judges).keys() >= {"mug", "ball"}

    lines.clear()
    experiment.things()
    experiment.judges()
    assert not [line for line in lines if "step" in line]
