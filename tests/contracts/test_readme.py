"""Everything that README.md and docs/*.md tell a reader to type works, in their order."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.cli.main import cli, main
from tests.conftest import draw_shape
from tests.documents import DOCUMENTS, ROOT, Block, blocks

README = ROOT / "README.md"
SMALL = ("--samples", "3", "--resolution", "128", "--workers", "1")
"""Added to every `build`: the later of two equal options counts."""
SMALL_IN_PYTHON = "samples=2, resolution=128, workers=1"
GUARD = 'if __name__ == "__main__":'


@pytest.fixture(scope="module")
def desk(grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the folders and TOML files of README.md; its commands have been run in it."""
    folder = tmp_path_factory.mktemp("desk")
    for kind, name in enumerate(("cat2", "dog6", "teapot", "vase")):
        (folder / "photos" / name).mkdir(parents=True)
        for view in range(2):
            draw_shape(folder / "photos" / name / f"{view}.png", kind, view)
    shutil.copytree(grounds / "yard", folder / "places" / "garden")
    for block in blocks(README):
        if block.file_name and block.run:
            (folder / block.file_name).write_text(block.text)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for block in blocks(README):
            for command in block.commands:
                if command.run:
                    main([*command.arguments, *(SMALL if command.arguments[0] == "build" else ())])
    return folder


def test_the_commands_of_readme_make_what_it_says(desk: Path) -> None:
    made = {path.name for path in desk.iterdir()} - {"photos", "places", "build.toml"}

    assert made == {
        "mycanvas_cutouts",
        "mycanvas_data",
        "mycanvas_data.cutouts.png",
        "mycanvas_data.preview.png",
        "mycanvas_pairs",
        "mycanvas_coco",
        "mycanvas_kohya",
        "generated",
    }
    assert {path.name.split("-")[0] for path in (desk / "mycanvas_pairs" / "data").iterdir()} == {"objects_le3"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_python_of_each_document_runs(document: Path, desk: Path, tmp_path: Path) -> None:
    """On the dataset of README's own build.toml, which has scenes in one split only."""
    code = [block.text for block in blocks(document) if block.language == "python" and block.run]
    session = "\n".join(text for text in code if GUARD not in text)
    if not session:
        pytest.skip("it has no Python")
    run_script(session, tmp_path / "session.py", desk, MYCANVAS_DATA="mycanvas_pairs")


def test_the_python_builds_of_each_document_run(desk: Path, tmp_path: Path) -> None:
    scripts = [
        block.text
        for document in DOCUMENTS
        for block in blocks(document)
        if block.language == "python" and block.run and GUARD in block.text
    ]

    assert scripts
    for text in scripts:
        run_script(re.sub(r"samples=\d+", SMALL_IN_PYTHON, text), tmp_path / "script.py", desk)
    assert (desk / "mycanvas_120" / "README.md").is_file()


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_commands_that_are_not_run_have_options_that_exist(document: Path) -> None:
    for block in blocks(document):
        for command in block.commands:
            name, *arguments = command.arguments
            cli.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_readme_runs_most_of_its_code() -> None:
    commands = {command.arguments[0] for block in blocks(README) for command in block.commands if command.run}
    languages = {block.language for block in blocks(README) if block.run}

    assert commands >= {"build", "inspect", "select", "export", "prompts"}
    assert languages >= {"python", "toml"}


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("```\nmycanvas inspect a\n```\n", [("inspect", True)]),
        ("<!-- not run: needs the Hub -->\n```\nmycanvas inspect a\n```\n", [("inspect", False)]),
        (
            "<!-- not run (push): x -->\n\n```\nmycanvas push a b\nmycanvas inspect a\n```\n",
            [("push", False), ("inspect", True)],
        ),
        ("Run `mycanvas select\nDIR --reset`, or `mycanvas select`.\n", [("select", True)]),
        ("```text\nmycanvas inspect a\n```\n", []),
        ("```\npip install .\n```\n", []),
    ],
)
def test_commands_are_found_with_their_markers(text: str, run: list[tuple[str, bool]], tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(text)
    found: list[Block] = list(blocks(tmp_path / "a.md"))

    assert [(command.arguments[0], command.run) for block in found for command in block.commands] == run


def run_script(text: str, path: Path, folder: Path, **variables: str) -> None:
    """Run a script in a folder, with a cache of its own and without the Hub."""
    path.write_text(text)
    own = {"HF_HOME": str(path.parent / "hf"), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, path],
        cwd=folder,
        env={**os.environ, **own, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
