from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mycanvas.dataset import Concept, Photo
from mycanvas.errors import InputError
from mycanvas.io.images import Rgb, cut_out
from mycanvas.metrics.references import Cache, cache_folder, encode_references
from mycanvas.metrics.settings import Settings
from tests.mycanvas.metrics.fakes import Colours, png

RANDOM = np.random.default_rng(0)
PIXELS = [RANDOM.integers(0, 256, (20, 30, 3), dtype=np.uint8) for _ in range(3)]
MASK = np.zeros((20, 30), np.uint8)
MASK[5:10, 8:20] = 255
MASK[5, 8] = 0


def photo(pixels: Rgb, *, masked: bool = False, used: bool = True) -> Photo:
    return Photo(id="x", concept="cat", image=png(pixels), mask=png(MASK) if masked else None, used=used)


def concepts() -> list[Concept]:
    """Two concepts that share a photo."""
    photos = [photo(PIXELS[0], masked=True), photo(PIXELS[1], used=False), photo(PIXELS[2], masked=True)]
    return [
        Concept(name="cat", token="<cat>", class_name="cat", photos=tuple(photos[:2])),
        Concept(name="dog", token="<dog>", class_name="dog", photos=(photos[2], photos[0])),
    ]


def test_a_photo_that_concepts_share_is_encoded_once_and_cached(tmp_path: Path) -> None:
    first, again = Colours(), Colours()
    found = encode_references(concepts(), first, Settings(), Cache(tmp_path / "vectors"))
    kept = encode_references(concepts(), again, Settings(), Cache(tmp_path / "vectors"))

    assert len(first.seen) == 3
    assert again.seen == []
    for vectors in (found, kept):
        assert vectors["cat"] == pytest.approx(Colours().images(PIXELS[:2]))
        assert vectors["dog"] == pytest.approx(Colours().images([PIXELS[2], PIXELS[0]]))


def test_masked_photos_are_encoded_apart_and_unused_photos_can_be_left_out(tmp_path: Path) -> None:
    cache, encoder = Cache(tmp_path), Colours()
    encode_references(concepts(), encoder, Settings(), cache)
    masked = encode_references(concepts(), encoder, Settings(references="masked"), cache)
    used = encode_references(concepts(), encoder, Settings(only_used=True), cache)

    grey = np.where(MASK[5:10, 8:20, None] > 0, PIXELS[0][5:10, 8:20], 128).astype(np.uint8)
    assert masked["cat"] == pytest.approx(Colours().images([grey]))
    assert used["cat"] == pytest.approx(Colours().images(PIXELS[:1]))
    assert len(encoder.seen) == 3 + 2


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x80\x04N."])
def test_a_damaged_file_of_the_cache_is_written_again(tmp_path: Path, content: bytes) -> None:
    encode_references(concepts(), Colours(), Settings(), Cache(tmp_path))
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    next(iter(files)).write_bytes(content)
    encoder = Colours()
    encode_references(concepts(), encoder, Settings(), Cache(tmp_path))

    assert len(encoder.seen) == 1
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_a_cache_that_cannot_be_written_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert encode_references(concepts(), Colours(), Settings(), Cache(tmp_path / "file" / "folder")).keys() == {
        "cat",
        "dog",
    }


def test_each_encoder_has_its_own_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("clip@1") is None  # tests turn the user's cache off
    monkeypatch.delenv("MYCANVAS_CACHE")

    assert cache_folder("clip@1").parent == tmp_path / "mycanvas" / "embeddings"
    assert cache_folder("clip@1", tmp_path) != cache_folder("clip@2", tmp_path)


def test_an_unusable_photo_or_mask_is_named() -> None:
    broken = Photo(id="cat/07.jpg", concept="cat", image=b"no")
    with pytest.raises(InputError, match=r"source photo cat/07.jpg: not a picture"):
        encode_references(
            [Concept(name="cat", token="<cat>", class_name="cat", photos=(broken,))], Colours(), Settings()
        )
    with pytest.raises(InputError, match="empty or not of the photo's size"):
        cut_out(PIXELS[0], png(np.zeros((20, 30), np.uint8)))
