"""The size of a scene's image, and the pixels of each of its objects."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from mycanvas.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mycanvas.dataset import Scene


def size_of(scene: Scene) -> tuple[int, int]:
    """Read the image's width and height in pixels from its header.

    Raises:
        InputError: it has no JPEG header.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(scene.image), formats=["JPEG"]) as image:
            return image.size
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"the image of scene {scene.id} cannot be read: {error}") from error


def objects_of(scene: Scene) -> NDArray[np.uint8]:
    """The visible pixels of each object: uint8 [H, W, objects] of 0 and 1, in Fortran order, as pycocotools expects.

    Raises:
        InputError: the mask cannot be read, has not the image's size, or has more objects than the scene has boxes.
    """
    import numpy as np
    from PIL import Image

    width, height = size_of(scene)
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(scene.mask), formats=["PNG"]) as mask:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if mask.size != (width, height) or mask.mode not in {"P", "L"}:
                raise InputError(
                    f"the mask of scene {scene.id} is {mask.mode} {mask.width}x{mask.height}; "
                    f"expected a palette and {width}x{height}, as its image has"
                )
            numbers = np.asarray(mask)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise InputError(f"the mask of scene {scene.id} cannot be read: {error}") from error
    count = len(scene.boxes)
    if numbers.max(initial=0) > count:
        raise InputError(f"the mask of scene {scene.id} shows object {numbers.max()}; it has {count} boxes")
    return np.stack([numbers == number + 1 for number in range(count)], axis=2).astype(np.uint8, order="F")
