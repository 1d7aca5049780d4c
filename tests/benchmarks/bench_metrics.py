"""How fast pictures are scored, beside a loop that decodes, detects and encodes one thing at a time.

Run: python -m tests.benchmarks.bench_metrics [--pictures 12] [--size 1024]

CLIP B/32 and OWL-ViT B/32 at their real size, with random weights: their numbers mean nothing and cost what the real
ones cost. All ways get the same pictures, boxes and photos and must give the same scores. There are two loops: one that
follows the formula and encodes a picture's source photos with it, and one that keeps their vectors.

What a processor can gain over the second is little: nine tenths of its time are matrix products, which run as fast for
one picture as for eight. There is more where PyTorch's threads must share the cores with other work, as in the loop
each of them waits for the last after every operation. On a GPU the loop waits for Python.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mycanvas.dataset import Concept, Photo
from mycanvas.io.images import decode_rgb
from mycanvas.metrics.evaluate import crop, evaluate
from mycanvas.metrics.pictures import Picture
from mycanvas.metrics.references import Cache, encode_references
from mycanvas.metrics.results import PictureScores
from mycanvas.metrics.settings import Settings
from mycanvas.models.detectors import Detection, Detector, load_detector
from mycanvas.models.encoders import Embeddings, Encoder, load_encoder
from tests.benchmarks.bench_loader import encoded_scene
from tests.tiny_models.tokenizers import clip_tokenizer

CLASSES = ("dog", "cat", "teapot", "ball", "duck")
PHOTOS = 4
"""Of each concept."""
ROUNDS = 2
GOALS = {"cpu": 1.5, "cuda": 4.0}
"""Pictures a second, as a multiple of the loop's."""


class Counted:
    """An encoder that counts how often it sees each picture."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.logit_scale = encoder.logit_scale
        self.seen: dict[bytes, int] = {}

    def images(self, pictures: Sequence[Any]) -> Embeddings:
        for picture in pictures:
            key = np.asarray(picture).tobytes()
            self.seen[key] = self.seen.get(key, 0) + 1
        return self._encoder.images(pictures)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        return self._encoder.texts(texts)


def main() -> None:
    """Measures both ways in turns, and prints one line for each goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--size", type=int, default=1024, help="pixels of a side")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, owlvit = write_models(Path(folder))
        scenes = list(draw_scenes(given.pictures, given.size))
        for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
            report(scenes, clip, owlvit, device)
        if not torch.cuda.is_available():
            print("no GPU here: its goal is not measured")


def report(scenes: Sequence[Picture], clip: Path, owlvit: Path, device: str) -> None:
    """Scores the pictures both ways, ROUNDS times in turns; the best round of each counts."""
    encoder = load_encoder(clip, device=device)
    counted = Counted(encoder)
    detector = load_detector(owlvit, threshold=threshold_for(scenes, owlvit, device), device=device)
    settings = Settings(threshold=0.0, certainty=1.0)
    cache = Cache()
    concepts = {concept.name: concept for scene in scenes for concept in scene.concepts}
    references = encode_references(concepts.values(), counted, settings, cache)
    encode_references(concepts.values(), counted, settings, cache)
    photos = [decode_rgb(photo.image).tobytes() for concept in concepts.values() for photo in concept.photos]
    twice = sum(counted.seen[photo] - 1 for photo in photos)
    ours: list[PictureScores] = []
    loop: list[tuple[float, float]] = []
    ways: dict[str, Callable[[], object]] = {
        "mycanvas": lambda: ours.extend(evaluate(scenes, references, encoder, detector, settings).pictures),
        "keeping photos": lambda: loop.extend(one_at_a_time(scenes, references, encoder, detector)),
        "photos again": lambda: loop.extend(one_at_a_time(scenes, None, encoder, detector)),
    }
    rounds = [[timed(way) for way in ways.values()] for _ in range(ROUNDS)]
    mine, kept, again = (len(scenes) / float(seconds) for seconds in np.array(rounds).min(axis=0))
    far = max(
        abs(one - other)
        for number, theirs in enumerate(loop)
        for one, other in zip(
            (ours[number % len(scenes)].scores[name] or 0.0 for name in ("cp_clip", "ti_clip")),
            theirs,
            strict=True,
        )
    )
    crops = sum(len(one.boxes) for one in ours) / len(ours)
    print(f"{device}: {len(scenes)} pictures with {crops:.1f} boxes each, {torch.get_num_threads()} threads")
    print(f"{'':32}{'mycanvas':>10}{'the loop':>10}{'ratio':>8}  goal")
    print(f"{'pictures a second, photos again':32}{mine:10.2f}{again:10.2f}{mine / again:8.2f}  >= {GOALS[device]}")
    print(f"{'                   photos kept':32}{mine:10.2f}{kept:10.2f}{mine / kept:8.2f}  >= {GOALS[device]}")
    print(f"{'largest difference of scores':32}{far:10.6f}{'':18}  <= {1e-4 if device == 'cpu' else 2e-2}")
    print(f"{'photos encoded twice':32}{twice:10d}{'':18}  0 of {len(photos)}")


def one_at_a_time(
    scenes: Sequence[Picture], kept: dict[str, Embeddings] | None, encoder: Encoder, detector: Detector
) -> Iterator[tuple[float, float]]:
    """CP-CLIP and TI-CLIP of each picture, as a script would get them: one call for each picture, crop and photo.

    kept: vectors of the concepts' photos; None: encoded with each picture.
    """
    texts: dict[str, Embeddings] = {}
    for scene in scenes:
        pixels = decode_rgb(scene.read())
        classes = [concept.class_name for concept in scene.concepts]
        (found,) = detector.detect([pixels], [classes])
        best: dict[str, Detection] = {}
        for box in found or ():
            best.setdefault(box.label, box)
        crops = [encoder.images([crop(pixels, box.box)])[0] for box in best.values()]
        references = kept or {
            one.name: np.vstack([encoder.images([decode_rgb(photo.image)]) for photo in one.photos])
            for one in scene.concepts
        }
        alike = [[float((references[one.name] @ vector).mean()) for one in scene.concepts] for vector in crops]
        text = scene.background or ""
        if text not in texts:
            texts[text] = encoder.texts([text])[0]
        yield sum(map(max, alike)) / len(classes), float(encoder.images([pixels])[0] @ texts[text])


def threshold_for(scenes: Sequence[Picture], owlvit: Path, device: str) -> float:
    """The confidence that a few boxes of each class exceed, whatever the random weights say."""
    everything = load_detector(owlvit, threshold=0.0, device=device)
    (found,) = everything.detect([decode_rgb(scenes[0].read())], [list(CLASSES)])
    return sorted((one.score for one in found or ()), reverse=True)[:20][-1]


def draw_scenes(count: int, size: int) -> Iterator[Picture]:
    """Pictures of 2 to 5 concepts."""
    photos = iter([encoded_scene(seed, 512)[0] for seed in range(1000, 1000 + PHOTOS * len(CLASSES))])
    concepts = [
        Concept(
            name=name,
            token=f"<{name}>",
            class_name=name,
            photos=tuple(Photo(id=f"{name}/{i}", concept=name, image=next(photos)) for i in range(PHOTOS)),
        )
        for name in CLASSES
    ]
    for number in range(count):
        picture, _ = encoded_scene(number, size)
        own = tuple(concepts[: 2 + number % 4])
        yield Picture(id=str(number), concepts=own, prompt="", background="in a garden", read=held(picture))


def held(content: bytes) -> Callable[[], bytes]:
    """Gives what it holds."""
    return lambda: content


def write_models(folder: Path) -> tuple[Path, Path]:
    """CLIP B/32 and OWL-ViT B/32 of transformers' own defaults, with random weights."""
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.manual_seed(0)
    for name, model, length in (("CLIP", "CLIPModel", 77), ("OwlViT", "OwlViTForObjectDetection", 16)):
        words = clip_tokenizer(length)
        ends = {f"{end}_token_id": getattr(words, f"{end}_token_id") for end in ("bos", "eos", "pad")}
        config = getattr(transformers, f"{name}Config")(text_config=ends)
        made = getattr(transformers, model)(config)
        made.save_pretrained(folder / name)
        looks = getattr(transformers, f"{name}ImageProcessor")()
        getattr(transformers, f"{name}Processor")(image_processor=looks, tokenizer=words).save_pretrained(folder / name)
    return folder / "CLIP", folder / "OwlViT"


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
