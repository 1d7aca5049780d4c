"""Rows of a dataset -> one batch of tensors, for a `torch.utils.data.DataLoader`.

Scenes differ in their number of objects, which PyTorch's own collate function cannot stack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from mycanvas.errors import InputError, MissingExtra

NULLABLE = frozenset({"rank", "height_cm", "quality"})
"""Columns of numbers or null."""
RAGGED = frozenset({"boxes"})
"""Columns whose rows differ in length; never stacked, not even if the rows of one batch happen to agree."""


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Collate rows, plain or of `with_format("torch")`, as `DataLoader(…, collate_fn=collate)`.

    - A picture is a uint8 tensor [channels, height, width]: 3 channels for an RGB image, 1 for a mask.
    - Numbers, pictures, arrays and tensors are stacked if those of the batch have one shape, and else stay a list.
    - `boxes` is a list of float32 [objects, 4]; text and lists of text stay lists; each has one entry per row.
    - A struct (`scores`) is collated field by field. A null in it, in `rank`, `height_cm` or `quality` is NaN.

    Raises:
        InputError: the rows are not those of a dataset, or differ in their columns.
        MissingExtra: torch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as missing:
        raise MissingExtra("torch", extra="models") from missing
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        given = type(rows[0]).__name__ if rows else "no rows"
        raise InputError(f"collate expects a list of rows, got {given}; use it as DataLoader(…, collate_fn=collate)")
    names = list(rows[0])
    for row in rows:
        if set(row) != set(names):
            differing = ", ".join(sorted(set(row) ^ set(names)))
            raise InputError(f"the rows of a batch must have the same columns, but only some have {differing}")
    return {name: _column(name, [row[name] for row in rows], nullable=name in NULLABLE) for name in names}


def _column(name: str, values: list[Any], *, nullable: bool) -> Any:
    """The values of one column: a tensor, a dict for a struct, or a list."""
    import torch

    if all(isinstance(value, Mapping) for value in values) and not _is_encoded(values[0]):
        return {field: _column(field, [value[field] for value in values], nullable=True) for field in values[0]}
    if nullable and all(value is None or _is_number(value) for value in values):
        return torch.tensor([float("nan") if value is None else float(value) for value in values])
    values = [_tensor(value) for value in values]
    alike = all(isinstance(value, torch.Tensor) for value in values)
    if alike and name not in RAGGED and len({(value.shape, value.dtype) for value in values}) == 1:
        return torch.stack(values)
    return values


def _tensor(value: Any) -> Any:
    """A picture, array, number or list of numbers as a tensor; anything else as it is."""
    import torch

    if isinstance(value, Image.Image):
        pixels = np.array(value)
        return torch.from_numpy(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1).copy())
    if isinstance(value, bool | int | float):
        return torch.tensor(value)
    if isinstance(value, list) and not _holds_numbers(value):
        return value
    if isinstance(value, np.ndarray | np.generic | list):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            return array.tolist()
        return torch.from_numpy(array.astype(np.float32) if array.dtype == np.float64 else array)
    return value


def _holds_numbers(values: list[Any]) -> bool:
    """Whether a list is of numbers, or of lists of numbers of one length."""
    if values and all(isinstance(value, list) for value in values):
        return len({len(value) for value in values}) == 1 and all(map(_holds_numbers, values))
    return bool(values) and all(isinstance(value, bool | int | float) for value in values)


def _is_number(value: Any) -> bool:
    import torch

    return isinstance(value, bool | int | float | np.number) or (isinstance(value, torch.Tensor) and value.ndim == 0)


def _is_encoded(value: Mapping[str, Any]) -> bool:
    """Whether it is the encoded picture of a column cast to `Image(decode=False)`."""
    return set(value) == {"bytes", "path"}
