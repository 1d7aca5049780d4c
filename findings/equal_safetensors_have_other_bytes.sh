#!/usr/bin/env bash
# Good guess: safetensors has one canonical file for equal tensors and equal metadata, as it sorts tensors; so the
#   checksum of a LoRA says whether two trainings gave the same weights.
# What happens: tensors are sorted, the metadata is not: it is written in the random order of a hash table, another one
#   at each call of the same process. With the usual handful of entries (rank, alpha, trainer), equal files have another
#   checksum nearly every time. Without metadata, or with one entry, the bytes are always the same.
# Versions: safetensors 0.8.0. Source: seen by running this; issue 584 of safetensors/safetensors. Way around: compare
#   the tensors (or their checksums) and the metadata, not the files; or keep the metadata in one entry, as JSON.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.2.6
"$folder/venv/bin/python" - <<'PYTHON'
import json
from hashlib import sha256

import numpy as np
from safetensors.numpy import save

tensors = {"up": np.ones((4, 2), np.float32), "down": np.zeros((2, 4), np.float32)}
facts = {name: "1" for name in ("rank", "alpha", "steps", "seed", "method", "trainer", "base", "date")}


def files(metadata):
    return {sha256(save(tensors, metadata=metadata)).hexdigest() for _ in range(20)}


several, one, none = files(facts), files({"facts": json.dumps(facts)}), files(None)
print("different files of 20 equal saves, eight entries of metadata:", len(several))
print("different files of 20 equal saves, the same in one entry:    ", len(one))
print("different files of 20 equal saves, no metadata:              ", len(none))
assert len(several) > 1
assert len(one) == len(none) == 1
PYTHON
