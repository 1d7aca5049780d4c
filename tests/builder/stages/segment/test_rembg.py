from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import cv2
import datasets
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from PIL import Image

import mycanvas  # noqa: F401  (makes the name known)
from builder.cli.main import main
from builder.config import parse_config
from builder.records import Cutout, Photo, Rejected
from builder.stages.segment import segment
from builder.stages.segment.base import Matte, SegmentConfig
from builder.stages.segment.rembg import LOOKS, Look, Rembg, RembgConfig, normalise, stretched
from builder.stages.segment.sessions import UPLOADING, Session
from mycanvas.errors import ConfigError, ModelError
from mycanvas.models import KNOWN, fetch, size_of
from mycanvas.models.onnx import CUDA, Network
from mycanvas.models.runtime import Runtime

Saliency = Callable[[str], Path]

SMALL = Look(size=64, mean=(0.5, 0.5, 0.5), deviation=(1, 1, 1))


def disc(
    size: tuple[int, int] = (150, 200),
    radius: int = 45,
    centre: tuple[int, int] = (105, 80),
    blur: float = 0.8,
) -> np.ndarray:
    """The opacity of a disc with an edge that is as soft as asked for, float32 [H, W]."""
    canvas = np.zeros(size, np.uint8)
    cv2.circle(canvas, centre, radius, 255, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(canvas, (0, 0), blur).astype(np.float32) / 255


def lit(alpha: np.ndarray, object_: int = 240, ground: int = 25) -> np.ndarray:
    """A photo of something bright on a dark, slightly noisy ground."""
    grain = np.random.default_rng(0).normal(0, 3, (*alpha.shape, 3))
    opacity = alpha[..., None]
    return np.clip(opacity * object_ + (1 - opacity) * ground + grain, 0, 255).astype(np.uint8)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def cut(photos: Sequence[Photo], config: RembgConfig, folder: Path | None = None) -> list[Cutout | Rejected]:
    runtime = Runtime(device="cpu", models={config.name(): folder or Path(config.name())})
    sized = [replace(photo, cutout_side=512) for photo in photos]
    return list(segment(sized, Rembg.load(config, runtime), SegmentConfig(), 0))


class Fake:
    """A network that answers by the brightness of what it sees, and remembers that; `room` photos fit at once."""

    together: int | None = None

    def __init__(self, answer: Callable[[np.ndarray], np.ndarray] | None = None, room: int = 100) -> None:
        self.answer, self.room, self.seen = answer or (lambda stack: stack.mean(axis=1) + 0.5), room, []

    def run(self, stack: np.ndarray) -> np.ndarray:
        if len(stack) > self.room:
            raise ModelError("Failed to allocate memory")
        self.seen.append(stack)
        return self.answer(stack).astype(np.float32)


def matte(network: Fake, *photos: np.ndarray, **table: Any) -> list[Matte]:
    return list(Rembg(network, SMALL, RembgConfig(**table)).matte(photos))


@pytest.fixture
def home(tiny_model: Saliency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where rembg keeps its files, with one session in it."""
    for name in ("U2NET_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REMBG_HOME", str(tmp_path / "rembg"))
    folder = tmp_path / "rembg" / "models" / "isnet-general-use"
    folder.mkdir(parents=True)
    shutil.copy(tiny_model("saliency"), folder / "isnet-general-use.onnx")
    return tmp_path / "rembg"


@pytest.fixture
def network(tiny_model: Saliency, tmp_path: Path) -> Path:
    """The brighter a pixel, the more it is object."""
    return shutil.copy(tiny_model("saliency"), tmp_path / "tiny.onnx")


def changed(network: Path, folder: Path, change: Callable[[Any], None]) -> Path:
    """The network with something else in its file."""
    model = onnx.load(network)
    change(model)
    onnx.save(model, folder / "changed.onnx")
    return folder / "changed.onnx"


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_bright_object_is_found_by_a_file_and_trusted(network: Path, rounds: int) -> None:
    alpha = disc()

    (result,) = cut([Photo(id="disc", pixels=lit(alpha))], RembgConfig(file=network, rounds=rounds))

    assert isinstance(result, Cutout)
    assert iou(result.mask, alpha >= 0.5) > 0.95
    assert 0.8 <= result.quality <= 1
    assert max(result.rgba.shape) < 110, "the cut-out is cropped to the object"


def test_the_session_that_rembg_downloaded_is_found_and_run(home: Path) -> None:
    here = fetch("isnet-general-use", "onnx", offline=True)
    alpha = disc()

    (result,) = cut([Photo(id="disc", pixels=lit(alpha))], RembgConfig(), here.path)

    assert here.path.parent.parent.parent == home
    assert size_of(here) == here.path.stat().st_size
    assert isinstance(result, Cutout)
    assert iou(result.mask, alpha >= 0.5) > 0.95


@pytest.mark.parametrize("moved_by", ["REMBG_HOME", "XDG_DATA_HOME", "U2NET_HOME"])
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.usefixtures("home")
def test_a_session_is_looked_for_where_rembg_keeps_it(
    moved_by: str, before: bool, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rembg.sessions import sessions

    monkeypatch.delenv("REMBG_HOME")
    monkeypatch.setenv(moved_by, str(tmp_path / "elsewhere"))
    folder = Path(sessions["u2netp"].legacy_home() if before else sessions["u2netp"].model_dir())
    folder.mkdir(parents=True)
    file = Path(shutil.copy(network, folder / "u2netp.onnx"))

    assert fetch("u2netp", "onnx", offline=True).path == file == Path(sessions["u2netp"].resolve_existing(file.name))


def test_each_session_is_read_as_rembg_reads_it() -> None:
    """What it feeds its network, and what it makes of the answer, by rembg's own source."""
    from rembg.sessions import sessions

    photo = lit(disc(), object_=200)
    assert {name for name, session in sessions.items() if not session.is_local()} == set(UPLOADING)
    assert set(LOOKS) == set(get_args(Session))
    for name, look in LOOKS.items():
        answer = np.linspace(0.1, 0.9, look.size * look.size, dtype=np.float32).reshape(1, 1, look.size, look.size)
        network = RecordingSession(answer)
        session = object.__new__(sessions[name])
        session.inner_session = network
        small = Image.fromarray(photo).resize((look.size, look.size))
        (mask,) = session.predict(small)

        ours = stretched(1 / (1 + np.exp(-answer[0, 0])) if look.logits else answer[0, 0])
        assert np.abs(network.fed - normalise(np.asarray(small), look)).max() < 1e-5, name
        assert np.abs(ours * 255 - np.asarray(mask, np.float32)).max() <= 1, name


class RecordingSession:
    """ONNX Runtime's session, as rembg calls it."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer, self.fed = answer, np.zeros(0)

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"name": "input"})]

    def run(self, _names: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.fed = inputs["input"][0]
        return [self.answer]


def test_a_result_is_the_same_in_any_batch_and_with_any_number_of_threads(network: Path) -> None:
    photos = [lit(disc((120, 100 + 30 * i), 30, (50 + 5 * i, 60)), 150 + 20 * i) for i in range(5)]

    def mattes(batch_size: int, threads: int) -> list[Matte]:
        config = RembgConfig(file=network, batch_size=batch_size)
        runtime = Runtime(device="cpu", threads=threads, models={str(network): network})
        return list(Rembg.load(config, runtime).matte(photos))

    alone = mattes(1, 1)
    for others in (mattes(2, 1), mattes(5, 3)):
        for one, other in zip(alone, others, strict=True):
            assert np.abs(one.alpha - other.alpha).max() <= 1e-4
            assert one.quality == pytest.approx(other.quality, abs=1e-3)
    assert [one.alpha.shape for one in alone] == [photo.shape[:2] for photo in photos]


def test_later_rounds_leave_out_what_the_first_was_unsure_of(network: Path) -> None:
    ball, neighbour = disc(), disc(radius=20, centre=(180, 30))
    photo = lit(ball)
    photo[neighbour >= 0.5] = 118

    (once,) = cut([Photo(id="x", pixels=photo)], RembgConfig(file=network, rounds=1))
    (thrice,) = cut([Photo(id="x", pixels=photo)], RembgConfig(file=network, rounds=3))

    assert isinstance(once, Cutout)
    assert isinstance(thrice, Cutout)
    assert once.rgba.shape[1] > thrice.rgba.shape[1], "the neighbour is part of the cut-out after one round"
    assert iou(thrice.mask, ball >= 0.5) > 0.95


def test_each_round_sees_the_photo_under_the_last_alpha_applied_once() -> None:
    network = Fake()  # brightness is its saliency
    photo = np.full((64, 64, 3), 250, np.uint8)
    photo[:, :32] = 125
    photo[:8] = 0

    matte(network, photo, rounds=3)

    halves, wholes = ([250 * (stack[0, 0, 40, column] + 0.5) for stack in network.seen] for column in (10, 50))
    # Not 125 · ½ · ¼ in the end, which is what multiplying by every alpha in turn would leave.
    assert halves == pytest.approx([125, 125 / 2, 125 / 4], abs=1)
    assert wholes == pytest.approx([250, 250, 250], abs=1)


def test_a_photo_without_an_object_is_rejected_and_its_neighbour_is_not(network: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 4, (100, 120, 3))
    photos = {
        "wall": np.full((100, 120, 3), 180, np.uint8),
        "night": np.zeros((100, 120, 3), np.uint8),
        "faint": np.clip(128 + noise, 0, 255).astype(np.uint8),
        "disc": lit(disc()),
    }

    results = cut([Photo(id=name, pixels=pixels) for name, pixels in photos.items()], RembgConfig(file=network))

    for result in results[:3]:
        assert isinstance(result, Rejected)
        assert (result.stage, result.reason, result.retriable) == ("segment", "no object found", False)
    assert isinstance(results[3], Cutout)


@pytest.mark.parametrize(
    "answer",
    [
        lambda stack: np.full((len(stack), 64, 64), np.nan),
        lambda stack: np.full((len(stack), 64, 64), 0.9),
        lambda stack: 0.4 * (stack.mean(axis=1) + 0.5),
    ],
    ids=["not a number", "sure of everything", "nowhere sure"],
)
def test_a_map_that_shows_no_object_gives_an_empty_matte(answer: Callable[[np.ndarray], np.ndarray]) -> None:
    (found,) = matte(Fake(answer), lit(disc()), rounds=1)

    assert not found.alpha.any()
    assert found.quality == 0


def test_a_network_that_ends_in_logits_is_judged_by_its_sigmoid() -> None:
    look = Look(size=64, mean=SMALL.mean, deviation=SMALL.deviation, logits=True)
    network = Fake(lambda stack: -200 + 400 * (stack.mean(axis=1) + 0.5))

    found, empty = Rembg(network, look, RembgConfig(rounds=1)).matte([lit(disc()), np.full((64, 64, 3), 9, np.uint8)])

    assert iou(found.alpha >= 0.5, disc() >= 0.5) > 0.9
    assert not empty.alpha.any()


def test_a_soft_edge_stays_soft() -> None:
    truth = disc((256, 256), 70, (128, 128), blur=12)

    (found,) = matte(Fake(), lit(truth, 255, 0), rounds=1)

    between = (truth > 0.1) & (truth < 0.9)
    assert found.alpha.dtype == np.float32
    assert np.abs(found.alpha - truth)[between].mean() < 0.03
    assert len(np.unique(found.alpha[between])) > 100


def test_haze_and_ghosts_away_from_the_object_are_not_part_of_it() -> None:
    truth = disc((256, 256), 50, (90, 90))
    photo = lit(truth, 255, 4)
    photo[200:230, 200:230] = 90

    (found,) = matte(Fake(), photo, rounds=1)

    assert not found.alpha[150:].any()
    assert iou(found.alpha >= 0.5, truth >= 0.5) > 0.95


def test_an_undecided_network_is_trusted_less() -> None:
    photo = lit(disc())

    (sure,) = matte(Fake(lambda stack: np.clip(4 * stack.mean(axis=1) + 0.5, 0, 1)), photo, rounds=1)
    (unsure,) = matte(Fake(lambda stack: 0.7 * (stack.mean(axis=1) + 0.5)), photo, rounds=1)

    assert unsure.quality < sure.quality - 0.3


def test_matting_draws_the_edge_that_a_coarse_map_blurs() -> None:
    truth = disc((300, 300), 90, (150, 150))
    photo = lit(truth, 220, 60)
    coarse = Look(size=32, mean=SMALL.mean, deviation=SMALL.deviation)
    plain, matting = (
        next(iter(Rembg(Fake(), coarse, RembgConfig(rounds=1, matting=on)).matte([photo]))).alpha
        for on in (False, True)
    )

    assert np.abs(matting - truth).mean() < 0.5 * np.abs(plain - truth).mean()
    assert 0 <= matting.min() <= matting.max() <= 1


def test_when_memory_runs_out_fewer_photos_go_together_and_nothing_else_changes() -> None:
    photos = [lit(disc(radius=radius)) for radius in (30, 35, 40, 45, 50)]
    roomy, narrow = Fake(), Fake(room=1)

    wide = matte(roomy, *photos, batch_size=4, rounds=1)
    tight = matte(narrow, *photos, batch_size=4, rounds=1)

    assert [len(stack) for stack in roomy.seen] == [4, 1]
    assert [len(stack) for stack in narrow.seen] == [1] * 5
    assert all(np.array_equal(one.alpha, other.alpha) for one, other in zip(wide, tight, strict=True))
    with pytest.raises(ModelError, match="Failed to allocate memory"):
        matte(Fake(room=0), photos[0])


def test_a_network_for_a_fixed_number_of_photos_gets_that_number(network: Path, tmp_path: Path) -> None:
    def two(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2

    photos = [Photo(id=str(radius), pixels=lit(disc(radius=radius))) for radius in (35, 40, 45)]

    free = cut(photos, RembgConfig(file=network))
    fixed = cut(photos, RembgConfig(file=changed(network, tmp_path, two)))

    assert all(isinstance(one, Cutout) for one in free)
    assert [one.mask.sum() for one in fixed if isinstance(one, Cutout)] == [
        one.mask.sum() for one in free if isinstance(one, Cutout)
    ]


def test_a_network_that_takes_one_photo_though_its_file_says_any_number_gets_one(network: Path, tmp_path: Path) -> None:
    def one(model: Any) -> None:
        model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [4], [1, 1, 1024, 1024]))
        model.graph.node[1].output[0] = "saliency"
        model.graph.node.append(helper.make_node("Reshape", ["saliency", "shape"], ["mask"]))

    photos = [Photo(id=str(radius), pixels=lit(disc(radius=radius))) for radius in (35, 40, 45)]

    results = cut(photos, RembgConfig(file=changed(network, tmp_path, one)))

    assert all(isinstance(result, Cutout) for result in results)


def test_a_network_that_fails_says_what_onnx_runtime_says(network: Path, tmp_path: Path) -> None:
    def huge(model: Any) -> None:
        graph = model.graph
        graph.initializer.append(helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]))
        graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [4], [1 << 12, 1 << 12, 1 << 12, 256]))
        graph.node[1].output[0] = "saliency"
        graph.node.append(helper.make_node("Expand", ["zero", "shape"], ["everything"]))
        graph.node.append(helper.make_node("ReduceMean", ["everything"], ["mean"]))
        graph.node.append(helper.make_node("Add", ["saliency", "mean"], ["mask"]))

    with pytest.raises(ModelError, match="Failed to allocate memory"):
        cut([Photo(id="x", pixels=lit(disc()))], RembgConfig(file=changed(network, tmp_path, huge)))


def test_a_file_that_is_no_such_network_is_a_clear_error(network: Path, tmp_path: Path) -> None:
    (tmp_path / "prose.onnx").write_text("Once upon a time")

    def small(model: Any) -> None:
        for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
            dim.dim_value = 320

    with pytest.raises(ModelError, match="is not a network that ONNX Runtime"):
        cut([], RembgConfig(file=tmp_path / "prose.onnx"))
    with pytest.raises(ModelError, match=r"320.* model runs at \[N, 3, 1024, 1024\]"):
        cut([], RembgConfig(file=changed(network, tmp_path, small)))
    assert cut([], RembgConfig(file=tmp_path / "changed.onnx", model="u2net")) == []


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this ONNX Runtime knows CUDA")
def test_without_a_cuda_provider_the_processor_does_it_and_says_so(
    network: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Network(network, 64, device="cuda", threads=1)

    assert "cut-outs are made on the processor" in caplog.text


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("atlascloud", "atlascloud sends photos to a service"),
        ("withoutbg", "withoutbg sends photos to a service"),
        ("isnet-general", "did you mean isnet-general-use?"),
        ("sam", "known: isnet-general-use,"),
        ("u2net_custom", "did you mean u2net"),
    ],
)
def test_a_session_that_is_not_on_the_list_is_refused_by_name(model: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"^segment\.rembg\.model: ") as error:
        parse_config({"concepts": "photos", "segment": {"backend": "rembg", "rembg": {"model": model}}})

    assert told in str(error.value)


@pytest.mark.usefixtures("home")
def test_a_session_that_is_not_here_is_one_clear_error_offline(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="birefnet-general is not on this machine"):
        fetch("birefnet-general", "onnx", offline=True)
    with pytest.raises(ModelError, match="there is no file"):
        fetch(str(tmp_path / "gone.onnx"), "onnx")
    with pytest.raises(ModelError, match="no session 'atlascloud' that runs on this machine"):
        fetch("atlascloud", "onnx")


@pytest.mark.usefixtures("home")
def test_a_download_that_fails_says_where_the_file_could_be_put(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ModelError, match=r"copy its file to .*models/u2netp/u2netp\.onnx"):
        fetch("u2netp", "onnx")


@pytest.fixture
def toml(tmp_path: Path, network: Path) -> Path:
    """A build.toml of classic with rembg's cut-outs, on three bright things and an empty photo."""
    for index, name in enumerate(("ball", "moon", "pill")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for view in range(2):
            alpha = disc((220, 260), 60 + 8 * index + 4 * view, (125 + 5 * view, 110))
            Image.fromarray(lit(alpha, 230 + 10 * index)).save(tmp_path / "photos" / name / f"{view}.png")
    Image.fromarray(np.full((200, 200, 3), 120, np.uint8)).save(tmp_path / "photos" / "ball" / "wall.png")
    shutil.copy(network, tmp_path / "own.onnx")
    settings = tmp_path / "build.toml"
    settings.write_text(
        'concepts = "photos"\noutput = "out"\nsamples = 6\nsizes = [2, 3]\nresolution = 256\nworkers = 1\n'
        f'[segment]\nbackend = "rembg"\nmin_quality = 0.5\n[segment.rembg]\nfile = "{tmp_path / "own.onnx"}"\n'
        "[select]\nduplicate_bits = -1\nmin_visible = 0\nmax_overlap = 1\nmax_border = 1\n"
    )
    return settings


def test_a_build_with_rembg_on_top_of_classic_ends_in_a_dataset(toml: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["build", str(toml)])

    rows = datasets.load_dataset("mycanvas", "all", data_dir=str(toml.parent / "out"), split="train")
    assert len(rows) == 6
    assert f"own.onnx@{fetch(str(toml.parent / 'own.onnx'), 'onnx').revision}" in rows[0]["provenance"]
    sources = datasets.load_dataset("mycanvas", "concepts", data_dir=str(toml.parent / "out"), split="train")
    qualities = {row["id"]: row["quality"] for row in sources}
    assert qualities.pop("ball/wall.png") is None
    assert all(0.5 < quality <= 1 for quality in qualities.values())

    def other(model: Any) -> None:
        model.doc_string = "other weights"

    shutil.move(changed(toml.parent / "own.onnx", toml.parent, other), toml.parent / "own.onnx")
    with pytest.raises(SystemExit):
        main(["build", str(toml)])
    assert "own.onnx" in capsys.readouterr().err


def test_cut_outs_of_another_network_are_not_taken_for_this_one_s(
    toml: Path, network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def blind(model: Any) -> None:
        model.graph.initializer[0].CopyFrom(helper.make_tensor("k", TensorProto.FLOAT, [1, 3, 1, 1], [0.0] * 3))

    toml.write_text(f'memory = "low"\n{toml.read_text()}')
    shutil.move(changed(network, toml.parent, blind), toml.parent / "own.onnx")
    with pytest.raises(SystemExit):
        main(["build", str(toml)])
    assert "no photo gave a cut-out" in capsys.readouterr().err

    shutil.copy(network, toml.parent / "own.onnx")
    main(["build", str(toml)])

    assert len(datasets.load_dataset("mycanvas", "all", data_dir=str(toml.parent / "out"), split="train")) == 6


def test_sizes_and_licenses_of_all_sessions_are_known_and_the_one_that_may_not_be_sold_is_marked() -> None:
    assert {name for name in get_args(Session) if not KNOWN[name].commercial} == {"bria-rmbg"}
