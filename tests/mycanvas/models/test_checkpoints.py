"""Checkpoints of a training."""

from __future__ import annotations

from pathlib import Path

import torch

from mycanvas.models.checkpoints import read_checkpoint, steps_made, write_checkpoint


def test_steps_of_a_checkpoint_are_known_without_its_weights(tmp_path: Path) -> None:
    weights = {"a": torch.nn.Parameter(torch.ones(2))}
    optimizer = torch.optim.AdamW(weights.values())
    weights["a"].sum().backward()
    optimizer.step()
    write_checkpoint(tmp_path / "good", weights, optimizer, 7)
    (tmp_path / "bad").write_bytes((tmp_path / "good").read_bytes()[:20])

    assert steps_made(tmp_path / "good") == read_checkpoint(tmp_path / "good", weights, optimizer) == 7
    assert steps_made(tmp_path / "bad") == steps_made(tmp_path / "none") == 0
