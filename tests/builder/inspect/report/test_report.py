"""The report as a file: its numbers, its size, and text of others in it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from builder.cli.main import main
from builder.inspect.report.thumbnails import LEVELS, MARGIN, Level, fitting_level
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.manifest import read_manifest
from mycanvas.dataset import open_dataset
from mycanvas.schema import SCORES


class Tags(HTMLParser):
    """The names of all elements, their attributes, and the text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] not in {"script", "style"}:
            self.text += data


def data_in(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_report_holds_every_candidate_with_its_scores_and_picture(selected: Path, page: Path) -> None:
    folder = BuildFolder(selected)
    rows = {row["id"]: row for index, _ in folder.markers() for row in folder.candidates(index)}

    data = data_in(page.read_text())

    assert {row["id"] for row in data["rows"]} == set(rows)
    for row in data["rows"]:
        expected = rows[row["id"]]
        assert row["scores"] == [expected["scores"][name] for name in SCORES]
        assert (row["fingerprint"][0] << 32) + row["fingerprint"][1] == expected["fingerprint"]
        assert row["caption"] == expected["caption"]
        assert len(row["masks"]) == len(row["boxes"]) == len(expected["boxes"])
        assert row["image"].startswith("data:image/jpeg;base64,")


def test_report_counts_steps_splits_and_reasons(selected: Path, page: Path) -> None:
    funnel = read_manifest(BuildFolder(selected)).funnel.ordered()

    text = " ".join(Tags(page.read_text()).text.split())

    assert f"{sum(funnel.kept.values())} scenes kept of {sum(funnel.made.values())} made" in text
    assert funnel.dropped.keys() >= {"near-duplicate", "quota"}
    assert all(f"dropped: {reason}−{count}" in text for reason, count in funnel.dropped.items())
    assert all(f"{count}" in text for count in funnel.kept.values())


def test_report_loads_nothing_and_names_every_plot(page: Path) -> None:
    tags = Tags(page.read_text())

    links = [
        value for _, values in tags.elements for name, value in values.items() if name in {"src", "href", "action"}
    ]
    plots = [values for name, values in tags.elements if name == "svg" and values.get("aria-hidden") != "true"]
    assert all(link and link.startswith(("#", "data:image/jpeg")) for link in links)
    assert set(re.findall(r"\w+://[\w.]+", page.read_text())) == {"http://www.w3.org"}
    assert plots
    assert all(plot.get("role") in {"img", "group"} and plot.get("aria-label") for plot in plots)
    assert all(values.get("alt") for name, values in tags.elements if name == "img")


def test_report_is_the_same_each_time(selected: Path, page: Path, tmp_path: Path) -> None:
    main(["inspect", str(selected), "--html", str(tmp_path / "again.html")])

    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_text_of_others_is_text_in_the_page(page: Path, hostile: Path) -> None:
    plain, tags = Tags(page.read_text()), Tags(hostile.read_text())

    found, expected = (Counter(name for name, _ in each.elements) for each in (tags, plain))
    assert found.keys() == expected.keys()
    assert all(found[name] == expected[name] for name in ("script", "style", "img", "figure", "a", "section"))
    assert not any(name.startswith("on") for _, values in tags.elements for name in values)
    assert r"</script><!--<script>alert(1)</script>" in tags.text
    assert not re.search("[\u202e\x1b]", hostile.read_text())
    assert data_in(hostile.read_text())["rows"][0]["caption"].startswith("</script><!--<script>")


@pytest.mark.parametrize(
    ("name", "code", "complaint"),
    [
        ("README.md", 2, "a report is a page, got"),
        ("mine.html", 1, "exists and is no report of mycanvas"),
        ("new/report.html", 1, "is not a folder"),
    ],
)
def test_report_replaces_no_other_file(
    selected: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, complaint: str
) -> None:
    for file in ("README.md", "mine.html"):
        (tmp_path / file).write_text("<!DOCTYPE html>mine")

    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(selected), "--html", str(tmp_path / name)])

    said = capsys.readouterr()
    assert ended.value.code == code
    assert "planned" in said.out
    assert complaint in said.err
    assert "with --html FILE.html" in said.err
    assert {file.read_text() for file in tmp_path.iterdir()} == {"<!DOCTYPE html>mine"}


def test_report_is_written_beside_the_card_and_replaces_an_earlier_one(
    build_shapes: Callable[[int, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = build_shapes(4, 128)
    for _ in range(2):
        main(["inspect", str(folder), "--html"])
    main(["inspect", str(folder), "--html", "--json"])

    assert f"report: {folder / 'report.html'}" in capsys.readouterr().out
    assert not (folder / "contact_sheet.png").exists()
    assert len(list(open_dataset(folder).ids())) > 0


@pytest.mark.parametrize("other", ["--cutouts", "--sheet=sheet.png"])
def test_report_and_sheet_at_once_are_refused(selected: Path, capsys: pytest.CaptureFixture[str], other: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(selected), "--html", other])

    assert ended.value.code == 2
    assert "--html writes no contact sheet" in capsys.readouterr().err


@pytest.mark.parametrize("count", [10, 3_000, 100_000])
def test_pictures_are_as_large_as_the_page_allows(count: int) -> None:
    def size(_: int, level: Level) -> int:
        return level.side**2 // 4

    level, fits = fitting_level(range(24), count, 15_000_000, size)

    better = LEVELS[max(0, LEVELS.index(level) - 1)]
    assert fits * size(0, level) <= 15_000_000
    assert fits == count or level == LEVELS[-1]
    assert level == LEVELS[0] or count * size(0, better) > MARGIN * 15_000_000


def test_text_of_others_is_text_in_the_card(hostile: Path) -> None:
    card = (hostile.parent / "out" / "README.md").read_text()

    assert "alert(1)" in card
    assert not re.search(r"<(script|img src=x)|<!--", card)
