"""Tokenizers of a few words and bytes, built without a download."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers import pre_tokenizers

WORDS = [
    "a",
    "photo",
    "of",
    "the",
    "realistic",
    "in",
    "garden",
    "beach",
    "cat",
    "dog",
    "mug",
    "teapot",
    "ball",
    "box",
    "cone",
    "ring",
]
"""Words that are one token each."""
MORE_WORDS = [
    *WORDS,
    *("and", "an", "can", "candle", "clock", "toy", "car", "duck", "sneaker", "bear", "vase", "wolf", "plushie"),
]
"""The same, with those that prompts of several real objects need to have at most 77 tokens."""

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def clip_tokenizer(length: int = 77, words: Sequence[str] = WORDS) -> Any:
    """CLIP's tokenizer over bytes, with these words as whole tokens, unless the start of another is inside them."""
    from transformers import CLIPTokenizer

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*alphabet, *(f"{letter}</w>" for letter in alphabet)])}
    merges: list[tuple[str, str]] = []
    for word in words:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair[0] + pair[1] not in vocabulary:
                vocabulary[pair[0] + pair[1]] = len(vocabulary)
                merges.append(pair)
            parts = [pair[0] + pair[1], *parts[2:]]
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def byte_tokenizer(extra: Sequence[str] = ()) -> Any:
    """One token a byte, with a chat template: any text at all can be said with it."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    plain = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(alphabet)}, merges=[]))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=1 << 16
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", *extra]})
    tokenizer.chat_template = CHAT
    return tokenizer
