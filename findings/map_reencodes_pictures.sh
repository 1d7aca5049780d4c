#!/usr/bin/env bash
# Good guess: `Dataset.map` with a function that returns one new column leaves the other columns' bytes as they are.
# What happens: a picture that the function only looks at (`row["image"].width`) is decoded, kept as a PIL image, and
#   encoded again: a JPEG of quality 95 becomes one of Pillow's default quality, 75, in the "unchanged" column. No
#   warning. Each further `map` that looks at it loses more. A picture that the function does not touch stays as it is.
# Versions: datasets 5.2.0, pillow 12.0.0. Source: seen by running this; `datasets.Image.encode_example` is given the
#   decoded picture. Way around: `map(..., input_columns=[...])` of other columns, or cast to `Image(decode=False)`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pillow==12.0.0
HF_HOME="$folder/home" "$folder/venv/bin/python" - <<'PYTHON'
import io

import datasets
import numpy as np
from PIL import Image

datasets.disable_progress_bars()
pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
buffer = io.BytesIO()
Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
features = datasets.Features({"image": datasets.Image(), "n": datasets.Value("int64")})
rows = datasets.Dataset.from_list([{"image": {"bytes": buffer.getvalue(), "path": None}, "n": 1}], features=features)


def encoded(dataset):
    return dataset.cast_column("image", datasets.Image(decode=False))[0]["image"]["bytes"]


looked = rows.map(lambda row: {"width": row["image"].width})
counted = rows.map(lambda row: {"twice": 2 * row["n"]})
lost = np.abs(np.asarray(rows[0]["image"], float) - np.asarray(looked[0]["image"], float)).mean()
print(f"bytes: {len(encoded(rows))} before, {len(encoded(looked))} after a map that reads the width")
print(f"mean difference of the pixels: {lost:.1f} of 255")
print("a map that does not touch the picture keeps its bytes:", encoded(counted) == encoded(rows))
assert encoded(counted) == encoded(rows)
assert len(encoded(looked)) < len(encoded(rows))
assert lost > 5
PYTHON
