"""Methods of personalization: which weights learn. All of them are stored as LoRA, and as embeddings of new tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mycanvas.errors import ConfigError

ADAPTER = "default"
"""The name that diffusers and peft give to the first adapter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One method. layers: a regular expression of the names of linear layers that learn.

    full: their whole weights learn; else a LoRA. tokens: concepts get new tokens, which learn too; else their names are
    read as ordinary text. rate: the learning rate for a number of pictures in a step.
    prior: class pictures are learned beside the others, so that the class does not become the concept.
    """

    layers: str
    full: bool = False
    tokens: bool
    prior: bool = True
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


def adapt(denoiser: Any, method: Method, rank: int, seed: int) -> dict[str, Any]:
    """Add the method's adapters to a denoiser, whose own weights are frozen.

    Of a full weight W [out, in], one half of the pair is the identity and stays so: the other half is the change of W,
    exactly. So all methods share one code, and one format of files.

    Returns:
        The weights that learn (torch.nn.Parameter, float32) by name.
    """
    import torch
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    denoiser.requires_grad_(False)
    layers = {name: layer for name, layer in denoiser.named_modules() if re.fullmatch(method.layers, name)}
    ranks = {name: min(layer.weight.shape) for name, layer in layers.items()} if method.full else {}
    options = {"target_modules": method.layers, "rank_pattern": ranks, "alpha_pattern": ranks}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser.add_adapter(LoraConfig(r=rank, lora_alpha=rank, **options))
    cast_training_params(denoiser)
    for name in ranks:
        pair = denoiser.get_submodule(name)
        outputs, inputs = pair.weight.shape
        learns, stays = (pair.lora_A, pair.lora_B) if outputs <= inputs else (pair.lora_B, pair.lora_A)
        torch.nn.init.zeros_(learns[ADAPTER].weight)
        torch.nn.init.eye_(stays[ADAPTER].weight.requires_grad_(False))
    return {name: weight for name, weight in denoiser.named_parameters() if weight.requires_grad}


def add_tokens(tokenizer: Any, encoder: Any, words: Mapping[str, Sequence[str]]) -> Any:
    """Add tokens to a tokenizer and its text encoder, whose own weights are frozen.

    Args:
        tokenizer: of transformers.
        encoder: of transformers.
        words: of each token: its embedding begins as the mean of theirs.

    Returns:
        The embeddings that learn (torch.nn.Parameter, float32 [tokens, D]), in the order of `words`.

    Raises:
        ConfigError: the tokenizer has such a token already.
    """
    import torch
    from peft import TrainableTokensConfig, inject_adapter_in_model

    vocabulary = {word.lower() for word in tokenizer.get_vocab()}  # it lower-cases all text
    if known := [token for token in words if token.lower() in vocabulary]:
        raise ConfigError(
            f"the token {known[0]} is in the model's tokenizer already; give the concept another token in "
            "concepts.toml and build again, or train the original model"
        )
    pieces = [tokenizer(" ".join(each), add_special_tokens=False).input_ids for each in words.values()]
    tokenizer.add_tokens(list(words))
    ids = tokenizer.convert_tokens_to_ids(list(words))
    encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    rows = encoder.get_input_embeddings().weight.data
    rows[ids] = torch.stack([rows[each].mean(dim=0) for each in pieces])
    encoder.requires_grad_(False)
    inject_adapter_in_model(TrainableTokensConfig(token_indices=ids, target_modules=["token_embedding"]), encoder)
    learned = encoder.get_input_embeddings().trainable_tokens_delta[ADAPTER]
    learned.data = learned.data.float()
    return learned
