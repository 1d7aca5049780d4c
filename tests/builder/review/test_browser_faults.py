"""The pages in a real Chromium when something goes wrong: no network, held keys, refused answers, another person."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.reviewed_cutouts import build_reviews
from mycanvas.ratings.store import RatingStore
from tests.builder.review.chromium import EXECUTABLE, SCENE, Server, call, enter, open_tab, rank_on, saved, shown, state
from tests.builder.review.test_study import make_study

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no chromium is installed")


@pytest.fixture(scope="module")
def folder(reviewed_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset under review, for several tests with a rater each."""
    return Path(shutil.copytree(reviewed_build, tmp_path_factory.mktemp("faults") / "out"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Started with --rater eve and a study of the dataset's concepts."""
    study = make_study(folder.parent / "study", kind="pairs")
    prompts = folder.parent / "study" / "images.jsonl"
    prompts.write_text(prompts.read_text().replace("cat2+dog6", "ball+ring"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYCANVAS_REVIEWS", str(folder.parent / "reviews"))
        with Server(folder, "--rater", "eve", "--study", study) as started:
            yield started


def ranks_of(folder: Path, rater: str) -> dict[str, int]:
    ratings = RatingStore(folder / ".build" / "review.sqlite").ratings()
    return {each.item: each.score for each in ratings if each.rater == rater}


def scenes_of(page: Page, server: Server, rater: str) -> None:
    """Open the tab Scenes for a person."""
    enter(page, server, rater)
    open_tab(page, "Scenes", SCENE)
    call(page, rater)
    shown(page)


def test_only_scenes_that_were_shown_get_a_rank_without_a_network(folder: Path, server: Server, page: Page) -> None:
    posted: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/ranks"):
            posted.append(json.loads(request.post_data or "{}")["item"])

    scenes_of(page, server, "offline")
    page.wait_for_load_state("networkidle")
    page.on("request", note)
    page.context.set_offline(True)
    given: dict[str, int] = {}
    rank_on(page, 6, given)  # the first, and the five that were loaded ahead
    page.wait_for_selector("[aria-busy]")
    caption = page.inner_text(SCENE)
    for key in "1234":
        page.keyboard.press(key)
    page.wait_for_selector(".mc-lost:visible:has-text('does not answer')")
    assert (page.inner_text(SCENE), state(page)) == (caption, f"6 / 40 · rank {[*given.values()][-1]}")

    page.context.set_offline(False)
    page.wait_for_selector(".mc-lost", state="hidden")
    shown(page)
    saved(page)
    assert state(page) == "7 / 40 · no rank yet"
    rank_on(page, 1, given)
    saved(page)
    assert ranks_of(folder, "offline") == given
    assert set(posted) == set(given)


def test_held_keys_decide_once(folder: Path, server: Server, page: Page) -> None:
    scenes_of(page, server, "holder")
    for _ in range(6):
        page.keyboard.down("3")
        shown(page)
    page.keyboard.up("3")
    page.locator(".mc-rank:visible").nth(1).focus()
    for _ in range(6):
        page.keyboard.down("Enter")
        shown(page)
    page.keyboard.up("Enter")
    saved(page)
    assert sorted(ranks_of(folder, "holder").values()) == [2, 3]

    open_tab(page, "Cut-outs", ".mc-tile")
    for opener in ("", "z"):
        if opener:
            page.keyboard.press(opener)
        for _ in range(4):
            page.keyboard.down("r")
        page.keyboard.up("r")
    page.keyboard.press("z")
    saved(page)
    refused = [each for each in build_reviews(BuildFolder.open(folder)).every().values() if each.rater == "holder"]
    assert [each.verdict for each in refused] == ["refuse"] * 2


def test_person_who_was_called_counts_in_every_tab_and_after_a_reload(folder: Path, server: Server, page: Page) -> None:
    enter(page, server, "eve")
    assert page.inner_text(".mc-link:visible") == "eve"
    call(page, "bo")
    open_tab(page, "Scenes", SCENE)
    rank_on(page, 1, {})
    page.reload()
    page.wait_for_selector(SCENE, state="visible")  # the tab that was open
    rank_on(page, 1, {})
    saved(page)
    open_tab(page, "Study", ".mc-cell")
    shown(page)
    page.keyboard.press("1")
    saved(page)

    store = RatingStore(folder / ".build" / "review.sqlite")
    assert len(ranks_of(folder, "bo")) == 2
    assert {each.rater for each in store.choices()} == {"bo"}
    assert "eve" not in {each.rater for each in store.ratings()}


def test_answer_that_is_refused_does_not_count(server: Server, page: Page) -> None:
    scenes_of(page, server, "refused")
    page.route("**/api/ranks", lambda route: route.fulfill(status=422, json={"error": "no such scene"}))
    rank_on(page, 1, {})
    page.wait_for_selector(".mc-error:visible:has-text('not saved: no such scene')")
    assert page.inner_text(".mc-count:visible").startswith("0 of ")
    assert page.inner_text(".mc-saving:visible") == "the last answer is not saved"

    page.unroute("**/api/ranks")
    rank_on(page, 1, {})
    saved(page)
    assert page.inner_text(".mc-count:visible").startswith("1 of ")
    assert page.locator(".mc-error:visible").count() == 0


def test_study_opens_with_photos_and_buttons_in_view_and_nothing_chosen(server: Server, page: Page) -> None:
    enter(page, server, "student")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.wait_for_selector(".mc-cell:visible")
    shown(page)

    captions = page.locator(".mc-concept-photos figcaption").all_inner_texts()
    assert [text.split(":")[0] for text in captions] == ["ball", "ring"]
    assert page.locator(".mc-concept-photos img").count() > 2
    boxes = [cell.bounding_box() for cell in page.locator(".mc-cell").all()]
    assert all(box and box["y"] + box["height"] < 900 for box in boxes)
    assert page.locator(".mc-cell[aria-pressed=true], .mc-cell.mc-active").count() == 0


def test_reason_for_an_undecided_cutout_asks_for_the_decision(folder: Path, server: Server, page: Page) -> None:
    enter(page, server, "eve")
    call(page, "reasoner")
    at = page.evaluate("[...document.querySelectorAll('.mc-tile')].findIndex((tile) => !tile.querySelector('.mc-by'))")
    page.evaluate(f"document.querySelectorAll('.mc-tile')[{at}].focus()")
    page.keyboard.press("t")
    page.keyboard.press("1")
    page.fill("dialog input", "a hand")
    page.keyboard.press("Enter")
    page.wait_for_selector(".mc-tile.mc-current.mc-refused:has-text('a hand')")
    saved(page)

    given = [each for each in build_reviews(BuildFolder.open(folder)).every().values() if each.rater == "reasoner"]
    assert [(each.verdict, each.reason) for each in given] == [("refuse", "a hand")]
