"""LoRA weights and embeddings of new tokens from files of any trainer, on top of a text-to-image pipeline."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas.errors import InputError, MissingExtra, ModelError
from mycanvas.io.files import os_errors
from mycanvas.io.regular import open_regular
from mycanvas.models.pipelines import quiet_diffusers

if TYPE_CHECKING:
    import torch

SUFFIX = ".safetensors"
WEIGHTS = f"pytorch_lora_weights{SUFFIX}"
"""Of a folder that diffusers' `save_lora_weights` or `mycanvas train` wrote."""
EMBEDDINGS = "embeddings"
"""The folder of embeddings beside it."""
ENCODERS = ("clip_l", "clip_g")
"""The text encoders of SDXL, as keys and names of files with embeddings call them."""

_DOWN = re.compile(r"(?:lora_A|lora_down|lora\.down|_lora\.down)(?:\.|$)|lokr_w1(?:_a)?(?:\.|$)")
"""The key of one of the two or more matrices that each changed layer has in a file."""
_OF_TEXT = re.compile("(?:lora_te|te[123]?_|text_encoder)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora:
    """A file of LoRA weights. weight: the factor of its changes."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding:
    """The embedding of a new token.

    path: its file. token: "<dog6>". encoder: one of ENCODERS; None: not stated. vectors: float [N, D].
    """

    path: Path
    token: str
    encoder: str | None
    vectors: torch.Tensor

    @property
    def tokens(self) -> tuple[str, ...]:
        """Those that diffusers puts in place of the token, one for each vector: "<dog6>", "<dog6>_1"."""
        return (self.token, *(f"{self.token}_{index}" for index in range(1, len(self.vectors))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapters:
    """Everything that is loaded on top of a pipeline."""

    loras: Sequence[Lora] = ()
    embeddings: Sequence[Embedding] = field(default_factory=tuple)

    @property
    def tokens(self) -> tuple[str, ...]:
        """The new tokens."""
        return tuple(dict.fromkeys(token for embedding in self.embeddings for token in embedding.tokens))

    def expanded(self, prompt: str) -> str:
        """A prompt as the text encoders read it, with a token for each vector."""
        for token, tokens in {each.token: each.tokens for each in self.embeddings}.items():
            prompt = prompt.replace(token, " ".join(tokens))
        return prompt


def find_adapters(loras: Sequence[str], embeddings: Sequence[Path]) -> Adapters:
    """Find the files of adapters, and read the embeddings.

    Args:
        loras: files, or folders with WEIGHTS and perhaps EMBEDDINGS; each may end with ":0.8", the weight.
        embeddings: files, or folders of files.

    Raises:
        InputError: a file is missing, is no safetensors, or holds something else; a weight is not finite.
    """
    found, places = [], list(embeddings)
    for text in loras:
        lora = _lora(text)
        if lora.path.is_dir():
            beside = lora.path / EMBEDDINGS
            places += [beside] if beside.is_dir() else []
            lora = Lora(path=lora.path / WEIGHTS, weight=lora.weight)
        _check_lora(lora.path)
        found.append(lora)
    files = dict.fromkeys(file.resolve() for place in places for file in _files(place))
    return Adapters(loras=tuple(found), embeddings=tuple(each for file in files for each in _embeddings(file)))


def add_adapters(pipeline: Any, adapters: Adapters) -> None:
    """Load adapters into a pipeline.

    Raises:
        MissingExtra: peft is not installed, and there is a LoRA.
        ModelError: one is of another model, or a token is in the tokenizer already.
    """
    if adapters.loras and find_spec("peft") is None:
        raise MissingExtra("peft", extra="models")
    with quiet_diffusers():
        _add_embeddings(pipeline, adapters.embeddings)
        names = [f"lora_{index}" for index in range(len(adapters.loras))]
        for name, lora in zip(names, adapters.loras, strict=True):
            _add_lora(pipeline, lora.path, name)
        if names:
            pipeline.set_adapters(names, adapter_weights=[lora.weight for lora in adapters.loras])


def pool_at_end(text_encoder: Any, tokenizer: Any) -> None:
    """Make CLIP's text model pool at the end of a text.

    With `eos_token_id` 2, which the original checkpoints have, it pools at the largest id, that of an added token.
    """
    for part in (text_encoder, *text_encoder.modules()):
        if hasattr(part, "eos_token_id"):
            part.eos_token_id = tokenizer.eos_token_id
        if hasattr(part, "config"):
            part.config.eos_token_id = tokenizer.eos_token_id


def _lora(text: str) -> Lora:
    path, colon, weight = text.rpartition(":")
    try:
        factor = float(weight) if colon else 1.0
    except ValueError:  # a colon in the name
        return Lora(path=Path(text))
    if not math.isfinite(factor):
        raise InputError(f"the weight of a LoRA must be finite, got {text}")
    return Lora(path=Path(path if colon else text), weight=factor)


def _check_lora(path: Path) -> None:
    if not any(_DOWN.search(key) for key in _keys(path)):
        raise InputError(f"{path} has no LoRA weights; expected a file that a trainer of LoRA wrote")


def _keys(path: Path) -> list[str]:
    """The names of the tensors in a file."""
    from safetensors import SafetensorError, safe_open

    with os_errors(path, "read"):
        exists = path.exists()
    if not exists:
        hint = f"; if {path.parent} is of a training that was interrupted, run its command again"
        raise InputError(f"{path} does not exist{hint if path.name == WEIGHTS else ''}")
    if path.suffix != SUFFIX:
        raise InputError(f"{path} is not a {SUFFIX} file, and pickled weights are never loaded; save it as {SUFFIX}")
    with os_errors(path, "read"):
        open_regular(path).close()
        try:
            with safe_open(path, "pt") as file:
                return list(file.keys())
        except SafetensorError as error:
            raise InputError(f"{path} is damaged, or no {SUFFIX} file: {error}") from error


def _files(place: Path) -> Sequence[Path]:
    """The files of embeddings in a folder; or the file."""
    if not place.is_dir():
        return (place,)
    files = sorted(place.glob(f"*{SUFFIX}"))
    if not files:
        raise InputError(f"{place} has no {SUFFIX} files; expected one for each new token")
    return files


def _embeddings(path: Path) -> Iterator[Embedding]:
    """The embeddings in a file: {token: vectors}, or, as for SDXL elsewhere, vectors for each of ENCODERS."""
    from safetensors.torch import load_file

    keys = _keys(path)
    name = path.name.removesuffix(SUFFIX)
    suffix = next((encoder for encoder in ENCODERS if name.endswith(f".{encoder}")), None)
    token = name.removesuffix(f".{suffix}") if suffix else name
    if set(keys) != set(ENCODERS) and len(keys) != 1:
        raise InputError(
            f"{path} has {len(keys)} tensors; expected the vectors of one token, or one each named "
            f"{', '.join(ENCODERS)}"
        )
    for key, tensor in load_file(path).items():
        if tensor.ndim not in (1, 2) or not tensor.numel():
            raise InputError(f"{path} has a tensor of shape {list(tensor.shape)}; expected vectors for its token")
        named = key if len(keys) == 1 and key not in (*ENCODERS, "emb_params") else token
        encoder, vectors = key if key in ENCODERS else suffix, tensor.reshape(-1, tensor.shape[-1])
        yield Embedding(path=path, token=named, encoder=encoder, vectors=vectors)


def _add_embeddings(pipeline: Any, embeddings: Sequence[Embedding]) -> None:
    if not embeddings:
        return
    encoders = _text_encoders(pipeline)
    if not encoders or not hasattr(pipeline, "load_textual_inversion"):
        raise ModelError(f"a {type(pipeline).__name__} has no new tokens; omit --embeddings")
    for embedding in embeddings:
        tokenizer, text_encoder = encoders[_encoder_for(embedding, encoders)]
        try:
            pipeline.load_textual_inversion(
                {embedding.token: embedding.vectors},
                token=embedding.token,
                tokenizer=tokenizer,
                text_encoder=text_encoder,
            )
        except ValueError as error:
            raise ModelError(f"{embedding.path} cannot be loaded: {error}") from error
    for name, (tokenizer, text_encoder) in encoders.items():
        known = tokenizer.get_vocab()
        lacking = next((each for each in embeddings if each.token not in known), None)
        if lacking:
            raise ModelError(
                f"{lacking.token} has no embedding for this model's {name}; expected one file for each text encoder"
            )
        pool_at_end(text_encoder, tokenizer)


def _text_encoders(pipeline: Any) -> dict[str, tuple[Any, Any]]:
    """The tokenizer and the model of each of a pipeline's CLIP text encoders, by the model's part."""
    pairs = {
        f"text_encoder{end}": (
            getattr(pipeline, f"tokenizer{end}", None),
            getattr(pipeline, f"text_encoder{end}", None),
        )
        for end in ("", "_2")
    }
    return {name: pair for name, pair in pairs.items() if type(pair[1]).__name__.startswith("CLIPText")}


def _encoder_for(embedding: Embedding, encoders: Mapping[str, tuple[Any, Any]]) -> str:
    """The part of the pipeline that an embedding is for: as its file states, else the one of the vector's size."""
    sizes = {name: model.get_input_embeddings().weight.shape[1] for name, (_, model) in encoders.items()}
    names = list(sizes)
    if embedding.encoder is not None:
        index = ENCODERS.index(embedding.encoder)
        names = names[index : index + 1]
    fitting = [name for name in names if sizes[name] == embedding.vectors.shape[1]]
    if not fitting:
        expected = " or ".join(str(size) for size in sorted(set(sizes.values())))
        raise ModelError(
            f"{embedding.path} was trained for another model: its vectors have {embedding.vectors.shape[1]} numbers; "
            f"expected {expected}"
        )
    return fitting[0]


def _add_lora(pipeline: Any, path: Path, name: str) -> None:
    """Load a LoRA, all of whose layers must be in the pipeline."""
    kind = type(pipeline).__name__
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"a {kind} takes no LoRA; omit --lora")
    given = {"weight_name": path.name, "adapter_name": name, "use_safetensors": True, "local_files_only": True}
    denoiser: Any = getattr(pipeline, "unet", None) or getattr(pipeline, "transformer", None)
    try:
        if _is_bare(path, denoiser):
            denoiser.load_lora_adapter(path.parent, prefix=None, **given)
        else:
            pipeline.load_lora_weights(path.parent, **given)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError, IndexError, NotImplementedError) as error:
        first, *more = str(error).strip().split("\n")
        reason = more[0].strip() if more and first.endswith(":") else first
        raise ModelError(f"{path} does not fit this {kind}: it was trained for another model ({reason})") from error
    layers = sum(1 for key in _keys(path) if _DOWN.search(key) and not _OF_TEXT.match(key))
    loaded = _layers(pipeline, name)
    if loaded < layers or not loaded + _layers(pipeline, name, text=True):
        raise ModelError(
            f"{path} does not fit this {kind}: {loaded} of its {layers} layers were found; it was trained for another "
            "model, or in a format that diffusers does not read"
        )


def _is_bare(path: Path, denoiser: Any) -> bool:
    """Whether a file names layers as a denoiser does, as its `save_lora_adapter` writes them."""
    layers = {name for name, _ in denoiser.named_modules()} if denoiser else set()
    return all(key.partition(".lora_")[0] in layers for key in _keys(path))


def _layers(pipeline: Any, name: str, *, text: bool = False) -> int:
    """The number of layers that an adapter changes in the denoiser; text: in the text encoders."""
    models = [
        model
        for part, model in pipeline.components.items()
        if hasattr(model, "modules") and part.startswith("text_encoder") == text
    ]
    holders = (getattr(module, kind, None) for model in models for module in model.modules() for kind in _HOLDERS)
    return sum(1 for holder in holders if holder is not None and name in holder)


_HOLDERS = ("lora_A", "lokr_w1", "lokr_w1_a")
"""The attributes of a changed layer that hold its matrices by adapter, of which it uses one."""
