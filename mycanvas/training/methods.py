"""Methods of personalization, as data: which weights learn, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One method. layers: a regular expression of the names of linear layers that learn.

    full: their whole weights learn; else a LoRA. tokens: concepts get new tokens, which learn too; else their names are
    read as ordinary text. base_rate: the learning rate; per_picture: of each picture in a step.
    """

    layers: str
    full: bool = False
    tokens: bool
    base_rate: float
    per_picture: bool = False

    def rate(self, batch_size: int) -> float:
        """The learning rate of a step of so many pictures."""
        return self.base_rate * batch_size if self.per_picture else self.base_rate


CROSS_KV, ATTENTION = r".*\.attn2\.(to_k|to_v)", r".*\.attn\d\.(to_q|to_k|to_v|to_out\.0)"

METHODS: Mapping[str, Method] = {
    "cd": Method(layers=CROSS_KV, full=True, tokens=True, base_rate=1e-5, per_picture=True),
    "cd-lora": Method(layers=CROSS_KV, tokens=True, base_rate=1e-4),
    "db-lora": Method(layers=ATTENTION, tokens=False, base_rate=1e-4),
}
"""Custom Diffusion (arXiv 2212.04488) with its published rate, the same as LoRA, DreamBooth (2208.12242) as LoRA."""
