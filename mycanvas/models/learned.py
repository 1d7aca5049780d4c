"""Weights that learn, in models whose own weights are frozen: LoRA of a denoiser, and embeddings of new tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mycanvas.errors import ConfigError

ADAPTER = "default"
"""The name that diffusers and peft give to the first adapter."""


def add_lora(denoiser: Any, layers: str, rank: int | None, seed: int) -> dict[str, Any]:
    """Add LoRA to linear layers of a denoiser, whose own weights are frozen.

    Without a rank, whole weights learn: of a weight W [out, in], one half of the pair is the identity and stays so, and
    the other half is the change of W, exactly. So both kinds share one code, and one format of files.

    Args:
        denoiser: of diffusers.
        layers: a regular expression of the layers' names.
        rank: of each pair, with alpha equal to it; None: whole weights learn.
        seed: of the first values.

    Returns:
        The weights that learn (torch.nn.Parameter, float32) by name.
    """
    import torch
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    denoiser.requires_grad_(False)
    found = {name: layer for name, layer in denoiser.named_modules() if re.fullmatch(layers, name)}
    ranks = {name: min(layer.weight.shape) for name, layer in found.items()} if rank is None else {}
    options = {"target_modules": layers, "rank_pattern": ranks, "alpha_pattern": ranks}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser.add_adapter(LoraConfig(r=rank or 1, lora_alpha=rank or 1, **options))
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
