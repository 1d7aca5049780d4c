"""The result of a training: files that plain diffusers loads, and a model card that says how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas import prompts
from mycanvas.dataset import file_name
from mycanvas.errors import StoreError
from mycanvas.io.checked import read_checked
from mycanvas.io.files import write_bytes, write_text
from mycanvas.models import is_local, split_name
from mycanvas.models.adapters import EMBEDDINGS, ENCODERS, SUFFIX, WEIGHTS
from mycanvas.models.learned import ADAPTER
from mycanvas.training.methods import METHODS

if TYPE_CHECKING:
    from mycanvas.models.trainable import StableDiffusion

RECORD, CARD, SAMPLES = "training.json", "README.md", "samples"
"""Of the folder of a training: its record, its model card, and the folder of sample pictures."""


def read_record(folder: Path, remedy: str = "give --output a new folder") -> dict[str, Any] | None:
    """The record of a training, whose "finished" says whether it ended; None where a folder has none.

    Raises:
        StoreError: it is damaged; remedy: the end of the message.
    """
    return read_checked(folder / RECORD, dict[str, Any], remedy) if (folder / RECORD).exists() else None


def is_trained(folder: Path) -> bool:
    """Whether a folder holds a finished training; `train` checks which one.

    Raises:
        StoreError: its record is damaged.
    """
    return bool((read_record(folder) or {}).get("finished"))


def artefact_files(folder: Path, record: Mapping[str, Any]) -> list[Path]:
    """The files of a finished training in a folder; class pictures, logs and a checkpoint are none of its result.

    Raises:
        StoreError: weights are missing.
    """
    named = [prompts.Named(token=token, class_name=noun) for token, noun in record["concepts"].items()]
    prompting = prompts.PROMPTINGS[record["prompting"]]
    learns = METHODS[record["method"]].tokens
    tokens = prompts.tokens_of(record["composition"], named, prompting) if learns else ()
    endings = ("", *(f".{encoder}" for encoder in ENCODERS))
    weights = [(WEIGHTS,), *(tuple(embedding_file(token, ending) for ending in endings) for token in tokens)]
    found = [folder / name for names in [(RECORD, CARD), *weights] for name in names if (folder / name).is_file()]
    if lost := next((names[0] for names in weights if not {folder / name for name in names} & {*found}), None):
        raise StoreError(f"{folder} has lost {lost}; restore it, or train again, into a new folder")
    return found + sorted((folder / SAMPLES).glob("[0-9]*-[0-9]*.jpg"))


def write_weights(folder: Path, model: StableDiffusion, embeddings: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the LoRA of a model's denoiser, and a file for each token and text encoder.

    embeddings: tensors [D], by a text encoder's suffix in the pipeline ("", "_2") and the token.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    weights = {name: value.float().cpu() for name, value in get_peft_model_state_dict(model.denoiser).items()}
    metadata = model.denoiser.peft_config[ADAPTER].to_dict()  # without it, diffusers would take alpha for the rank
    model.save_lora(folder, weights, metadata)
    for part, ending in model.encoders:
        for token, row in embeddings.get(part, {}).items():
            write_bytes(folder / embedding_file(token, ending), save({token: row.detach().cpu().clone()}))


def embedding_file(token: str, ending: str) -> str:
    """The path of a token's file: "embeddings/dog6.clip_l.safetensors". diffusers refuses a file with several."""
    return f"{EMBEDDINGS}/{file_name(token.strip('<>'))}{ending}{SUFFIX}"


def write_card(folder: Path, model: StableDiffusion, record: Mapping[str, Any], samples: Mapping[str, str]) -> None:
    """Write the model card: how plain diffusers loads the files, samples, settings, and the digest of the data.

    Args:
        folder: of the result.
        model: that was trained.
        record: of the training, as in training.json.
        samples: the prompts of pictures in the folder, by their names.
    """
    import jinja2

    given, tokens = record["model"], record["tokens"]
    base = given if is_local(given) else split_name(given)[0]
    values = {"pipeline": type(model.pipeline).__name__, "base": base, "lora": WEIGHTS, "tokens": tokens}
    values["files"] = {part: [embedding_file(t, end) for t in tokens] for part, end in model.encoders if tokens}
    values["revision"] = None if is_local(given) else record["revision"]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, undefined=jinja2.StrictUndefined)  # noqa: S701 - Markdown
    environment.filters["quoted"] = partial(json.dumps, ensure_ascii=False)
    text = environment.get_template("card.md.jinja").render(**values, samples=samples, record=record)
    write_text(folder / CARD, text + "\n")
