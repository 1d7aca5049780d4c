from __future__ import annotations

import numpy as np

from mycanvas.io.layers import PictureLayer, flatten


def test_layers_are_blended_back_to_front_at_their_places() -> None:
    red = np.full((4, 6, 4), (200, 0, 0, 255), np.uint8)
    half_green = np.full((2, 3, 4), (0, 200, 0, 128), np.uint8)
    blue = np.full((1, 1, 4), (0, 0, 200, 255), np.uint8)

    picture = flatten(
        [
            PictureLayer(kind="background", rgba=red),
            PictureLayer(kind="object", index=0, x=2, y=1, rgba=half_green),
            PictureLayer(kind="object", index=1, x=2, y=1, rgba=blue),
        ]
    )

    assert picture[0, 0].tolist() == [200, 0, 0]
    assert picture[2, 4].tolist() == [100, 100, 0]
    assert picture[1, 2].tolist() == [0, 0, 200]


def test_whole_layer_is_transparent_around_its_pixels() -> None:
    layer = PictureLayer(kind="object", index=0, x=2, y=1, rgba=np.full((2, 3, 4), 9, np.uint8))

    whole = layer.whole(4, 6)

    assert whole.shape == (4, 6, 4)
    assert (whole[1:3, 2:5] == 9).all()
    assert whole.sum() == layer.rgba.sum()
