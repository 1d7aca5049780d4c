"""The pictures of a training set: scenes, source photos and class pictures, each with a caption and a mask.

They are in folders named after their role: `scenes`, `holdout` (scenes for validation), `photos` and `regularization`.
Stems are unique over all of them, because trainers cache pictures by stem, and find captions and masks by it. The stem
of a scene is its id; those of other pictures contain "+", which an id cannot.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mycanvas.dataset import Encoded, Photo, Scene, picture_kind
from mycanvas.dataset.class_pictures import class_pictures
from mycanvas.dataset.pictures import SUFFIXES
from mycanvas.english import with_token
from mycanvas.errors import InputError
from mycanvas.export.captions import TextEncoder, least_clip_tokens
from mycanvas.export.masks import objects_of, size_of
from mycanvas.export.photo_files import UniqueStems, photo_stem, photo_title
from mycanvas.export.sizes import largest, square_side
from mycanvas.export.source import Source
from mycanvas.export.triggers import report_tokenizer, trigger_table, triggers_of, with_triggers
from mycanvas.io.messages import counted
from mycanvas.io.text import one_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("mycanvas")

SCENES, HOLDOUT, PHOTOS, REGULARIZATION = "scenes", "holdout", "photos", "regularization"
_NOUNS = {SCENES: "scene", PHOTOS: "photo", REGULARIZATION: "class picture"}
SCENES_PER_PHOTO = 3
"""With both, an epoch has this many scenes for each source photo."""
MOST_REPEATS = 12
"""Largest number of repeats of one role."""
CLOSE_ENOUGH = 0.1
"""Relative error of the ratio of scenes to photos that is accepted for the sake of fewer repeats."""
SAMPLE_PROMPTS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One picture of a training set.

    role: SCENES, HOLDOUT, PHOTOS or REGULARIZATION. stem: the name of its files without suffix.
    image: encoded, as stored; suffix: of its kind, ".jpg". size: width and height in pixels.
    caption: one line. mask: uint8 [H, W], 255 = counts in the loss; of a class picture all of it.
    """

    role: str
    stem: str
    suffix: str
    image: Encoded
    size: tuple[int, int]
    caption: str
    mask: NDArray[np.uint8]

    @property
    def path(self) -> str:
        """The name of its file, relative to the export."""
        return f"{self.role}/{self.stem}{self.suffix}"


class TrainingSet:
    """The pictures that a source's selection chooses. Counts, sizes and prompts are complete after one iteration.

    Args:
        source: the dataset.
        encoder: the text encoder that reads the captions; those that are too long for it are reported.

    counts: number of pictures by role.
    sizes: number of pictures by width and height, of scenes; of photos where there are no scenes.
    least_side: the shortest side of all pictures, in pixels.
    triggers: the trigger of each concept by its name.
    prompts: captions for sample pictures, of different compositions.
    """

    def __init__(self, source: Source, encoder: TextEncoder) -> None:
        self._source, self._encoder = source, encoder
        self._stems = UniqueStems()
        self._long: list[int] = []
        self._without_objects = 0
        self._compositions: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.sizes: Counter[tuple[int, int]] = Counter()
        self.least_side = sys.maxsize
        self.triggers = triggers_of(source.concepts, source.selection)
        self.prompts: list[str] = []

    def __iter__(self) -> Iterator[Picture]:
        """The pictures: scenes, then photos, then class pictures.

        Raises:
            InputError: a picture or a mask cannot be read, a caption is empty, or there is nothing to train on.
        """
        selection = self._source.selection
        if selection.shows_scenes:
            yield from map(self._tally, self._scenes())
        if selection.shows_photos:
            yield from map(self._tally, self._photos())
        if selection.regularization:
            yield from map(self._tally, self._class_pictures(selection.regularization))
        self._report()

    @property
    def size(self) -> tuple[int, int]:
        """The width and height with the largest area of scenes; of photos where there are no scenes."""
        return largest(self.sizes)

    @property
    def resolution(self) -> int:
        """The side of a square with as many pixels as `size`."""
        return square_side(self.size)

    def samples(self) -> list[dict[str, Any]]:
        """The prompts of sample pictures, each with the width and the height of its picture."""
        width, height = self.size
        return [{"prompt": prompt, "width": width, "height": height} for prompt in self.prompts]

    def trigger_table(self) -> dict[str, dict[str, str]]:
        """The trigger and the class of each concept by its name."""
        return trigger_table(self._source.concepts, self.triggers)

    def summary(self) -> str:
        """The pictures of an epoch, in words: "Pictures: 6 scenes, and 1 photo 2 times"."""
        repeats = self.repeats()
        shown = [
            counted(count, _NOUNS[role]) + (f" {repeats[role]} times" if repeats[role] > 1 else "")
            for role, count in self.counts.items()
            if role != HOLDOUT
        ]
        held = f"; {counted(self.counts[HOLDOUT], 'scene')} held out" if self.counts[HOLDOUT] else ""
        return f"Pictures: {', and '.join(shown)}{held}."

    def repeats(self) -> dict[str, int]:
        """How often an epoch shows each picture of a role, so that there are three scenes for each source photo."""
        scenes, photos = self.counts[SCENES], self.counts[PHOTOS]
        numbers = dict.fromkeys(self.counts, 1)
        if scenes and photos:
            numbers[SCENES], numbers[PHOTOS] = balanced(scenes, photos)
        return numbers

    def _tally(self, picture: Picture) -> Picture:
        self.counts[picture.role] += 1
        self.least_side = min(self.least_side, *picture.size)
        if picture.role in ({SCENES, HOLDOUT} if self._source.selection.shows_scenes else {PHOTOS}):
            self.sizes[picture.size] += 1
        tokens = least_clip_tokens(picture.caption)
        if tokens > self._encoder.tokens:
            self._long.append(tokens)
        return picture

    def _scenes(self) -> Iterator[Picture]:
        total, holdout = sum(self._source.counts.values()), self._source.selection.holdout
        held = {int((number + 0.5) * total / holdout) for number in range(holdout)}
        for number, scene in enumerate(self._source.scenes()):
            mask = self._scene_mask(scene)
            if not mask.any():
                self._without_objects += 1
                continue
            caption = self._caption(scene.prompt, f"scene {scene.id}")
            if scene.composition not in self._compositions and len(self.prompts) < SAMPLE_PROMPTS:
                self._compositions.add(scene.composition)
                self.prompts.append(caption)
            yield Picture(
                role=HOLDOUT if number in held else SCENES,
                stem=scene.id,
                suffix=".jpg",
                image=scene.image,
                size=size_of(scene),
                caption=caption,
                mask=mask,
            )

    def _scene_mask(self, scene: Scene) -> NDArray[np.uint8]:
        import numpy as np

        concept = self._source.concept
        shown = [concept is None or concept.token == token for token in scene.concept_tokens]
        return np.where(objects_of(scene)[..., shown].any(axis=2), np.uint8(255), np.uint8(0))

    def _photos(self) -> Iterator[Picture]:
        concepts = {concept.name: concept for concept in self._source.concepts}
        for photo in self._source.photos():
            concept = concepts[photo.concept]
            name = photo_title(photo, self._source.dataset.place)
            kind, size = picture_kind(photo.image, list(SUFFIXES), name)
            prompt = f"a photo of {with_token(concept.class_name, concept.token)}"
            caption = self._caption(prompt, name)
            if not self._source.selection.shows_scenes and caption not in self.prompts[:SAMPLE_PROMPTS]:
                self.prompts = [*self.prompts, caption][:SAMPLE_PROMPTS]
            yield Picture(
                role=PHOTOS,
                stem=self._stems.add(photo_stem(photo)),
                suffix=SUFFIXES[kind][0],
                image=photo.image,
                size=size,
                caption=caption,
                mask=_photo_mask(photo, size, name),
            )

    def _class_pictures(self, folder: Path) -> Iterator[Picture]:
        import numpy as np

        source = self._source
        chosen = [source.concept] if source.concept else source.concepts
        known, trained = ({concept.class_name for concept in concepts} for concepts in (source.concepts, chosen))
        for found in class_pictures(folder, known, trained):
            yield Picture(
                role=REGULARIZATION,
                stem=self._stems.add(f"{found.class_name}+{found.name}"),
                suffix=found.suffix,
                image=found.image,
                size=found.size,
                caption=found.caption,
                mask=np.full((found.size[1], found.size[0]), 255, np.uint8),
            )

    def _caption(self, prompt: str, name: str) -> str:
        return one_line(with_triggers(prompt, self._source.concepts, self.triggers), name)

    def _report(self) -> None:
        """Log what a user should know before training."""
        largest(self.sizes)  # raises an error if there is nothing to train on
        if self._without_objects:
            shown = self._source.selection.concept or "any object"
            scenes = counted(self._without_objects, "scene")
            log.warning("%s left out: no pixel of %s is visible, and a black mask breaks trainers", scenes, shown)
        report_tokenizer(self._source.selection, self._encoder.name)
        if self._long:
            log.warning(
                "%s longer than the %d tokens that %s reads (the longest has at least %d); the rest is cut off",
                counted(len(self._long), "caption"),
                self._encoder.tokens,
                self._encoder.name,
                max(self._long),
            )


def balanced(scenes: int, photos: int) -> tuple[int, int]:
    """Repeats of scenes and of photos: the fewest that bring their ratio close to SCENES_PER_PHOTO."""

    def error(pair: tuple[int, int]) -> float:
        return abs(scenes * pair[0] / (photos * pair[1] * SCENES_PER_PHOTO) - 1)

    numbers = range(1, MOST_REPEATS + 1)
    pairs = sorted(((a, b) for a in numbers for b in numbers), key=lambda pair: (sum(pair), error(pair)))
    return next((pair for pair in pairs if error(pair) <= CLOSE_ENOUGH), min(pairs, key=error))


def _photo_mask(photo: Photo, size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """The mask of the object; all of the photo where no trusted one is known."""
    import numpy as np

    from mycanvas.io.images import decode_mask, quiet_decoding

    whole = np.full((size[1], size[0]), 255, np.uint8)
    if not photo.mask or not photo.used:
        return whole
    mask_size = picture_kind(photo.mask, ["PNG"], f"the mask of {name}")[1]
    if mask_size != size:
        raise InputError(f"the mask of {name} has not the photo's size, {size[0]}x{size[1]}")
    with quiet_decoding():
        mask = np.rint(decode_mask(photo.mask) * 255).astype(np.uint8)
    return mask if mask.any() else whole
