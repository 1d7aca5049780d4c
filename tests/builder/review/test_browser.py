"""The pages in a real Chromium: by keys, with undo, reload, several raters, and a server that is killed."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.reviewed_cutouts import build_reviews
from builder.records import CutoutReview
from mycanvas.dataset import open_dataset
from mycanvas.ratings.store import RatingStore
from tests.builder.review.chromium import (
    EXECUTABLE,
    SCENE,
    Server,
    call,
    enter,
    open_tab,
    rank_on,
    saved,
    shown,
    state,
)
from tests.builder.review.test_study import make_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium is installed")

HOSTILE = "<img src=x onerror=document.title='owned'>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """A dataset under review. photos: what it was built from."""

    server: Server
    folder: Path
    photos: Path


@pytest.fixture(scope="module")
def reviewed(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    """One server for several tests, each with a rater of its own; the name of a concept is hostile."""
    base = tmp_path_factory.mktemp("reviewed")
    shutil.copytree(shapes, base / "photos")
    (base / "photos" / "ball").rename(base / "photos" / HOSTILE)
    (base / "photos" / "concepts.toml").write_text(
        f'[{json.dumps(HOSTILE)}]\nclass_noun = "ball"\ntoken = "<script>"\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYCANVAS_REVIEWS", str(base / "reviews"))
        build(base / "photos", base / "out", 24)
        with Server(base / "out", "--study", make_study(base / "study")) as server:
            yield Reviewed(server=server, folder=base / "out", photos=base / "photos")


def build(photos: Path, output: Path, samples: int) -> None:
    arguments = ["--concepts", photos, "--output", output, "--samples", samples, "--resolution", 128, "--workers", 1]
    main(["build", *map(str, arguments)])


def decisions(folder: Path) -> dict[str, CutoutReview]:
    """The decisions about cut-outs by photo, without their times."""
    found = build_reviews(BuildFolder.open(folder)).every()
    return {photo: replace(review, at="") for photo, review in found.items()}


def store(folder: Path) -> RatingStore:
    return RatingStore(folder / ".build" / "review.sqlite")


def loaded(page: Page, count: int) -> None:
    """Wait until this many scenes are there: those ahead too."""
    page.wait_for_function(
        "count => ['/pictures/scenes/', '/api/scenes/'].every(place => new Set(performance.getEntriesByType('resource')"
        ".map(({name}) => name).filter(name => name.includes(place))).size >= count)",
        arg=count,
    )


def test_picture_that_could_not_be_loaded_is_asked_for_again(dataset: Path, page: Page) -> None:
    with Server(dataset) as server:
        enter(page, server, "ana")
        page.route("**/pictures/scenes/*", lambda route: route.abort())
        page.get_by_role("tab", name="Scenes").click()
        page.wait_for_selector(".mc-live:has-text('cannot be shown yet')")
        page.keyboard.press("4")
        page.wait_for_selector(".mc-live:has-text('Wait')")
        assert not page.is_visible(SCENE)

        page.unroute("**/pictures/scenes/*")
        page.wait_for_selector(SCENE)
        assert state(page) == "1 / 40 · no rank yet"
        rank_on(page, 1, {})

        page.wait_for_function("document.querySelector('.mc-state').textContent.startsWith('2 / 40')")


def test_every_rank_is_there_once_though_the_server_is_killed(dataset: Path, page: Page) -> None:
    given: dict[str, int] = {}
    with Server(dataset) as server:
        enter(page, server, "ana")
        open_tab(page, "Scenes", SCENE)
        rank_on(page, 8, given)
        saved(page)
        page.keyboard.press("u")
        page.wait_for_function("document.querySelector('.mc-state').textContent.startsWith('8 / 40 · no rank')")
        given.popitem()
        rank_on(page, 4, given)
        saved(page)
        page.reload()
        open_tab(page, "Scenes", SCENE)
        assert state(page) == "12 / 40 · no rank yet"
        rank_on(page, 6, given)
        loaded(page, 6 + 1 + 5)
        server.kill()
        rank_on(page, 5, given)
        page.wait_for_selector(".mc-waiting:visible")
        assert "not saved yet" in page.inner_text(".mc-saving:visible")

    with Server(dataset, port=server.port) as server:
        enter(page, server, "ana")
        open_tab(page, "Scenes", SCENE)
        saved(page)
        shown(page)
        assert state(page) == "23 / 40 · no rank yet"
        rank_on(page, 8, given)
        saved(page)
        call(page, "bo")
        page.wait_for_function("document.querySelector('.mc-state').textContent === '1 / 40 · no rank yet'")
        of_bo: dict[str, int] = {}
        rank_on(page, 3, of_bo)
        saved(page)
        assert server.stop() == 0
        assert any("mycanvas select" in line for line in server.lines)

    ratings = store(dataset).ratings()
    assert len(given) == 30
    assert {each.item: each.score for each in ratings if each.rater == "ana"} == given
    assert {each.item: each.score for each in ratings if each.rater == "bo"} == of_bo
    assert max(Counter((each.rater, each.item) for each in ratings).values()) == 1


def test_flag_of_a_bad_cutout_leads_to_it_and_select_drops_its_scenes(
    reviewed: Reviewed, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["select", str(reviewed.folder)])
    before = {scene.id: scene.source_images for scene in open_dataset(reviewed.folder).scenes()}
    enter(page, reviewed.server, "flagger")
    open_tab(page, "Scenes", SCENE)
    page.keyboard.press("f")
    page.keyboard.press("5")
    if page.locator(".mc-photos figure").count() > 1:
        page.wait_for_selector("dialog[aria-label='Which cut-out is bad?']")
        page.keyboard.press("1")
    page.wait_for_function("document.activeElement.matches('.mc-tile')")
    name = page.evaluate("document.activeElement.getAttribute('aria-label').split(':')[0]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".mc-tile.mc-current.mc-refused")
    saved(page)
    capsys.readouterr()

    main(["select", str(reviewed.folder)])

    after = {scene.id for scene in open_dataset(reviewed.folder).scenes()}
    (flag,) = store(reviewed.folder).flags()
    assert (flag.rater, flag.photo) == ("flagger", name)
    gone = {scene for scene, photos in before.items() if name in photos}
    assert after == {*before} - gone - {flag.item}
    assert 0 < len(after) < len(before)
    assert f"cut-out refused: {name}" in capsys.readouterr().out


def test_click_flips_keys_move_and_undo_restores(reviewed: Reviewed, page: Page) -> None:
    before = decisions(reviewed.folder)
    enter(page, reviewed.server, "clicker")
    text = "document.querySelectorAll('.mc-tile')[{}].textContent"

    page.locator(".mc-tile").nth(6).click()
    page.wait_for_function(f"{text.format(6)}.startsWith('refused')")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.wait_for_function(f"{text.format(7)}.startsWith('refused')")
    page.keyboard.press("t")
    page.fill("dialog input", "<b>a hand</b>")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{text.format(7)}.includes('<b>a hand</b>')")
    changed = [review for photo, review in decisions(reviewed.folder).items() if review != before.get(photo)]
    assert sorted((review.verdict, review.reason) for review in changed) == [
        ("refuse", ""),
        ("refuse", "<b>a hand</b>"),
    ]

    page.keyboard.press("u")
    page.wait_for_function(f"!{text.format(7)}.includes('a hand')")
    page.keyboard.press("Control+z")
    page.wait_for_function(f"{text.format(7)}.startsWith('used')")
    page.keyboard.press("u")
    page.wait_for_function(f"{text.format(6)}.startsWith('used')")
    assert decisions(reviewed.folder) == before


def test_one_key_decides_and_goes_on_in_the_grid_and_large(reviewed: Reviewed, page: Page) -> None:
    for photo in decisions(reviewed.folder):
        build_reviews(BuildFolder.open(reviewed.folder)).remove(photo)
    before = decisions(reviewed.folder)
    enter(page, reviewed.server, "decider")
    at = "[...document.querySelectorAll('.mc-tile')].findIndex((tile) => tile.matches('.mc-current'))"
    first = page.evaluate(at)

    page.keyboard.press("r")
    page.keyboard.press("a")
    page.keyboard.press("z")
    page.wait_for_selector(".mc-large .mc-check img")
    page.keyboard.press("a")
    page.keyboard.press("r")
    page.wait_for_function(f"document.querySelectorAll('.mc-tile')[{first + 3}].textContent.startsWith('refused')")
    page.keyboard.press("z")
    page.wait_for_selector("dialog", state="detached")
    saved(page)

    assert page.evaluate(at) == first + 4
    given = [each for photo, each in decisions(reviewed.folder).items() if each != before.get(photo)]
    assert sorted((each.rater, each.verdict) for each in given) == [
        *[("decider", "refuse")] * 2,
        *[("decider", "use")] * 2,
    ]
    for _ in given:
        page.keyboard.press("u")
    page.wait_for_function("!document.querySelector('.mc-tile .mc-by')")
    saved(page)
    assert decisions(reviewed.folder) == before


def test_brushed_mask_is_used_by_a_fresh_build(reviewed: Reviewed, page: Page, tmp_path: Path) -> None:
    enter(page, reviewed.server, "painter")
    page.keyboard.press("x")
    canvas = page.wait_for_selector(".mc-brush")
    box = canvas.bounding_box() if canvas else None
    assert box
    page.keyboard.press("e")
    for _ in range(20):
        page.keyboard.press("]")
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"])
    page.mouse.down()
    page.mouse.move(middle, box["y"] + 0.05 * box["height"], steps=4)
    page.mouse.up()
    page.keyboard.press("s")
    page.wait_for_selector("dialog", state="detached")
    saved(page)

    (review,) = (review for review in decisions(reviewed.folder).values() if review.rater == "painter")
    mask = build_reviews(BuildFolder.open(reviewed.folder)).mask(review)
    brushed = np.asarray(Image.open(io.BytesIO(mask or b""))) > 127
    before = outline(reviewed.folder, review.photo)
    assert (review.verdict, review.reason) == ("use", "fixed with a brush")
    assert before.any(axis=1).argmax() + 20 < brushed.any(axis=1).argmax()
    assert (before[150:] == brushed[150:]).all()
    build(reviewed.photos, tmp_path / "new", 6)
    assert np.array_equal(outline(tmp_path / "new", review.photo), brushed & before)


def outline(folder: Path, sha256: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The outline by which a build has cut out a photo."""
    found = BuildFolder.open(folder)
    (photo,) = (photo for photo in found.sources().photos if photo.sha256 == sha256)
    return np.asarray(Image.open(found.cutout_file(photo.key, "mask.png"))) > 127


def test_study_by_keys_shows_no_arm(reviewed: Reviewed, page: Page) -> None:
    got: list[str] = []
    page.on("response", lambda answer: got.append(f"{answer.url} {answer.headers}"))
    enter(page, reviewed.server, "judge")
    open_tab(page, "Study", ".mc-cell")

    shown(page)
    for key in "123456":
        page.keyboard.press(key)
    page.wait_for_function("document.querySelector('.mc-board').closest('.mc').textContent.includes('2 / 3')")
    shown(page)
    page.keyboard.press("0")
    page.keyboard.press("u")
    page.wait_for_function("[...document.querySelectorAll('.mc-cell b')].every((cell) => cell.textContent === '·')")
    saved(page)

    assert "secret" not in page.content()
    assert not any("secret" in each for each in got)
    given = store(reviewed.folder).preferences()
    assert sorted(each.score for each in given) == [1, 2, 3, 4, 5, 6]
    assert {each.question for each in given} == {"personalization", "alignment"}
    assert len({each.arm for each in given}) == 3


def test_text_of_the_dataset_is_text(reviewed: Reviewed, page: Page) -> None:
    enter(page, reviewed.server, HOSTILE)
    assert HOSTILE in page.inner_text(".mc-concepts")
    open_tab(page, "Scenes", SCENE)
    nouns = [text.split()[-1] for text in page.locator(".mc-photos figcaption").all_inner_texts()]
    caption = f"{HOSTILE} {' and a '.join(nouns)}"
    page.keyboard.press("e")
    page.fill("dialog textarea", "nothing")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog .mc-error:not([hidden])")
    page.fill("dialog textarea", caption)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")

    assert page.inner_text(SCENE) == caption
    assert HOSTILE in page.inner_text(".mc-scene ~ *, .mc-bar:visible")
    assert page.title() != "owned"
    assert page.locator("img[src=x]").count() == 0
    assert caption in store(reviewed.folder).captions().values()


def test_narrow_dark_page_fits_and_its_help_opens_by_key(reviewed: Reviewed, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 860}, color_scheme="dark")
    page = context.new_page()
    enter(page, reviewed.server, "walker")
    for title, ready in (("Cut-outs", ".mc-tile"), ("Scenes", SCENE), ("Study", ".mc-cell")):
        open_tab(page, title, ready)
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        page.keyboard.press("?")
        assert "previous and next tab" in page.inner_text("dialog")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    open_tab(page, "Cut-outs", ".mc-tile")
    page.set_viewport_size({"width": 420, "height": 480})
    page.keyboard.press("z")
    page.wait_for_function("document.querySelector('.mc-large img')?.naturalWidth")
    assert page.get_by_role("button", name="refuse").last.is_visible()
    assert page.evaluate("document.querySelector('dialog .mc-tools').getBoundingClientRect().bottom") <= 480
    page.keyboard.press("z")
    dark = "getComputedStyle(document.querySelector('.mc-bar')).backgroundColor.match(/[0-9]+/g).map(Number)"
    assert max(page.evaluate(dark)[:3]) < 60
    context.close()


@pytest.mark.long
def test_pairs_by_keys(dataset: Path, page: Page, tmp_path: Path) -> None:
    with Server(dataset, "--study", make_study(tmp_path / "study", kind="pairs")) as server:
        enter(page, server, "ana")
        open_tab(page, "Study", ".mc-cell")
        for key in ("ArrowLeft", "ArrowRight", "1", "2"):
            shown(page)
            page.keyboard.press(key)
        page.wait_for_function("document.querySelector('.mc-board').closest('.mc').textContent.includes('3 / 9')")
        saved(page)
    choices = store(dataset).choices()
    assert [each.arms.index(each.chosen) for each in choices] == [0, 1, 0, 1]
