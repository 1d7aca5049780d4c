"""Generate pictures: from names of models, files and settings to a folder that `mycanvas evaluate` reads."""

from __future__ import annotations

import logging
import math
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mycanvas.dataset import Dataset
from mycanvas.errors import ConfigError, InputError
from mycanvas.generation.plan import MAX_PICTURES, Request, from_dataset, from_file
from mycanvas.generation.record import LOCK, RECORD, plan_record, write_manifest, write_record
from mycanvas.io.files import UNFINISHED, os_errors, sha256_of, write_bytes
from mycanvas.io.images import encode_png
from mycanvas.io.messages import counted
from mycanvas.io.ownership import check_ownership, locked_folder
from mycanvas.io.progress import Progress
from mycanvas.metrics.manifest import MANIFEST
from mycanvas.metrics.protocol import PER_COMPOSITION
from mycanvas.models import Snapshot, in_batches, pick_device, pick_dtype, split_name
from mycanvas.models.adapters import Adapters, find_adapters
from mycanvas.models.pipelines import has_safety_checker
from mycanvas.models.required import fetch_options
from mycanvas.models.text_to_image import (
    LOWER,
    Sampling,
    TextToImage,
    load_text_to_image,
    sampling_of,
    tokenizers_of,
)
from mycanvas.prompts import PROMPTINGS, CountTokens, token_counter

BATCH_SIZE = 4
TOKEN, SHOWN = re.compile(r"<[^<>\s]+>"), 4
"""Tokens in prompts, and how many of them a warning lists."""
BLACK = 2
"""A picture with no higher value counts as black: a safety checker made it."""

DEFAULT = Sampling()

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """The result of `generate`. pictures: in the folder, of this command; new: those that this run made."""

    folder: Path
    pictures: int
    new: int
    black: int
    dataset: str | None

    def lines(self) -> list[str]:
        """Lines for a terminal."""
        dataset = self.dataset or "DATASET"
        evaluate = f"mycanvas evaluate {shlex.quote(str(self.folder))} --dataset {shlex.quote(dataset)}"
        return [f"{counted(self.pictures, 'picture')} in {self.folder}, {self.new} new; score them: {evaluate}"]

    def as_json(self) -> dict[str, Any]:
        """The same facts, as JSON types."""
        return {"folder": str(self.folder), "pictures": self.pictures, "new": self.new, "black": self.black}


def generate(
    model: str,
    output: Path,
    *,
    dataset: Dataset | None = None,
    prompts: Path | None = None,
    compositions: Sequence[str] = (),
    loras: Sequence[str] = (),
    embeddings: Sequence[Path] = (),
    prompting: str | None = None,
    pictures: int | None = None,
    sampling: Sampling = DEFAULT,
    batch_size: int = BATCH_SIZE,
    device: str = "auto",
    dtype: str = "auto",
    offload: bool = False,
    safety_checker: bool = True,
    load: Callable[..., TextToImage] = load_text_to_image,
) -> Generated:
    """Generate pictures into a folder; those that an earlier run made there are kept.

    Args:
        model: a text-to-image pipeline of diffusers, on the Hub or in a folder.
        output: the folder.
        dataset: its compositions get prompts; either this or `prompts` is given.
        prompts: JSON Lines, used as they are.
        compositions: of the dataset; empty: all.
        loras: see `mycanvas.models.adapters.find_adapters`.
        embeddings: likewise.
        prompting: a key of PROMPTINGS, for the dataset's prompts; None: "plain".
        pictures: of each prompt, at most MAX_PICTURES; None: 6 for a dataset's, 1 for a file's.
        sampling: steps, guidance and resolution.
        batch_size: pictures in one call of the model; halved when memory is full.
        device: see `mycanvas.models.pick_device`.
        dtype: see `mycanvas.models.pick_dtype`.
        offload: keep parts of the model in main memory while another runs.
        safety_checker: with the model's own, if it has one: it makes pictures black.
        load: loads the model.

    Raises:
        ConfigError: the arguments contradict each other.
        InputError: prompts, dataset or adapters cannot be used.
        ModelError: a model is not available, of the wrong kind or too large, or an adapter is of another model.
        StoreError: the folder cannot be written, is in use, or has files of something else or
            pictures that were made with other settings.
    """
    _check_arguments(dataset, prompts, compositions, prompting)
    _check_numbers(pictures, sampling)
    with os_errors(output, "read"):
        listed = (output / MANIFEST).is_file()  # by another tool, or by `mycanvas prompts`
    if not listed:
        check_ownership(output, RECORD, lambda name: name == LOCK or name.endswith(UNFINISHED))
    adapters = find_adapters(loras, embeddings)
    snapshot = fetch_options({"model": model}, "diffusers")["model"]
    settings = _settings(model, snapshot, adapters, sampling, pick_dtype(dtype, pick_device(device)))
    if not safety_checker and has_safety_checker(snapshot.path):
        settings["safety_checker"] = False
    count = _counter(snapshot.path, adapters)
    if dataset is not None:
        strategy = PROMPTINGS[prompting or "plain"]
        requests = from_dataset(dataset, compositions, strategy, pictures or PER_COMPOSITION, count)
    else:
        assert prompts is not None  # noqa: S101 - `_check_arguments` has checked it
        requests = from_file(prompts, pictures or 1, count)
    _warn_of_tokens(requests, adapters)
    black = 0
    with locked_folder(output, LOCK):
        record, remaining = plan_record(output, requests, settings)
        if remaining:
            options = {"device": device, "dtype": dtype, "offload": offload, "safety_checker": safety_checker}
            loaded = load(snapshot.path, adapters, sampling, **options)
            write_record(output, record)
            black = _generate(loaded, remaining, output, batch_size, len(requests))
        write_manifest(output, record)
    name = None if dataset is None else dataset.place
    return Generated(folder=output, pictures=len(requests), new=len(remaining), black=black, dataset=name)


def _check_arguments(
    dataset: Dataset | None, prompts: Path | None, compositions: Sequence[str], prompting: str | None
) -> None:
    if (dataset is None) == (prompts is None):
        raise ConfigError("expected either --dataset DIR, whose compositions get prompts, or --prompts FILE")
    if prompts is not None and compositions:
        raise ConfigError("--composition applies to --dataset; all lines of --prompts are used")
    if prompts is not None and prompting is not None:
        raise ConfigError("--prompting applies to --dataset; the lines of --prompts are used as they are")


def _check_numbers(pictures: int | None, sampling: Sampling) -> None:
    if pictures is not None and not 1 <= pictures <= MAX_PICTURES:
        raise ConfigError(f"--seeds must be 1 to {MAX_PICTURES} pictures of each prompt, got {pictures}")
    if sampling.guidance is not None and not math.isfinite(sampling.guidance):
        raise ConfigError(f"--guidance must be a finite number, got {sampling.guidance}")


def _settings(model: str, snapshot: Snapshot, adapters: Adapters, sampling: Sampling, dtype: Any) -> dict[str, Any]:
    return {
        "model": f"{split_name(model)[0]}@{snapshot.revision}",
        "lora": [f"sha256 {sha256_of(each.path)[:16]}, weight {each.weight:g}" for each in adapters.loras],
        "embeddings": sorted({f"{each.token} sha256 {sha256_of(each.path)[:16]}" for each in adapters.embeddings}),
        **sampling_of(snapshot.path, sampling),
        "dtype": str(dtype).removeprefix("torch."),
    }


def _counter(folder: Path, adapters: Adapters) -> CountTokens:
    """Counts tokens as the model will, with the new ones; 0 for any text where more than CLIP reads it.

    Raises:
        InputError: a new token is in the tokenizer already.
    """
    tokenizers = tokenizers_of(folder)
    for tokenizer in tokenizers:
        known = tokenizer.get_vocab()
        if used := next((token for token in adapters.tokens if token in known), None):
            raise InputError(f"the token {used} is already in the model's tokenizer; train with another token")
        tokenizer.add_tokens(list(adapters.tokens))
    count = token_counter(tokenizers)
    return (lambda text: count(adapters.expanded(text))) if tokenizers else lambda _: 0


def _warn_of_tokens(requests: Sequence[Request], adapters: Adapters) -> None:
    """Warn of tokens that embeddings should have and lack; without embeddings, tokens are read as ordinary text."""
    used = {token for request in requests for token in TOKEN.findall(request.prompt.prompt)}
    if adapters.embeddings and (unknown := sorted(used - set(adapters.tokens))):
        shown = ", ".join(unknown[:SHOWN]) + (", …" if len(unknown) > SHOWN else "")
        log.warning("the embeddings have no %s: the model did not learn them; choose others with --composition", shown)


def _generate(model: TextToImage, requests: Sequence[Request], folder: Path, batch_size: int, total: int) -> int:
    """Write a file for each request; returns how many are black."""

    def run(batch: Sequence[Request]) -> Iterable[NDArray[np.uint8]]:
        return model.generate([each.prompt.prompt for each in batch], [each.seed for each in batch])

    full = f"memory is too small for one picture; {LOWER}"
    black = 0
    with Progress("generating", total, "picture", done=total - len(requests)) as progress:
        pictures = in_batches(requests, batch_size, run, full)
        for request, pixels in zip(requests, pictures, strict=True):
            write_bytes(folder / request.prompt.file, encode_png(pixels))
            black += int(pixels.max() <= BLACK)
            progress.update()
    if black:
        found = f"{counted(black, 'picture')} came out black"
        log.warning("%s, as a model's safety checker makes them; `mycanvas evaluate` scores them as they are", found)
    return black
