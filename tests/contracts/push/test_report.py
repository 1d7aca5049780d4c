"""The report is published only if asked for; it names no folder of this machine."""

from __future__ import annotations

import json
from pathlib import Path

from builder.pipeline.finalize import reselect
from tests.hub.fake_hub import FakeHub
from tests.publishing import Run


def test_report_is_published_only_where_asked_for(hub: FakeHub, run: Run, built: Path, name: str) -> None:
    run("inspect", built, "--html")  # a page in the folder is not published by itself
    assert run("push", built, name).code == 0
    assert "report.html" not in hub.head(name).files

    done = json.loads(run("push", built, name, "--report", "--json").out)

    page = hub.content(hub.head(name).files["report.html"]).decode()
    assert set(done["send"]) == {"report.html"}
    assert '<meta name="generator" content="mycanvas inspect">' in page
    assert f"mycanvas select {built.name}" in page
    assert str(built.parent) not in page
    assert json.loads(run("push", built, name, "--report", "--dry-run", "--json").out)["send"] == {}
    assert (
        "would publish report.html, with small pictures of all "
        in run("push", built, name, "--report", "--dry-run").out
    )
    assert json.loads(run("push", built, name, "--dry-run", "--json").out)["delete"] == ["report.html"]


def test_report_requires_a_license_of_photos_that_no_scene_shows(run: Run, finished: Path, name: str) -> None:
    done = run("push", finished, name, "--report", "--dry-run")

    assert done.code == 1
    assert "no maker or license is stated for 12 of 12 source photos" in done.err


def test_plot_that_was_changed_is_refused_and_select_restores_it(run: Run, built: Path, name: str) -> None:
    plot = built / "plots" / "sizes.png"
    whole = plot.read_bytes()
    plot.write_bytes(whole[:-1])

    done = run("push", built, name, "--dry-run")

    assert done.code == 1
    assert f"a plot of the card is missing or was changed; run: mycanvas select {built}" in done.err
    reselect(built, {})
    assert plot.read_bytes() == whole
    assert run("push", built, name, "--dry-run").code == 0
