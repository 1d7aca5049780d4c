"""Sessions of rembg: their files, normalisation, names and licenses."""

from __future__ import annotations

import hashlib
import inspect
import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image

from builder.config import parse_config
from builder.records import Cutout, Photo
from builder.stages.segment.rembg import Rembg, RembgConfig, normalise, stretched
from builder.stages.segment.sessions import NETWORK_SPECS, UPLOADING, Session
from mycanvas.errors import ConfigError, ModelError
from mycanvas.models import KNOWN, fetch, size_of
from mycanvas.models.onnx_files import PUBLISHED
from tests.builder.stages.segment.bright_objects import bright_photo, cut, disc, iou


def test_session_downloaded_by_rembg_is_found_and_run(home: Path) -> None:
    session_file = fetch("isnet-general-use", "onnx", offline=True)
    alpha = disc()

    (result,) = cut([Photo(id="disc", pixels=bright_photo(alpha))], RembgConfig(), session_file.path)

    assert session_file.path.parent.parent.parent == home
    assert size_of(session_file) == session_file.path.stat().st_size
    assert isinstance(result, Cutout)
    assert iou(result.mask, alpha >= 0.5) > 0.95


@pytest.mark.parametrize("variable", ["REMBG_HOME", "XDG_DATA_HOME", "U2NET_HOME"])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.usefixtures("home")
def test_session_is_found_in_the_folders_of_rembg(
    variable: str, legacy: bool, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rembg.sessions import sessions

    monkeypatch.delenv("REMBG_HOME")
    monkeypatch.setenv(variable, str(tmp_path / "elsewhere"))
    folder = Path(sessions["u2netp"].legacy_home() if legacy else sessions["u2netp"].model_dir())
    folder.mkdir(parents=True)
    file = Path(shutil.copy(network, folder / "u2netp.onnx"))

    assert fetch("u2netp", "onnx", offline=True).path == file == Path(sessions["u2netp"].resolve_existing(file.name))


class FakeOnnxSession:
    """A fake of ONNX Runtime's session with the methods that rembg calls."""

    def __init__(self, output: np.ndarray) -> None:
        self.output, self.input = output, np.zeros(0)

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"name": "input"})]

    def run(self, _names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.input = inputs["input"][0]
        return [self.output]


def test_each_session_has_the_input_and_output_of_rembg() -> None:
    """Compares the input and the mask with those of rembg's own `predict`."""
    from rembg.sessions import sessions

    photo = bright_photo(disc(), object_=200)
    assert {name for name, session in sessions.items() if not session.is_local()} == set(UPLOADING)
    assert set(NETWORK_SPECS) == set(get_args(Session))
    for name, spec in NETWORK_SPECS.items():
        output = np.linspace(0.1, 0.9, spec.size * spec.size, dtype=np.float32).reshape(1, 1, spec.size, spec.size)
        network = FakeOnnxSession(output)
        session = object.__new__(sessions[name])
        session.inner_session = network
        small = Image.fromarray(photo).resize((spec.size, spec.size))
        (mask,) = session.predict(small)

        expected = stretched(1 / (1 + np.exp(-output[0, 0])) if spec.logits else output[0, 0])
        assert np.abs(network.input - normalise(np.asarray(small), spec)).max() < 1e-5, name
        assert np.abs(expected * 255 - np.asarray(mask, np.float32)).max() <= 1, name


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("atlascloud", "atlascloud sends photos to a service"),
        ("withoutbg", "withoutbg sends photos to a service"),
        ("isnet-general", "did you mean isnet-general-use?"),
        ("sam", "known: isnet-general-use,"),
        ("u2net_custom", "did you mean u2net"),
        ("nets/u2net.onnx", 'nets/u2net.onnx is a file; write file = "nets/u2net.onnx", and in model the session'),
    ],
)
def test_unsupported_session_is_refused_by_name(model: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=r"^segment\.rembg\.model: ") as error:
        parse_config({"concepts": "photos", "segment": {"backend": "rembg", "rembg": {"model": model}}})

    assert hint in str(error.value)


@pytest.mark.usefixtures("home")
def test_missing_session_is_an_error_offline(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="birefnet-general is not on this machine"):
        fetch("birefnet-general", "onnx", offline=True)
    with pytest.raises(ModelError, match="there is no file"):
        fetch(str(tmp_path / "gone.onnx"), "onnx")
    with pytest.raises(ModelError, match="no session 'atlascloud' that runs on this machine"):
        fetch("atlascloud", "onnx")


def test_digests_are_those_that_rembg_compares() -> None:
    from rembg.sessions import sessions

    assert set(PUBLISHED) == set(get_args(Session))
    for name, digest in PUBLISHED.items():
        assert f'"{digest}"' in inspect.getsource(sessions[name].download_models), name


def test_session_file_of_other_content_is_refused_with_the_remedy(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch("isnet-general-use", "onnx", offline=True).path.is_relative_to(home)
    monkeypatch.delenv("MODEL_CHECKSUM_DISABLED")

    with pytest.raises(ModelError, match=r"is not the file that rembg publishes as isnet-general-use .*delete it"):
        fetch("isnet-general-use", "onnx")


def test_file_of_another_session_is_refused_before_any_work(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.md5(network.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setitem(PUBLISHED, "u2netp", f"md5:{digest}")

    Rembg.check(RembgConfig(model="u2netp", file=network))
    with pytest.raises(ModelError, match=r'network of session u2netp, but .* model is u2net; set model = "u2netp"'):
        Rembg.check(RembgConfig(model="u2net", file=network))


@pytest.mark.usefixtures("home")
def test_failed_download_names_the_path_for_a_manual_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ModelError, match=r"copy its file to .*models/u2netp/u2netp\.onnx"):
        fetch("u2netp", "onnx")


def test_catalogue_knows_all_sessions_and_marks_the_noncommercial_one() -> None:
    assert {name for name in get_args(Session) if not KNOWN[name].commercial} == {"bria-rmbg"}
