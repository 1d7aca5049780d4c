"""The size of a scene's image, and the pixels of each of its objects."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mycanvas.dataset import picture_kind
from mycanvas.errors import InputError
from mycanvas.io.text import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mycanvas.dataset import Scene


def size_of(scene: Scene) -> tuple[int, int]:
    """Read the image's width and height in pixels from its header.

    Raises:
        InputError: it has no JPEG header, or too many pixels.
    """
    return picture_kind(scene.image, ["JPEG"], f"the image of scene {scene.id}")[1]


def objects_of(scene: Scene) -> NDArray[np.uint8]:
    """The visible pixels of each object: uint8 [H, W, objects] of 0 and 1, in Fortran order, as pycocotools expects.

    Raises:
        InputError: the mask cannot be read, has not the image's size, or has more objects than the scene has boxes.
    """
    import numpy as np
    from PIL import Image

    from mycanvas.io.formats import DECODER_ERRORS

    width, height = size_of(scene)
    picture_kind(scene.mask, ["PNG"], f"the mask of scene {scene.id}")
    try:
        with Image.open(io.BytesIO(scene.mask), formats=["PNG"]) as mask:
            if mask.size != (width, height) or mask.mode not in {"P", "L"}:
                raise InputError(
                    f"the mask of scene {scene.id} is {mask.mode} {mask.width}x{mask.height}; "
                    f"expected a palette and {width}x{height}, as its image has"
                )
            numbers = np.asarray(mask)
    except DECODER_ERRORS as error:
        raise InputError(f"the mask of scene {scene.id} cannot be read: {printable(str(error))}") from error
    count = len(scene.boxes)
    if numbers.max(initial=0) > count:
        raise InputError(f"the mask of scene {scene.id} shows object {numbers.max()}; it has {count} boxes")
    return np.stack([numbers == number + 1 for number in range(count)], axis=2).astype(np.uint8, order="F")
