"""Decisions about cut-outs, masks from files and brushes, and pictures that only the dataset has."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.prepared_files import read_outline
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.records import CutoutReview
from builder.review.cutouts import MAX_MASK_BYTES
from builder.sources.outlines import outline_of
from mycanvas.io.checked import write_checked
from tests.builder.review.conftest import Routes


@pytest.fixture
def photo(routes: Routes) -> dict[str, Any]:
    """The first photo of the first concept."""
    found: dict[str, Any] = routes.get("/api/cutouts")["concepts"][0]["photos"][0]
    return found


def decide(routes: Routes, photo: dict[str, Any], verdict: str | None, **values: object) -> dict[str, Any]:
    answer = routes.client.post(f"/api/cutouts/{photo['sha256']}", json={"rater": "ana", "verdict": verdict, **values})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def give_mask(routes: Routes, photo: dict[str, Any], content: bytes) -> tuple[int, dict[str, Any]]:
    answer = routes.client.post(f"/api/cutouts/{photo['sha256']}/mask?rater=ana&reason=fixed", content=content)
    return answer.status_code, answer.json()


def png(size: tuple[int, int], box: tuple[int, int, int, int] | None) -> bytes:
    """A mask with a white box."""
    image = Image.new("L", size, 0)
    if box:
        image.paste(255, box)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def picture(routes: Routes, place: str) -> Image.Image:
    answer = routes.client.get(place)
    assert answer.status_code == 200
    return Image.open(io.BytesIO(answer.content))


def test_every_photo_is_listed_with_its_quality_and_why(routes: Routes) -> None:
    concepts = routes.get("/api/cutouts")["concepts"]

    assert [concept["name"] for concept in concepts] == ["ball", "ball2", "box", "cone", "ring", "slab"]
    photos = [photo for concept in concepts for photo in concept["photos"]]
    assert len(photos) == 12
    assert all(photo["used"] and photo["verdict"] is None and photo["why"] for photo in photos)


def test_unreadable_photo_is_named_with_the_reason(routes: Routes) -> None:
    folder = BuildFolder.open(routes.folder)
    sources = replace(folder.sources(), unreadable={"ball/9.png": "damaged"})
    write_checked(folder.sources_file, asdict(sources))

    concepts = {concept["name"]: concept for concept in routes.get("/api/cutouts")["concepts"]}

    assert concepts["ball"]["unreadable"] == ["ball/9.png: damaged"]
    assert len(concepts["ball"]["photos"]) == 2


def test_a_decision_is_kept_by_the_photo_s_content(routes: Routes, photo: dict[str, Any]) -> None:
    refused = decide(routes, photo, "refuse", reason="a hand is in it")

    assert (refused["used"], refused["verdict"], refused["reason"]) == (False, "refuse", "a hand is in it")
    review = build_reviews(BuildFolder.open(routes.folder)).get(photo["sha256"])
    assert review is not None
    assert (review.verdict, review.reason, review.rater) == ("refuse", "a hand is in it", "ana")
    assert decide(routes, photo, "use")["used"]
    assert decide(routes, photo, None) == photo


def test_a_decision_records_the_outline_that_was_seen(routes: Routes, photo: dict[str, Any]) -> None:
    folder = BuildFolder.open(routes.folder)
    reviews = build_reviews(folder)
    reviews.put(CutoutReview(photo=photo["sha256"], verdict="refuse", outline=outline_of(None)))
    undecided = routes.get("/api/cutouts")["concepts"][0]["photos"][0]
    assert (undecided["verdict"], undecided["used"]) == (None, True)
    assert undecided["why"].endswith("; another outline was refused in review")

    assert decide(routes, photo, "refuse", key=photo["key"])["verdict"] == "refuse"

    seen, earlier = reviews.about(photo["sha256"])
    assert (seen.outline, earlier.outline) == (read_outline(folder, photo["key"]), outline_of(None))
    assert decide(routes, photo, None) == undecided
    assert reviews.about(photo["sha256"]) == (earlier,)
    answer = routes.client.post(
        f"/api/cutouts/{photo['sha256']}", json={"rater": "ana", "verdict": "use", "key": "another"}
    )
    assert (answer.status_code, answer.json()) == (
        422,
        {"error": "the photo was cut out again since; reload this page"},
    )


def test_given_mask_is_kept_at_the_photo_s_size_and_shown(routes: Routes, photo: dict[str, Any]) -> None:
    size = picture(routes, f"/pictures/photos/{photo['sha256']}").size

    status, fixed = give_mask(routes, photo, png((2 * size[0], 2 * size[1]), (40, 40, 120, 200)))

    assert (status, fixed["verdict"], fixed["used"], fixed["reason"]) == (200, "use", True, "fixed")
    review = build_reviews(BuildFolder.open(routes.folder)).get(photo["sha256"])
    assert review is not None
    assert review.outline is None  # it counts whatever a segmenter finds
    kept = Image.open(io.BytesIO(build_reviews(BuildFolder.open(routes.folder)).mask(review) or b""))
    assert (kept.format, kept.mode, kept.size) == ("PNG", "L", size)
    assert kept.point(lambda value: 255 * (value > 127)).getbbox() == (20, 20, 60, 100)
    shown = picture(routes, f"/pictures/masks/{photo['sha256']}")
    assert np.array_equal(np.asarray(shown), np.asarray(kept))
    cutout = picture(routes, f"/pictures/cutouts/{photo['sha256']}")
    assert (cutout.mode, cutout.size) == ("RGBA", (40, 80))


def test_a_decision_after_a_mask_can_bring_it_back(routes: Routes, photo: dict[str, Any]) -> None:
    size = picture(routes, f"/pictures/photos/{photo['sha256']}").size
    _, fixed = give_mask(routes, photo, png(size, (20, 20, 100, 100)))

    assert decide(routes, photo, None)["mask"] is None
    assert decide(routes, photo, "use", mask=fixed["mask"])["mask"] == fixed["mask"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (png((100, 300), (10, 10, 90, 90)), "the mask has 100x300 pixels; expected the size of the photo"),
        (png((160, 160), None), "black everywhere; expected white where the object is"),
        (png((8 * 160, 8 * 160), (0, 0, 2, 2)), "black everywhere; expected white where the object is"),
        (
            png((160, 160), (9, 9, 10, 10)),
            "a build could not use this mask: the object is 1 px long, expected at least 64",
        ),
        (png((160, 160), (0, 0, 160, 160)), "white everywhere; expected black around the object"),
        (b"GIF89a" + bytes(80), "GIF is not read; expected JPEG, PNG"),
        (b"", "empty"),
        (png((160, 160), (10, 10, 90, 90))[:60], "damaged"),
    ],
)
def test_what_is_no_mask_is_refused(routes: Routes, photo: dict[str, Any], content: bytes, reason: str) -> None:
    status, answer = give_mask(routes, photo, content)

    assert (status, reason in answer["error"]) == (422, True), answer
    assert build_reviews(BuildFolder.open(routes.folder)).get(photo["sha256"]) is None


def test_mask_of_too_many_bytes_is_refused(routes: Routes, photo: dict[str, Any]) -> None:
    assert give_mask(routes, photo, bytes(MAX_MASK_BYTES + 1)) == (
        422,
        {"error": "the mask is too large; expected at most 32 MiB"},
    )


@pytest.mark.parametrize("kind", ["photos", "cutouts", "masks", "scenes"])
@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../config.json",
        "../../build.json",
        "/etc/passwd",
        "....//etc/passwd",
        "..\\config.json",
        "0" * 64,
        "\0",
        "",
    ],
)
def test_nothing_outside_of_the_dataset_is_served(routes: Routes, kind: str, name: str) -> None:
    once = quote(name, safe="")
    for given in {name if name.isprintable() else once, once, quote(once, safe="")}:
        answer = routes.client.get(f"/pictures/{kind}/{given}")
        assert answer.status_code in {404, 405, 422}, answer.text
        assert "root:" not in answer.text


def test_pages_are_only_those_of_the_program(routes: Routes) -> None:
    assert routes.client.get("/pages/common.js").status_code == 200
    for name in ("../server.py", "..%2fserver.py", "%2e%2e/server.py", "/etc/passwd", "%2fetc%2fpasswd", ""):
        assert routes.client.get(f"/pages/{name}").status_code in {404, 405}


def test_cutouts_of_a_build_without_scenes_are_shown(routes: Routes) -> None:
    for name in ("plan/00000.json", "plan/00000.arrow", "selected.json"):
        (routes.folder / ".build" / name).unlink()
    for file in Path(routes.folder / ".build" / "candidates").iterdir():
        file.unlink()

    assert len(routes.get("/api/cutouts")["concepts"]) == 6
    assert routes.get("/api/scenes?rater=ana")["order"] == []
    (routes.folder / ".build" / "sources.json").unlink()
    assert routes.get("/api/cutouts") == {"concepts": []}
