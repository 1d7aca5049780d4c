"""Where a dataset is: on this machine under any name, or elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mycanvas.dataset import check_on_this_machine, open_dataset, planned_splits
from mycanvas.dataset.shards import local_path
from mycanvas.errors import InputError
from mycanvas.export import export

NAMES = ["data [v2]", "a*b", "q?", "file:x", "s3:bucket", "hf:", "100% done", "#1", "{a,b}", "x@main"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_is_read_and_exported(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(built, name)

    for folder in (Path(name), tmp_path / name):
        assert len(list(open_dataset(folder).scenes())) == 7
        assert len(planned_splits(folder)) == 7
        assert len(list(open_dataset(folder).mapped().photos())) == 2
    done = export(Path(name), "webdataset", Path(f"out {name}"))
    assert sum(done.counts.values()) == 7
    assert (tmp_path / f"out {name}" / "objects_4-000000.tar").is_file()


@pytest.mark.parametrize("name", ["sub::x", "a::b::c", "memory::x", "file:x", "hf:a"])
def test_an_existing_path_is_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()

    assert local_path(name) == str(tmp_path / name)
    assert local_path(str(tmp_path / name)) == str(tmp_path / name)


@pytest.mark.parametrize("url", ["memory://x", "hf://datasets/a/b", "zip://a::memory://b", "file:///tmp"])
def test_a_url_is_no_path(url: str) -> None:
    assert local_path(url) is None


@pytest.mark.parametrize(
    ("url", "fetch"),
    [
        ("hf://datasets/jane/scenes", "hf download jane/scenes --repo-type dataset --local-dir DIR"),
        ("hf://jane/scenes", "hf download jane/scenes --repo-type dataset --local-dir DIR"),
        ("hf://datasets/jane/scenes/data", "hf download jane/scenes --repo-type dataset --local-dir DIR"),
        ("hf://datasets/jane/scenes@v1/data", "hf download jane/scenes --repo-type dataset --revision v1 --local-dir"),
        ("hf://datasets/a/b@refs%2Fpr%2F1", "hf download a/b --repo-type dataset --revision refs/pr/1 --local-dir DIR"),
        ("hf://datasets/a/b;rm", "hf download 'a/b;rm' --repo-type"),
    ],
)
def test_the_download_command_of_a_dataset_on_the_hub_is_given(url: str, fetch: str) -> None:
    with pytest.raises(InputError, match="expected a folder on this machine, got a dataset on the Hub") as refused:
        check_on_this_machine(Path(url))

    assert f"fetch it with: {fetch}" in str(refused.value)


def test_other_storage_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="got a dataset on s3://; of one that was built there, `mycanvas select"):
        check_on_this_machine(Path("s3://bucket/scenes"))

    (tmp_path / "s3:/bucket").mkdir(parents=True)
    check_on_this_machine(Path("s3:/bucket"))
    check_on_this_machine(Path("nowhere"))
