"""The report in Chromium, from a file and without a network: its sliders, its count, its command, its overlays."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import read_manifest
from builder.pipeline.reviewed_cutouts import build_reviews, current_sources
from builder.records import CutoutReview
from mycanvas.ratings.entries import AnyEntry, Flag, Rating
from mycanvas.ratings.events import Event, new_id
from mycanvas.ratings.store import RatingStore

CHROMIUM = shutil.which("chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason="skipped: playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="skipped: chromium is not installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a file in a window of this width; fails on an error in the page, or if it asks the network for anything."""
    faults: list[str] = []
    contexts = []

    def opened(file: Path, width: int = 1400, **settings: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **settings)
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda message: faults.append(message.text))
        tab.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: None if request.url == file.as_uri() else faults.append(request.url[:80]))
        tab.goto(file.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert not [fault for fault in faults if not fault.startswith("data:")]


def kept_by(command: str, folder: Path, tmp_path: Path) -> dict[str, int]:
    """The scenes of each split that the command of a page keeps, in a copy of the build with another selection."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    main(["select", str(copy), "--max-border", "none", "--min-size", "0.001", "--duplicate-bits", "0"])
    words = shlex.split(command)
    assert words[:3] == ["mycanvas", "select", str(folder)]
    main(["select", str(copy), *words[3:]])
    return dict(read_manifest(BuildFolder(copy)).funnel.ordered().kept)


def counts(tab: Any) -> dict[str, int]:
    shown = {
        name: int(count) for name, count in (part.split(" ") for part in tab.inner_text("#kept_by_split").split(", "))
    }
    assert sum(shown.values()) == int(tab.inner_text("#kept"))
    return shown


def slider(tab: Any, key: str) -> Any:
    """As people who hear the page find it."""
    return tab.get_by_role("slider", name=f"{'lower' if key.startswith('min_') else 'upper'} bound on {key[4:]}")


def settle(tab: Any) -> None:
    tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_page_starts_with_the_current_selection(selected: Path, page: Path, show: Callable[..., Any]) -> None:
    tab = show(page)

    funnel = read_manifest(BuildFolder(selected)).funnel.ordered()
    assert counts(tab) == funnel.kept
    options = "--reset --min-visible 0.75 --max-overlap 0.2 --duplicate-bits 14 --per-composition 4"
    assert tab.inner_text("#command") == f"mycanvas select {selected} {options}"
    assert all(f"{reason}: {count}" in tab.inner_text("#dropped") for reason, count in funnel.dropped.items())


def test_count_of_thresholds_moved_by_keys_is_what_select_keeps(
    selected: Path, page: Path, show: Callable[..., Any], tmp_path: Path
) -> None:
    tab = show(page)
    before = counts(tab)
    slider(tab, "min_visible").focus()
    for key in ("ArrowLeft", "PageDown", "ArrowRight", "PageDown"):
        tab.keyboard.press(key)
    slider(tab, "max_overlap").focus()
    tab.keyboard.press("End")
    slider(tab, "max_seam").focus()
    for _ in range(3):
        tab.keyboard.press("PageDown")
    tab.fill("#per_composition", "6")
    tab.fill("#duplicate_bits", "10")
    settle(tab)

    assert slider(tab, "max_overlap").get_attribute("aria-valuetext") == "no bound"
    command = tab.inner_text("#command")
    assert "--max-overlap none" in command
    assert "--per-composition 6" in command
    assert counts(tab) != before
    assert counts(tab) == kept_by(command, selected, tmp_path)
    tab.click("#reset")
    settle(tab)
    assert counts(tab) == before


def test_decisions_of_people_count_as_select_counts_them(
    selected: Path, show: Callable[..., Any], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(selected, tmp_path / "out"))
    build, store = BuildFolder(folder), RatingStore(BuildFolder(folder).review_file)
    scenes = [row for index, _ in build.markers() for row in build.candidates(index, ("id", "source_images"))]
    for number, scene in enumerate(scenes[:40]):
        if number % 4 == 3:
            entry: AnyEntry = Flag(item=scene["id"], rater="ann", reason="floating")
        else:
            entry = Rating(item=scene["id"], rater="ann", score=1 + number % 5)
        store.add(Event(id=new_id(), entry=entry))
    photo = next(photo for photo in current_sources(build).photos if photo.id == scenes[50]["source_images"][0])
    build_reviews(build).put(CutoutReview(photo=photo.sha256, verdict="refuse"))
    main(["inspect", str(folder), "--html"])

    tab = show(folder / "report.html")
    tab.fill("#min_rank", "3")
    settle(tab)

    dropped = tab.inner_text("#dropped")
    assert "rank 1: " in dropped
    assert "flagged: floating: " in dropped
    assert f"cut-out refused: {photo.id}: " in dropped
    assert counts(tab) == kept_by(tab.inner_text("#command"), folder, tmp_path)


@pytest.mark.parametrize("touch", [False, True])
def test_count_of_a_dragged_threshold_is_what_select_keeps(
    selected: Path, page: Path, show: Callable[..., Any], tmp_path: Path, touch: bool
) -> None:
    tab = show(page, 420, has_touch=touch)
    handle = slider(tab, "min_visible")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    start, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if touch:
        session = tab.context.new_cdp_session(tab)
        for kind, x in (
            ("touchStart", start),
            ("touchMove", start + 40),
            ("touchMove", start + 80),
            ("touchEnd", None),
        ):
            points = [] if x is None else [{"x": x, "y": y}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    else:
        tab.mouse.move(start, y)
        tab.mouse.down()
        tab.mouse.move(start + 80, y, steps=4)
        tab.mouse.up()
    settle(tab)

    command = tab.inner_text("#command")
    assert "--min-visible 0." in command
    assert float(handle.get_attribute("aria-valuenow")) > 0.75
    assert counts(tab) == kept_by(command, selected, tmp_path)


def test_command_is_copied(page: Path, show: Callable[..., Any]) -> None:
    tab = show(page, permissions=["clipboard-read", "clipboard-write"])
    slider(tab, "min_visible").press("ArrowRight")
    settle(tab)
    tab.click("#copy")
    tab.wait_for_function("document.querySelector('#copied').textContent === 'Copied.'")

    assert tab.evaluate("navigator.clipboard.readText()") == tab.inner_text("#command")


def test_scenes_can_be_chosen_and_their_boxes_and_masks_switched(page: Path, show: Callable[..., Any]) -> None:
    tab = show(page)
    boxes, masks = tab.locator("#sheet .box"), tab.locator("#sheet .mask")

    assert boxes.first.is_visible()
    assert not masks.first.is_visible()
    tab.uncheck("#boxes")
    tab.check("#masks")
    assert not boxes.first.is_visible()
    assert masks.first.is_visible()
    tab.select_option("#state", "dropped")
    assert tab.inner_text("#sheet .why >> nth=0").startswith("dropped: ")
    tab.select_option("#order", label="visible, worst first")
    tab.select_option("#state", "all")
    values = [float(text.split("visible ")[1].split(";")[0]) for text in tab.locator("#sheet .why").all_inner_texts()]
    assert values == sorted(values)
    assert len(values) == 60
    tab.click("#more")
    assert tab.locator("#sheet figure").count() > 60
    assert tab.locator("#duplicate_groups .group").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_a_narrow_window(page: Path, show: Callable[..., Any], scheme: str) -> None:
    tab = show(page, 420, color_scheme=scheme)

    assert tab.evaluate("document.documentElement.scrollWidth") == 420
    light = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")


def test_hostile_text_runs_nothing(hostile: Path, show: Callable[..., Any]) -> None:
    tab = show(hostile)

    assert "</script><!--<script>alert(1)</script><img src=x" in tab.inner_text("#sheet figcaption >> nth=0")
    assert tab.locator("#sheet img, figcaption script").count() == 0
