"""`from builder import build, load_config, select`: thin, typed and light."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import builder
from builder import build, load_config, select
from mycanvas.errors import ConfigError, StoreError


@pytest.fixture(scope="module")
def settings(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    for name in ("ball", "box", "cone", "ring"):
        (folder / "photos" / name).mkdir(parents=True)
        shutil.copy(shapes / name / "0.png", folder / "photos" / name)
    (folder / "build.toml").write_text(
        'concepts = "photos"\nresolution = 128\nsamples = 40\ncompositions = [["ball", "box"], ["cone", "ring"]]\n'
        'backgrounds = "places"\n[select]\nmin_visible = 0.1\n'
    )
    return folder / "build.toml"


def test_it_builds_resumes_and_selects(settings: Path, grounds: Path) -> None:
    output = settings.parent / "out"
    config = load_config(str(settings), samples=4, output=str(output), backgrounds=str(grounds), workers=1)
    made = build(config)
    again = build(config)
    fewer = select(str(output), per_composition=1)
    back = select(output, reset=True)

    assert sum(made.funnel.kept.values()) == 4
    assert again.funnel == made.funnel
    assert sum(fewer.funnel.kept.values()) == 2
    assert fewer.funnel.dropped == {"quota": 2}
    assert sum(back.funnel.kept.values()) == 4


def test_options_win_over_the_file_and_tables_are_merged(settings: Path) -> None:
    config = load_config(settings, samples=7, profile="gen4gen", select={"max_seam": 0.5}, segment={"keep_best": True})

    assert (config.samples, config.resolution, config.profile) == (7, 128, "gen4gen")
    assert (config.select.min_visible, config.select.max_seam) == (0.1, 0.5)
    assert config.segment.keep_best
    assert config.backgrounds == settings.parent / "places"
    assert load_config(concepts="photos").profile == "classic"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 3}, "samples"),
        ({"samples": "many"}, "samples"),
        ({"select": {"min_visibel": 0.5}}, "min_visible"),
        ({"profile": "gen5gen"}, "known profiles"),
    ],
)
def test_mistakes_are_explained(settings: Path, options: dict[str, typing.Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(settings, **options)


def test_selecting_in_a_folder_without_a_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        select(tmp_path, min_visible=0.5)


def test_a_build_within_the_import_of_a_worker_is_explained(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of a spawned worker while it imports the script that started it."""
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)

    with pytest.raises(ConfigError, match="__main__"):
        build(load_config(settings))


def test_importing_it_imports_nothing_else() -> None:
    program = "import sys, builder; print([name for name in sys.modules if name.startswith(('builder.', 'mycanvas'))])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", builder.__all__)
def test_its_functions_have_documented_types(name: str) -> None:
    function = getattr(builder, name)

    assert "return" in function.__annotations__
    assert all(section in function.__doc__ for section in ("Args:" if name != "build" else "Returns:", "Raises:"))
