"""The scores fall when objects are removed, replaced or swapped; the published score does not fall on swaps."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builder.cli.main import main
from mycanvas.dataset import open_dataset
from tests.mycanvas.metrics.sensitivity import MOST_SPOILT, Curve, as_svg, measure


@pytest.fixture(scope="module")
def curves(shapes: Path, grounds: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Curve]:
    """Curves of scenes of shapes with different classes."""
    folder = tmp_path_factory.mktemp("sensitivity")
    for name in ("ball", "box", "cone", "ring", "slab"):
        shutil.copytree(shapes / name, folder / "photos" / name)
    settings = folder / "build.toml"
    settings.write_text(
        f'concepts = "photos"\nbackgrounds = "{grounds}"\noutput = "out"\nsamples = 14\nsizes = [3, 4]\n'
        "resolution = 192\nworkers = 1\n[select]\nduplicate_bits = -1\n"
    )
    main(["build", str(settings)])
    return measure(open_dataset(folder / "out"))


def test_there_are_enough_scenes_to_spoil(curves: dict[str, Curve]) -> None:
    assert curves["swapped"].scenes >= 10


@pytest.mark.parametrize("way", ["removed", "replaced"])
@pytest.mark.parametrize("score", ["cp_clip", "identity", "recall"])
def test_every_score_falls_with_the_number_of_lost_objects(curves: dict[str, Curve], way: str, score: str) -> None:
    means = curves[way].means[score]

    assert means[MOST_SPOILT] < 0.9 * means[0]
    # A stranger, too, is most like some concept, and may by chance be counted as one that is no longer shown.
    assert score == "recall" or list(means) == sorted(means, reverse=True)


def test_swapped_objects_lower_identity_but_not_the_published_score(curves: dict[str, Curve]) -> None:
    published, strict = (curves["swapped"].means[score] for score in ("cp_clip", "identity"))

    assert min(published) > 0.97 * published[0]
    assert strict[1] == pytest.approx(strict[0])  # one object alone has no other to swap with
    assert strict[MOST_SPOILT] < strict[2] < 0.9 * strict[0]


def test_the_plot_has_a_line_for_each_score_and_way(curves: dict[str, Curve]) -> None:
    assert as_svg(curves, "x").count("<polyline") == 2 * 3
