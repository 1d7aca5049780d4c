from pathlib import Path

import pytest

from builder.config import load_config, parse_config
from builder.stages.segment.calibration import calibration
from mycanvas.errors import ConfigError
from mycanvas.io.text import printable


def test_command_line_overrides_file_and_file_overrides_profile(tmp_path: Path) -> None:
    file = tmp_path / "build.toml"
    file.write_text('concepts = "photos"\nsamples = 10\nseed = 3\n[layout]\nmax_overlap = 0.1\n')

    config = load_config(file, "classic", {"samples": 20, "resolution": None})

    assert (config.samples, config.seed, config.layout.max_overlap) == (20, 3, 0.1)
    assert config.concepts == tmp_path / "photos"
    assert config.layout.backend == "solver"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sample": 3}, "unknown key sample; did you mean samples"),
        ({"layout": {"max_overlp": 0.2}}, "unknown key layout.max_overlp; did you mean max_overlap"),
        ({"select": {"zzz": 1}}, "unknown key select.zzz; known: min_cutout"),
        ({"samples": 0}, "^samples: expected a whole number of at least 1, got 0$"),
        ({"layout": {"max_overlap": 1.7}}, r"^layout.max_overlap: expected a number of at most 1, got 1.7$"),
        (
            {"resolution": "big"},
            "^resolution: expected a side such as 1024, .*1024x768.*, got 'big'$",
        ),
        ({"sizes": [2, 6]}, "^entry 2 of sizes: expected a whole number of at most 5, got 6$"),
        ({"segment": {"backend": "magic"}}, "^segment.backend: expected .*'tricut'.*, got 'magic'$"),
        ({"select": {"min_visible": float("nan")}}, "^select.min_visible: expected a finite number, got nan$"),
        ({"select": {"min_visible": 80}}, "^select.min_visible: expected a number of at most 1, got 80"),
        ({"select": {"min_alignment": -2}}, "^select.min_alignment: expected a number of at least -1, got -2"),
        ({"samples": True}, "^samples: expected a whole number, got True$"),
        ({"samples": "3"}, "^samples: expected a whole number, got '3'$"),
        ({"samples": 3.0}, "^samples: expected a whole number, got 3.0$"),
        ({"layout": {"scale": True}}, "^layout.scale: expected a number, got True$"),
        ({"segment": {"keep_best": "yes"}}, "^segment.keep_best: expected true or false, got 'yes'$"),
        ({"repaint": {"diffusion": {"offload": 1}}}, "^repaint.diffusion.offload: expected true or false, got 1$"),
    ],
)
def test_invalid_value_is_reported_with_the_expected_one(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config({"concepts": "photos", **values})


def test_all_errors_are_reported_together() -> None:
    with pytest.raises(ConfigError) as wrong:
        parse_config({"concepts": "photos", "samples": 0, "sample": 3, "layout": {"scale": "big"}})

    assert sorted(str(wrong.value).splitlines()) == [
        "layout.scale: expected a number, got 'big'",
        "samples: expected a whole number of at least 1, got 0",
        "unknown key sample; did you mean samples?",
    ]


def test_exclusive_keys_are_reported_without_a_location() -> None:
    with pytest.raises(
        ConfigError, match=r"^samples and samples_per_composition exclude each other; give one of them$"
    ):
        parse_config({"concepts": "photos", "samples": 3, "samples_per_composition": 2})


def test_address_without_a_cluster_is_refused_before_anything_is_written() -> None:
    with pytest.raises(ConfigError, match=r"^the engine .local. has no address, got 'HOST:6379'; add --engine ray$"):
        parse_config({"concepts": "photos", "address": "HOST:6379"})


def test_paths_and_local_models_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "build.toml"
    file.write_text(
        'concepts = "photos"\n[segment.rembg]\nfile = "net.onnx"\n'
        '[caption.vlm]\nmodel = "./models/llava"\n[score.clip]\nencoder = "openai/clip-vit-base-patch32"\n'
    )

    config = load_config(file, None, {})

    assert config.segment.rembg.file == tmp_path / "net.onnx"
    assert config.caption.vlm.model == str(tmp_path / "models" / "llava")
    assert config.score.clip.encoder == "openai/clip-vit-base-patch32"


def test_integers_are_valid_floats_and_lists_and_strings_become_tuples_and_paths() -> None:
    values = {"concepts": "a", "sizes": [2, 3], "compositions": [["ball", "ring"]], "layout": {"scale": 1}}

    config = parse_config({**values, "layout": {"scale": 1, "llm": {"examples": "coco"}}})

    assert (config.sizes, config.compositions, config.layout.scale) == ((2, 3), (("ball", "ring"),), 1.0)
    assert config.layout.llm.examples == Path("coco")
    assert parse_config(config.model_dump(mode="json")) == config


def test_tilde_in_a_file_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "build.toml"
    file.write_text('concepts = "~/photos"\n[caption.vlm]\nmodel = "~/models/llava"\n')

    config = load_config(file, None, {})

    assert config.concepts == tmp_path / "home" / "photos"
    assert config.caption.vlm.model == str(tmp_path / "home" / "models" / "llava")


def test_digest_ignores_unused_backends_and_runtime_settings() -> None:
    base = {"concepts": "a", "repaint": {"backend": "diffusion"}}
    same = {"device": "cuda", "memory": "low", "caption": {"vlm": {"tries": 9}}}
    faster = {"repaint": {"backend": "diffusion", "diffusion": {"batch_size": 16, "offload": True}}}

    assert parse_config({**base, **same}).digest() == parse_config(base).digest()
    assert parse_config({**base, **faster}).digest() == parse_config(base).digest()
    assert parse_config({**base, "repaint": {"backend": "diffusion", "diffusion": {"steps": 9}}}).digest() != (
        parse_config(base).digest()
    )


def test_missing_concepts_are_reported_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"concepts is missing; give it in build\.toml or as --concepts"):
        parse_config({})


def test_unknown_profile_is_reported_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown profile 'modrn'; known profiles: classic"):
        load_config(None, "modrn", {"concepts": "photos"})


def test_invalid_toml_is_reported_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "build.toml").write_text("samples = = 3")

    with pytest.raises(ConfigError, match=r"build\.toml is not TOML"):
        load_config(tmp_path / "build.toml", "classic", {})


def test_folder_of_photos_in_place_of_a_build_toml_is_reported_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a folder; expected a build\.toml\. For .* use --concepts "):
        load_config(tmp_path, None, {})


def test_digest_ignores_workers_paths_and_selection() -> None:
    one = parse_config({"concepts": "a", "workers": 1, "output": "x"})
    other = parse_config({"concepts": "b", "workers": 4, "output": "y", "select": {"min_visible": 0.9}})

    assert one.digest() == other.digest()
    assert one.digest() != parse_config({"concepts": "a", "seed": 1}).digest()


def test_empty_string_unsets_an_optional_value_of_a_profile(tmp_path: Path) -> None:
    """TOML has no null."""
    file = tmp_path / "build.toml"
    file.write_text(
        'profile = "gen4gen"\nconcepts = "photos"\nbackgrounds = ""\n[repaint.diffusion]\nrefiner = ""\nvariant = ""\n'
        '[select]\nmin_identity = ""\n'
    )

    config = load_config(file, None, {})

    assert config.backgrounds is None
    assert config.repaint.diffusion.refiner is None
    assert config.repaint.diffusion.variant is None
    assert config.repaint.diffusion.steps == 60
    assert config.select.min_identity is None
    assert config.select.min_found == 1.0


def test_empty_string_is_refused_for_a_required_value() -> None:
    with pytest.raises(ConfigError, match=r"repaint\.diffusion\.model: expected text of at least 1 character, got ''"):
        parse_config({"concepts": "photos", "repaint": {"diffusion": {"model": ""}}})


def test_photo_profile_differs_from_classic_only_in_how_objects_are_found() -> None:
    classic, photo = (load_config(None, profile, {"concepts": "photos"}) for profile in ("classic", "photo"))

    assert {**photo.backends(), "segment": "tricut"} == classic.backends()
    assert photo.model_dump(exclude={"profile", "segment"}) == classic.model_dump(exclude={"profile", "segment"})


@pytest.mark.parametrize("model", ["u2net", "isnet-general-use", "birefnet-general"])
def test_gate_and_rounds_are_those_of_the_session_unless_given(model: str) -> None:
    rembg = {"backend": "rembg", "rembg": {"model": model, "file": "own.onnx"}}
    bare = parse_config({"concepts": "a", "segment": rembg})
    given = parse_config(
        {"concepts": "a", "segment": {**rembg, "min_quality": 0.5, "rembg": {"model": model, "rounds": 4}}}
    )

    expected = calibration(model)
    assert bare.min_quality() == bare.identity()["segment.min_quality"] == expected.min_quality
    assert bare.identity()["segment.rembg.rounds"] == expected.rounds
    assert given.min_quality() == given.identity()["segment.min_quality"] == 0.5
    assert given.identity()["segment.rembg.rounds"] == 4
    assert parse_config({"concepts": "a"}).min_quality() == calibration("tricut").min_quality != expected.min_quality


def test_paper_s_profile_keeps_its_three_rounds_and_has_their_gate() -> None:
    config = load_config(None, "gen4gen", {"concepts": "a"})

    assert config.identity()["segment.rembg.rounds"] == 3
    assert config.min_quality() > calibration("isnet-general-use").min_quality


_NETWORK = '[segment.rembg]\nfile = "net.onnx"\n'


@pytest.mark.parametrize("profile", ["classic", "photo", "gen4gen"])
def test_table_of_a_backend_that_is_not_in_use_is_reported(
    tmp_path: Path, profile: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "build.toml"
    file.write_text(f'concepts = "photos"\nprofile = "{profile}"\n{_NETWORK}')

    load_config(file, None, {})

    remedy = 'to use it, write backend = "rembg" under [segment]'
    warning = f'[segment.rembg] is not used: segment.backend is "tricut"; {remedy}'
    assert caplog.messages == ([warning] if profile == "classic" else [])


def test_unused_tables_of_every_stage_and_of_values_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "build.toml"
    file.write_text(f'concepts = "photos"\n{_NETWORK}[score.clip]\nencoder = "a/b"\n[caption.vlm]\n')

    load_config(file, None, {"segment": {"backend": "rembg"}, "layout": {"llm": {"model": "a/b"}}})

    assert [message.split()[0] for message in caplog.messages] == ["[layout.llm]", "[score.clip]"]


def test_unused_tables_of_a_profile_are_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    config = load_config(None, "gen4gen", {"concepts": "photos", "segment": {"backend": "tricut"}})

    assert config.backend_name("segment") == "tricut"
    assert not caplog.messages


@pytest.mark.parametrize(
    "table",
    [
        'profile = "{}"',
        '"{}" = 1',
        '[segment."{}"]\na = 1',
        'resolution = "{}"',
        'segment.rembg.model = "{}"',
        'segment.rembg.model = "{}.onnx"',
        'segment.rembg.file = "{}"',
        'repaint.diffusion.prompt = "a {{{}}}"',
        '"{}" = 99999999999999999999999999',
        "\"{}\" = '\x01'",
    ],
)
@pytest.mark.parametrize("name", ["x" * 10_000, "\\u202egnp", "a\\nerror: none", "\\u2028"])
def test_no_name_or_value_makes_a_message_long_or_adds_lines_to_it(tmp_path: Path, table: str, name: str) -> None:
    (tmp_path / "build.toml").write_text(f'concepts = "photos"\n{table.format(name)}\n', encoding="utf-8")

    with pytest.raises(ConfigError) as refused:
        load_config(tmp_path / "build.toml", None, {})

    message = str(refused.value)
    assert printable(message) == message
    assert all(len(line) < 1000 and not line.startswith("error") for line in message.split("\n"))
