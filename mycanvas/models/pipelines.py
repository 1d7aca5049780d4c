"""Load pipelines of diffusers: from this machine only, from safetensors, quietly, and whole."""

from __future__ import annotations

import inspect
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas.errors import MissingExtra, ModelError
from mycanvas.models.loading import LOCAL, check_weights, quiet_transformers

if TYPE_CHECKING:
    import torch


def read_index(folder: Path) -> dict[str, Any]:
    """Read the parts of a pipeline, and the name of its class, from its repository's index.

    Raises:
        ModelError: the folder holds no pipeline.
    """
    try:
        index: dict[str, Any] = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        return index | {"_class_name": str(index["_class_name"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} is not a pipeline of diffusers: it has no readable model_index.json") from error


def has_safety_checker(folder: Path) -> bool:
    """Whether a pipeline has a model that replaces pictures that it takes for unsafe by black ones."""
    entry = read_index(folder).get("safety_checker")
    return isinstance(entry, list) and entry[:1] not in ([], [None])


def is_pipeline(name: str) -> bool:
    """Whether diffusers has a pipeline class of this name."""
    import diffusers

    found = getattr(diffusers, name, None)
    return inspect.isclass(found) and issubclass(found, diffusers.DiffusionPipeline)


def load_pipeline(
    folder: Path,
    name: str,
    *,
    dtype: torch.dtype,
    variant: str | None = None,
    given: Mapping[str, Any] | None = None,
    remedy: str = "use another model",
) -> Any:
    """Load a pipeline with the named class of diffusers.

    Args:
        folder: with its model_index.json.
        name: of the class.
        dtype: the precision of its weights.
        variant: of several sets of weights; None: the plain one.
        given: parts that are loaded already, or None in place of parts that are not needed.
        remedy: the end of the message where it cannot be loaded.

    Raises:
        MissingExtra: diffusers is not installed.
        ModelError: it cannot be loaded, or lacks weights.
    """
    options = {"dtype": dtype, "variant": variant, "use_safetensors": True, **LOCAL}
    with quiet_diffusers():
        import diffusers
        from safetensors import SafetensorError

        try:
            parts = _text_models(folder, options, given or {})
            pipeline = getattr(diffusers, name).from_pretrained(folder, **parts, **options)
        except (OSError, ValueError, ImportError, KeyError, TypeError, SafetensorError) as error:
            raise ModelError(f"the pipeline in {folder} cannot be loaded as {name}: {error}; {remedy}") from error
    _check_parts(pipeline, folder)
    return pipeline


def check_channels(pipeline: Any, folder: Path) -> None:
    """Check that a pipeline that makes pictures from text alone has a U-Net that reads latents alone.

    Raises:
        ModelError: it reads a mask too, as weights for inpainting do.
    """
    config = getattr(getattr(pipeline, "unet", None), "config", {})
    expected = getattr(getattr(pipeline, "vae", None), "config", {}).get("latent_channels")
    found = config.get("in_channels", expected)
    if found != expected:
        raise ModelError(
            f"the U-Net in {folder} reads {found} channels, as weights for inpainting do; expected {expected}"
        )


def _text_models(folder: Path, options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Load the parts that are transformers models, in which missing weights would be random; add the given ones."""
    import transformers

    parts = dict(given)
    for part, entry in read_index(folder).items():
        library, kind = entry if isinstance(entry, list) else (None, None)
        found: Any = getattr(transformers, str(kind), None)
        learned = inspect.isclass(found) and issubclass(found, transformers.PreTrainedModel)
        if learned and library == "transformers" and part not in given:
            parts[part], loaded = found.from_pretrained(folder / part, output_loading_info=True, **options)
            check_weights(f"the pipeline in {folder}", [f"{part}.{name}" for name in loaded["missing_keys"]])
    return parts


def _check_parts(pipeline: Any, folder: Path) -> None:
    """Refuse a pipeline with missing weights: diffusers leaves them on the meta device."""
    models = {part: model for part, model in pipeline.components.items() if hasattr(model, "named_parameters")}
    check_weights(
        f"the pipeline in {folder}",
        [f"{part}.{name}" for part in models for name, w in models[part].named_parameters() if w.is_meta],
    )


@contextmanager
def quiet_diffusers() -> Iterator[None]:
    """Hide the progress bars, log messages and warnings of diffusers, transformers and peft.

    Raises:
        MissingExtra: diffusers is not installed.
    """
    try:
        from diffusers.utils import logging
    except ImportError as missing:
        raise MissingExtra(missing.name or "diffusers", extra="models") from missing

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)  # it logs the errors that it raises
    try:
        with quiet_transformers(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(?:diffusers|transformers|peft)\b")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
