"""A language model on this machine: transformers, constrained to the expected JSON by llguidance."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import llguidance.hf
import numpy as np
import torch
from jinja2 import TemplateError
from llguidance import LLMatcher
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LogitsProcessor, LogitsProcessorList

from mycanvas.errors import ModelError
from mycanvas.io.messages import counted
from mycanvas.io.progress import tracked
from mycanvas.models import in_batches, pick_device, pick_dtype
from mycanvas.models.llm.chat import ChatConfig, Reply, Request
from mycanvas.models.loading import LOCAL, check_weights, quiet_transformers
from mycanvas.models.runtime import Runtime

log = logging.getLogger("mycanvas")

MIN_TEMPERATURE = 1e-3
"""A lower temperature is raised to this: it already gives greedy decoding, without dividing by zero."""
TIMED = (16, 8)
"""Tokens of each request that are read, and tokens that are then written, to measure the model's speed."""
SHORTEST = 1e-6
"""Seconds that a measurement takes at least: a clock may not move."""
REPLY = 100
"""Tokens of a typical reply, used only to estimate its time."""


class Local:
    """Answers `batch_size` requests at a time, each with its own random generator.

    The first request loads the model, as all replies may be in the cache, and measures how fast it is.

    Args:
        config: the model, and the size of a batch.
        runtime: device, precision, and where the model is.
        clock: seconds that have passed.
    """

    def __init__(self, config: ChatConfig, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._config, self._dtype = config, runtime.dtype
        self._device = pick_device(runtime.device)
        self._folder = runtime.model(config.model)
        self._model: Any = None
        self._speeds = 0.0, 0.0  # tokens a second that the model reads and writes

    def _load(self) -> None:
        config = self._config
        try:
            with quiet_transformers():
                self._load_files(self._folder, pick_dtype(self._dtype, self._device))
        except (OSError, ValueError, KeyError, ImportError, SafetensorError, torch.cuda.OutOfMemoryError) as error:
            raise ModelError(f"{config.model} cannot be loaded as a language model: {error}") from error
        if self._tokenizer.chat_template is None:
            raise ModelError(f"{config.model} has no chat template; name a model that follows instructions")

    def _load_files(self, folder: Path, dtype: torch.dtype) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **LOCAL)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype=dtype, output_loading_info=True, **LOCAL
        )
        check_weights(self._config.model, loaded["missing_keys"])
        vocabulary_size = model.config.get_text_config().vocab_size
        self._vocabulary = llguidance.hf.from_tokenizer(self._tokenizer, n_vocab=vocabulary_size)
        # `generate` takes what its caller leaves open from here, such as a repetition penalty, which would forbid JSON.
        model.generation_config = GenerationConfig(pad_token_id=self._tokenizer.pad_token_id)
        self._model = model.to(self._device).eval()

    def complete(self, requests: Sequence[Request]) -> Iterator[Reply]:
        """One answer per request, in order.

        Raises:
            ModelError: the model lacks weights, is not a language model, does not fit into memory, or has no usable
                chat template.
        """
        if not requests:
            return
        if self._model is None:
            self._load()
            size = self._config.batch_size
            list(in_batches(requests[:size], size, self._measure))
        self._log_estimate(requests)
        replies = in_batches(requests, self._config.batch_size, self._generate)
        yield from tracked(replies, "asking the language model", len(requests), "reply")

    def _measure(self, requests: Sequence[Request]) -> Sequence[Request]:
        """Measure on the ends of some requests how fast the model reads and writes, before it works for minutes.

        Returns the requests, as `in_batches` expects a result for each.
        """
        read, written = TIMED
        ends = {name: values[:, -read:] for name, values in self._tokenized(requests).items()}
        reading = self._seconds(ends, 1)
        writing = max(self._seconds(ends, 1 + written) - reading, SHORTEST)
        self._speeds = len(requests) * read / max(reading, SHORTEST), len(requests) * written / writing
        log.info("the language model reads %.1f and writes %.1f tokens a second on %s", *self._speeds, self._device)
        return requests

    def _log_estimate(self, requests: Sequence[Request]) -> None:
        tokens = int(self._tokenized(requests)["attention_mask"].sum())
        reads, writes = self._speeds
        log.info(
            "asking the language model for %s: about %.0f s, with requests of %d tokens and replies of %d",
            *(counted(len(requests), "reply"), tokens / reads + len(requests) * REPLY / writes),
            *(tokens // len(requests), REPLY),
        )

    def _seconds(self, inputs: Mapping[str, torch.Tensor], tokens: int) -> float:
        """The time in which the model reads some requests and writes so many tokens for each."""
        begun = self._clock()
        self._model.generate(**inputs, generation_config=GenerationConfig(max_new_tokens=tokens, do_sample=False))
        return self._clock() - begun

    def _tokenized(self, requests: Sequence[Request]) -> Any:
        """The requests as tokens [requests, longest] with their mask, padded on the left."""
        try:
            texts = [
                self._tokenizer.apply_chat_template(request.messages(), add_generation_prompt=True, tokenize=False)
                for request in requests
            ]
        except TemplateError as error:
            raise ModelError(f"the chat template of {self._config.model} cannot be used: {error}") from error
        # The chat template has added the tokens that begin a text.
        return self._tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt").to(self._device)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _generate(self, requests: Sequence[Request]) -> list[Reply]:
        inputs = self._tokenized(requests)
        length = inputs["input_ids"].shape[1]
        sampler = _SchemaSampler(requests, self._vocabulary, self._tokenizer.eos_token_id, length)
        tokens = self._model.generate(
            **inputs,
            generation_config=GenerationConfig(
                max_new_tokens=max(request.max_tokens for request in requests),
                do_sample=False,  # _SchemaSampler draws
                eos_token_id=self._tokenizer.eos_token_id,
                pad_token_id=self._tokenizer.pad_token_id,
            ),
            logits_processor=LogitsProcessorList([sampler]),
        )
        return [Reply(text=text) for text in self._tokenizer.batch_decode(tokens[:, length:], skip_special_tokens=True)]


class _SchemaSampler(LogitsProcessor):  # type: ignore[misc]  # transformers has no types
    """Allows each row only the tokens that its schema permits next, and samples one of them.

    Adding Gumbel noise and taking the largest score is a random draw (Gumbel 1954). Each row has its own generator, so
    its draws do not depend on its neighbours; noise is drawn on the CPU, so that it is the same for every device.
    """

    def __init__(self, requests: Sequence[Request], vocabulary: Any, end: int, start: int) -> None:
        self._matchers = [LLMatcher(vocabulary, _grammar(request)) for request in requests]
        for matcher in self._matchers:
            if matcher.is_error():
                raise ModelError(f"llguidance does not support the schema of a reply: {matcher.get_error()}")
        self._generators = [torch.Generator().manual_seed(request.seed) for request in requests]
        self._temperatures = [max(request.temperature, MIN_TEMPERATURE) for request in requests]
        self._end, self._start = end, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return scores [rows, vocabulary]; the largest of each row is its next token."""
        scores = scores.float()
        for row, (matcher, generator) in enumerate(zip(self._matchers, self._generators, strict=True)):
            if input_ids.shape[1] > self._start and not matcher.is_stopped():
                matcher.consume_token(int(input_ids[row, -1]))
            if matcher.is_stopped():  # the JSON is complete: allow only the end token
                scores[row] = -torch.inf
                scores[row, self._end] = 0
                continue
            bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
            allowed = torch.from_numpy(bits[: scores.shape[1]].astype(np.bool_)).to(scores.device)
            drawn = torch.empty(scores.shape[1]).exponential_(generator=generator)
            noise = drawn.clamp(min=1e-30).log().to(scores.device)
            scores[row] = (scores[row] / self._temperatures[row] - noise).masked_fill(~allowed, -torch.inf)
        return scores


def _grammar(request: Request) -> str:
    grammar: str = LLMatcher.grammar_from_json_schema(
        json.dumps({**request.schema, "x-guidance": {"whitespace_flexible": False}})
    )
    return grammar
