"""RGBA layers of scenes, as musubi-tuner and DiffSynth-Studio read them to train Qwen-Image-Layered.

    layers_4/<id>.jpg, <id>.txt   a scene of four layers as stored, and its caption
    layers_4/<id>_0.png           its background; then its shadow, and its objects from back to front
    layers.json                   what each layer shows, and how far the layers together are from the stored scene
    dataset.toml                  of musubi-tuner; it accepts only scenes of equally many layers in a folder
    metadata.json                 of DiffSynth-Studio

An object's layer also has the pixels that objects in front of it hide. Where a model repainted the background, shadows
are part of it, and it is transparent behind the objects.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas.dataset import Scene
from mycanvas.errors import ConfigError, InputError
from mycanvas.export.musubi_qwen import qwen_image_commands
from mycanvas.export.recipe import run_name, write_dataset_toml, write_json, write_script
from mycanvas.export.sizes import largest
from mycanvas.export.source import Source
from mycanvas.io.text import one_line

if TYPE_CHECKING:
    from mycanvas.io.layers import PictureLayer

log = logging.getLogger("mycanvas")

MOST_DIFFERENCE = 12.0
"""Largest mean difference of layers and the stored scene, in 8-bit levels; JPEG alone makes it 4 in noisy scenes."""


def write_layers(source: Source, output: Path) -> None:
    """Write scenes, layers, lists, configuration and commands.

    Raises:
        ConfigError: the source has no layers.
        InputError: a scene's layers do not show it, or a caption is empty.
    """
    from mycanvas.io.images import encode_png

    if source.layers is None:
        raise ConfigError("layers are made from a build; export them with `mycanvas export`, or give `layers`")
    groups: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    rows: list[dict[str, Any]] = []
    sizes: Counter[tuple[int, int]] = Counter()
    for scene in source.scenes():
        layers = source.layers(scene)
        difference = _difference(scene, layers)
        folder = f"layers_{len(layers)}"
        names = [f"{folder}/{scene.id}_{index}.png" for index in range(len(layers))]
        caption = one_line(scene.caption, f"scene {scene.id}")
        (output / folder).mkdir(exist_ok=True)
        (output / folder / f"{scene.id}.jpg").write_bytes(scene.image)
        (output / folder / f"{scene.id}.txt").write_text(caption, encoding="utf-8")
        height, width = layers[0].rgba.shape[:2]
        for name, layer in zip(names, layers, strict=True):
            (output / name).write_bytes(encode_png(layer.whole(height, width)))
        sizes[width, height] += 1
        image = f"{folder}/{scene.id}.jpg"
        groups[len(layers)].append(_diffsynth_row(caption, image, names))
        rows.append({"id": scene.id, "layers": _described(scene, layers), **difference})
    _report(rows)
    write_json(output / "layers.json", rows)
    write_json(output / "metadata.json", [row for _, group in sorted(groups.items()) for row in group])
    write_dataset_toml(output, "musubi-tuner", _config(largest(sizes), sorted(groups)))
    arguments = {
        "MODEL": "qwen_image_layered_bf16.safetensors",
        "VAE": "qwen_image_layered_vae.safetensors",
        "TEXT_ENCODER": "qwen_2.5_vl_7b.safetensors",
        "MUSUBI": "the folder of musubi-tuner",
    }
    write_script(output, arguments, qwen_image_commands("layered", run_name(source)))


def _difference(scene: Scene, layers: Sequence[PictureLayer]) -> dict[str, float]:
    """How far the layers together are from the stored scene, in 8-bit levels: the mean and the 99th percentile."""
    import numpy as np

    from mycanvas.io.images import decode_rgb
    from mycanvas.io.layers import flatten

    stored, again = decode_rgb(scene.image), flatten(layers)
    if stored.shape != again.shape:
        raise InputError(
            f"the layers of scene {scene.id} have {again.shape[1]}x{again.shape[0]} pixels, expected "
            f"{stored.shape[1]}x{stored.shape[0]}; build again with another --output"
        )
    difference = np.abs(stored.astype(np.int16) - again)
    mean = float(difference.mean())
    if mean > MOST_DIFFERENCE:
        raise InputError(
            f"the layers of scene {scene.id} do not show it: on average they differ by {mean:.1f} of 255 levels, "
            f"expected at most {MOST_DIFFERENCE:g}; build again with another --output"
        )
    return {"mean": round(mean, 2), "percentile_99": round(float(np.percentile(difference, 99)), 1)}


def _report(rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        mean, tail = (sum(row[name] for row in rows) / len(rows) for name in ("mean", "percentile_99"))
        log.info("the layers differ from the stored JPEG by %.1f of 255 levels; 99th percentile: %.0f", mean, tail)


def _described(scene: Scene, layers: Sequence[PictureLayer]) -> list[dict[str, Any]]:
    """The kind of each layer and, of an object, which one it is."""
    return [
        {"kind": layer.kind}
        if layer.index is None
        else {"kind": layer.kind, "object": layer.index, "token": scene.concept_tokens[layer.index]}
        for layer in layers
    ]


def _diffsynth_row(caption: str, image: str, layers: Sequence[str]) -> dict[str, Any]:
    """A row of `metadata.json`. The scene is the first of the images, as in the model's output."""
    return {"prompt": caption, "image": [image, *layers], "layer_input_image": image, "layer_num": len(layers)}


def _config(size: tuple[int, int], counts: Sequence[int]) -> dict[str, Any]:
    return {
        "general": {
            "resolution": list(size),
            "caption_extension": ".txt",
            "batch_size": 1,
            "enable_bucket": True,
            "bucket_no_upscale": True,
        },
        "datasets": [
            {"image_directory": f"layers_{count}", "cache_directory": f"cache/{count}", "multiple_target": True}
            for count in counts
        ],
    }
