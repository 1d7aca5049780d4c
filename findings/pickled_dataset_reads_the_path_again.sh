#!/usr/bin/env bash
# Good guess: a copy of a loaded dataset in another process (a pickle, a DataLoader's worker that was spawned, a process
#   of `map(num_proc=2)`) has the rows of the dataset that was copied, or fails.
# What happens: the pickle of a memory-mapped dataset holds the path of its Arrow file, neither its size nor its time.
#   If a program has since replaced that file in the careful way, by a rename, the first process keeps the old rows,
#   and every copy silently reads the new ones; the numbers of rows may differ as well.
# Versions: datasets 5.2.0, pyarrow 26.0.1. Source: seen by running this; the state of `datasets.table.MemoryMappedTable`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1
HF_HOME="$folder/home" "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os
import pickle
import sys
from pathlib import Path

import datasets

datasets.disable_progress_bars()
folder = Path(sys.argv[1])
datasets.Dataset.from_dict({"label": ["old"] * 4}).save_to_disk(folder / "rows")
datasets.Dataset.from_dict({"label": ["new"] * 2}).save_to_disk(folder / "later")
held = datasets.load_from_disk(folder / "rows")
before = pickle.dumps(held)
arrow = "data-00000-of-00001.arrow"
os.replace(folder / "later" / arrow, folder / "rows" / arrow)

found = {
    "held": held["label"][:],
    "copied before, opened after": pickle.loads(before)["label"][:],
    "copied after": pickle.loads(pickle.dumps(held))["label"][:],
}
for name, labels in found.items():
    print(f"{name}: {labels}")
assert found["held"] == ["old"] * 4
assert found["copied before, opened after"] == found["copied after"] == ["new"] * 2
PYTHON
