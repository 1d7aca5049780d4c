"""Two looks after the table was seen: at single things, and at differences that the plan does not have.

Run after `python -m tests.miniature`: python -m tests.miniature.after_table --folder miniature_run
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from mycanvas.metrics.protocol import Prompt
from mycanvas.metrics.summary import Arm
from mycanvas.training.data import Arm as TrainedArm
from tests.miniature.arms import arm_prompts
from tests.miniature.experiment import NOT_TRAINED, Experiment, row_name
from tests.miniature.scoring import gain, gain_lines, lines, write_pictures

ROWS = (
    ("weak", "cd + photos"),
    ("weak", "null"),
    ("weak", "strangers"),
    ("weak", "cd + scenes"),
    ("full", "cd + photos"),
    ("full", "cd + scenes"),
)
ROW_PAIRS = ((1, 0), (2, 0), (3, 0), (5, 4))
"""Numbers of rows whose differences are printed."""
SCORES = ("identity", "recall", "ti_clip")
PAIRS = (
    ("full", "cd + photos", NOT_TRAINED),
    ("full", "cd + scenes", NOT_TRAINED),
    ("full", "cd + scenes", "cd + photos"),
    ("full", "ours + scenes", "cd + scenes"),
    ("weak", "cd + photos", NOT_TRAINED),
    ("weak", "cd + scenes", NOT_TRAINED),
    ("weak", "db-lora + photos", "cd + photos"),
)
"""Rows of the table, by captions and arms, whose differences are printed."""
PAIR_SCORES = ("cp_clip", "identity", "ti_clip")


def main() -> None:
    """Draw, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("miniature_run"))
    torch.set_num_threads(1)
    experiment = Experiment(folder=parser.parse_args().folder)
    experiment.check_settings()
    found = [singles(experiment, *row) for row in ROWS]
    of_singles = {
        f"{found[one].name} minus {found[other].name}": [gain(found[one], found[other], name) for name in SCORES]
        for one, other in ROW_PAIRS
    }
    table = {pair: [experiment.arm_scores(pair[0], name, experiment.judges()) for name in pair[1:]] for pair in PAIRS}
    of_table = {
        f"{captions}: {one} minus {other}": [gain(*table[captions, one, other], name) for name in PAIR_SCORES]
        for captions, one, other in PAIRS
    }
    for line in (*lines(found, SCORES), "", *gain_lines(SCORES, of_singles), "", *gain_lines(PAIR_SCORES, of_table)):
        print(line)


def singles(experiment: Experiment, captions: str, name: str) -> Arm:
    """The scores of an arm's pictures of single things. A composition is a thing, so that intervals are over things."""
    own = f"singles-{row_name(captions, name)}"
    prompts, pictures = [], []
    for number in range(len(experiment.sizes.compositions)):
        arm = experiment.trained(captions, name, number)
        asked = list(single_prompts(arm, number, experiment.sizes.seeds))
        pictures += experiment.draw(arm, asked)
        prompts += asked
    write_pictures(experiment.folder / "pictures" / own, prompts, pictures)
    return experiment.score(own, experiment.judges())


def single_prompts(arm: TrainedArm, number: int, seeds: int) -> Iterator[Prompt]:
    """The prompts of each thing of a composition by itself. number: of the composition, for files' names."""
    for concept in arm.composition.concepts:
        alone = replace(arm, composition=replace(arm.composition, name=concept.name, concepts=[concept]))
        for prompt in arm_prompts(alone, number, seeds):
            yield replace(prompt, file=f"{concept.name}-{prompt.file}")


if __name__ == "__main__":
    main()
