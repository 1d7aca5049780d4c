"""UNO: a JSON list of all pairs, lists for larger batches, and the command that starts its training.

UNO stacks the references of a batch, and resizes its scenes to one size, by their mean ratio of sides. So a batch may
not mix numbers of references or shapes: `pairs.json` is for batches of one; `pairs_2.json` and so on are for larger
ones, or `pairs_2_4x3.json` where scenes have several shapes. Paths are relative to the JSON. UNO reads its DeepSpeed
settings from the working folder, so the command runs there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from mycanvas.export.pairs import Pair, sample_pairs, write_pairs
from mycanvas.export.recipe import write_json, write_script
from mycanvas.export.source import Source

SAMPLES = 4
"""Number of pairs whose scenes UNO generates at each checkpoint."""
LARGEST = 512
"""The resolution that UNO was trained at; its buckets are scaled from it."""
LARGEST_REFERENCE = 320
"""Longest side of references in UNO's own training with several of them."""


def write_uno(source: Source, output: Path) -> None:
    """Write pictures, lists and the command."""
    groups = write_pairs(source, output)
    every = list(chain.from_iterable(groups.values()))
    write_json(output / "pairs.json", list(map(_row, every)))
    for name, pairs in _lists(groups).items():
        write_json(output / f"{name}.json", list(map(_row, pairs)))
    write_json(output / "samples.json", list(map(_row, sample_pairs(every, SAMPLES))))
    command = [
        *("accelerate", "launch", "train.py", "--project_dir", "$HERE/trained"),
        *("--train_data_json", "$HERE/pairs.json", "--batch_size", "1"),
        *("--eval_data_json", "$HERE/samples.json", "--eval_batch_size", "1"),
        *("--resolution", str(LARGEST), "--resolution_ref", str(LARGEST_REFERENCE)),
        *("--learning_rate", "1e-5", "--max_train_steps", "5000", "--checkpointing_steps", "1000"),
        *("--gradient_accumulation_steps", "16", "--seed", "0"),
    ]
    write_script(output, {"UNO": "the folder of UNO; it downloads FLUX.1-dev"}, [["cd", "$UNO"], command])


def _lists(groups: Mapping[int, Sequence[Pair]]) -> dict[str, list[Pair]]:
    """Pairs that a batch can hold, by the name of their list.

    Args:
        groups: pairs by their number of references.
    """
    several = len({_shape(pair) for pairs in groups.values() for pair in pairs}) > 1
    lists: defaultdict[str, list[Pair]] = defaultdict(list)
    for count, pairs in groups.items():
        for pair in pairs:
            lists[f"pairs_{count}_{_shape(pair)}" if several else f"pairs_{count}"].append(pair)
    return lists


def _shape(pair: Pair) -> str:
    """The ratio of a scene's sides: "4x3"."""
    width, height = pair.size
    divisor = math.gcd(width, height)
    return f"{width // divisor}x{height // divisor}"


def _row(pair: Pair) -> dict[str, Any]:
    return {"prompt": pair.caption, "image_tgt_path": pair.image, "image_paths": list(pair.references)}
