"""Runs that generate pictures: their layout, and how they resume, add to a folder and fail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mycanvas.dataset import Dataset
from mycanvas.errors import ConfigError, InputError, ModelError, StoreError
from mycanvas.generation.run import Generated, generate
from mycanvas.metrics.manifest import read_generated, read_prompts
from mycanvas.metrics.protocol import BACKGROUNDS
from mycanvas.models.text_to_image import Sampling, load_text_to_image
from tests.mycanvas.generation.conftest import Painter
from tests.mycanvas.models.lora_files import embedding_file, lora_file

Run = Callable[..., Generated]


@pytest.fixture
def run(tiny_model: Callable[[str], Path], dataset: Dataset, output: Path) -> Run:
    """Generates with a painter, from the dataset's compositions unless a prompts file is given."""

    def run(painter: Painter | None = None, **options: Any) -> Generated:
        source = {} if options.get("prompts") else {"dataset": dataset}
        given = {"device": "cpu", **source, **options}
        model = str(given.pop("model", tiny_model("sd15_images")))
        given.setdefault("load", (painter or Painter()).load)
        return generate(model, given.pop("output", output), **given)

    return run


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]


def test_each_composition_gets_six_pictures_in_the_layout_of_evaluation(
    run: Run, output: Path, dataset: Dataset
) -> None:
    made = run()
    pictures = read_generated(output, dataset.concepts())

    assert Counter(picture.composition for picture in pictures) == {"cat2+dog6": 6, "cat2+owl": 6}
    assert {picture.background for picture in pictures} == set(BACKGROUNDS[:2])
    assert {line["prompt"] for line in lines(output)[:6]} == {
        f"photo of a <cat2> cat and a <dog6> dog {BACKGROUNDS[0]}"
    }
    assert len({line["seed"] for line in lines(output)}) == 12
    for line in lines(output):
        assert np.asarray(Image.open(output / line["file"]))[0, 0, 0] == line["seed"] % 251
    assert made.as_json() == {"folder": str(output), "pictures": 12, "new": 12, "black": 0}
    assert made.lines()[0].endswith(f"12 new; score them: mycanvas evaluate {output} --dataset {dataset.place}")


def test_prompting_changes_words_but_neither_noise_nor_background(run: Run, tmp_path: Path) -> None:
    run(output=tmp_path / "plain")
    run(output=tmp_path / "gen4gen", prompting="gen4gen")
    plain, gen4gen = lines(tmp_path / "plain"), lines(tmp_path / "gen4gen")

    for before, after in zip(plain, gen4gen, strict=True):
        assert {**before, "prompt": ""} == {**after, "prompt": ""}
        assert after["prompt"].startswith(f"photo of <{after['composition']}>: ")
        assert after["background"] in after["prompt"]


def test_interrupted_run_resumes_to_the_same_folder(run: Run, output: Path, tmp_path: Path) -> None:
    run(output=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Painter(stop_at=6), batch_size=3)
    assert len(list(output.glob("*.png"))) == 6
    assert not (output / "images.jsonl").exists()

    painter = Painter()
    made = run(painter, batch_size=5)

    assert (made.pictures, made.new) == (12, 6)
    assert [len(batch) for batch in painter.batches] == [5, 1]
    assert content(output) == content(tmp_path / "whole")


def test_finished_run_loads_no_model(run: Run, output: Path) -> None:
    run()
    before = content(output)

    assert run(Painter(stop_at=0)).new == 0
    assert content(output) == before


def test_other_settings_are_refused_by_name(run: Run, output: Path, tmp_path: Path, tiny_model: Any) -> None:
    run(pictures=1, sampling=Sampling(steps=20))
    before = content(output)
    lora = lora_file(tmp_path / "a.safetensors", tiny_model("sd15_images"))

    with pytest.raises(StoreError) as refused:
        run(pictures=1, sampling=Sampling(steps=30), loras=[f"{lora}:0.5"], dtype="bfloat16")
    message = str(refused.value).splitlines()
    assert message[0] == f"the pictures of cat2+dog6 in {output} were generated with other settings"
    assert [line.split()[0] for line in message[1:-1]] == ["lora", "steps", "dtype"]
    assert message[2].split() == ["steps", "was", "20,", "now", "30"]
    with pytest.raises(StoreError, match=r"000-0.png in .* was generated from another prompt: was \"photo of a <"):
        run(pictures=1, sampling=Sampling(steps=20), prompting="gen4gen")
    assert content(output) == before


def test_model_that_cannot_be_loaded_leaves_nothing(run: Run, output: Path, tiny_model: Any) -> None:
    with pytest.raises(ModelError, match="is a StableDiffusionInpaintPipeline"):
        run(model=tiny_model("sd15"))
    with pytest.raises(ModelError, match="too large"):
        run(Unloadable())

    assert not output.exists()


class Unloadable(Painter):
    def load(self, *_given: object, **_settings: object) -> Any:
        raise ModelError("too large")


def test_settings_may_change_until_there_is_a_picture(run: Run, output: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Painter(stop_at=0), sampling=Sampling(resolution=33))

    assert run(sampling=Sampling(resolution=32), prompting="gen4gen").new == 12
    assert json.loads((output / "generation.json").read_text())["settings"]["cat2+owl"]["resolution"] == 32


def test_deleted_pictures_are_made_again(run: Run, output: Path) -> None:
    run(compositions=["cat2+dog6"])
    before = content(output)
    (output / "000-3.png").unlink()

    run(compositions=["cat2+owl"], pictures=1)
    assert "000-3.png" not in {line["file"] for line in lines(output)}
    assert run(compositions=["cat2+dog6"]).new == 1
    assert content(output)["000-3.png"] == before["000-3.png"]


def test_runs_for_other_compositions_and_more_seeds_add_to_the_folder(
    run: Run, output: Path, tmp_path: Path, tiny_model: Any
) -> None:
    first, second = (
        lora_file(tmp_path / f"{name}.safetensors", tiny_model("sd15_images"), name) for name in ("to_k", "to_v")
    )
    run(compositions=["dog6+cat2"], loras=[str(first)], pictures=2)
    run(compositions=["cat2+owl"], loras=[str(second)], pictures=2)

    assert [line["file"] for line in lines(output)] == ["000-0.png", "000-1.png", "001-0.png", "001-1.png"]
    assert run(compositions=["cat2+owl"], loras=[str(second)], pictures=3).new == 1
    assert len(lines(output)) == 5


def test_prompts_of_a_file_are_used_as_they_are(run: Run, output: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    rows = [{"file": f"{name}/0.png", "composition": "cat2+dog6", "prompt": f"a cat {name}"} for name in ("b", "a")]
    file.write_text("\n".join(map(json.dumps, rows)))
    painter = Painter()

    run(painter, prompts=file)

    assert painter.batches == [["a cat b", "a cat a"]]
    assert read_prompts(output / "images.jsonl") == tuple(reversed(read_prompts(file)))
    assert run(prompts=file, pictures=2, output=tmp_path / "two").pictures == 4
    assert (tmp_path / "two" / "a" / "0-1.png").exists()


def test_manifest_in_the_folder_may_be_the_prompts_file(run: Run, output: Path) -> None:
    output.mkdir()
    row = {"file": "0.png", "composition": "cat2+dog6", "prompt": "a cat and a dog", "background": None}
    (output / "images.jsonl").write_text(json.dumps(row))

    assert run(prompts=output / "images.jsonl").new == 1
    assert [{**line, "seed": 0} for line in lines(output)] == [{**row, "seed": 0}]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "q" * 80}, r"the prompt of a.png has 82 tokens, and this model reads at most 77; shorten it"),
        ({"file": "a.jpg"}, "pictures are saved as PNG, got a.jpg; name it NAME.png"),
        ({"file": "../a.png"}, r"pictures are saved as PNG, got \.\./a.png"),
    ],
)
def test_prompts_that_cannot_be_used_are_refused(
    row: dict[str, str], message: str, run: Run, output: Path, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"file": "a.png", "composition": "cat2+dog6", "prompt": "a cat"} | row))

    with pytest.raises(InputError, match=message):
        run(prompts=file)
    assert not output.exists()


def test_new_tokens_are_counted_as_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps({"file": "a.png", "composition": "cat2", "prompt": "<long_token_of_a_cat> " * 20}))
    vector = embedding_file(tmp_path / "cat.safetensors", {"<long_token_of_a_cat>": 32})

    with pytest.raises(InputError, match="tokens, and this model reads at most 77"):
        run(prompts=file)
    assert run(prompts=file, embeddings=[vector]).new == 1


def test_tokens_that_embeddings_lack_are_named(run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cat, dog = (embedding_file(tmp_path / f"{name}.safetensors", {f"<{name}>": 32}) for name in ("cat2", "dog6"))
    run(compositions=["cat2+dog6"], embeddings=[cat, dog], output=tmp_path / "both", pictures=1)
    run(compositions=["cat2+dog6"], output=tmp_path / "neither", pictures=1)
    assert "did not learn" not in caplog.text

    run(compositions=["cat2+dog6"], embeddings=[cat], output=tmp_path / "cat", pictures=1)

    assert "the embeddings have no <dog6>: the model did not learn them" in caplog.text


def test_token_of_the_tokenizer_is_refused_before_the_model_is_loaded(run: Run, tmp_path: Path) -> None:
    vector = embedding_file(tmp_path / "dog.safetensors", {"dog</w>": 32})

    with pytest.raises(InputError, match="the token dog</w> is already in the model's tokenizer; train with another"):
        run(Painter(stop_at=0), embeddings=[vector])


def test_full_memory_halves_the_batch_and_then_says_how_to_need_less(run: Run, output: Path, tmp_path: Path) -> None:
    painter = Painter(most=2)
    run(painter, batch_size=8)
    run(output=tmp_path / "whole")

    assert [len(batch) for batch in painter.batches] == [2] * 6
    assert content(output) == content(tmp_path / "whole")
    with pytest.raises(ModelError, match="memory is too small for one picture; lower --resolution, use --dtype bfl"):
        run(Painter(most=0), output=tmp_path / "none")


def test_folder_in_use_is_refused_and_loses_nothing(run: Run, output: Path) -> None:
    class Meanwhile(Painter):
        def generate(self, prompts: Any, seeds: Any) -> Any:
            with pytest.raises(StoreError, match="is in use by another process; wait for it"):
                run(compositions=["cat2+owl"], prompting="gen4gen")
            return super().generate(prompts, seeds)

    run(Meanwhile(), compositions=["cat2+dog6"])
    run(compositions=["cat2+owl"], prompting="gen4gen")

    assert Counter(line["composition"] for line in lines(output)) == {"cat2+dog6": 6, "cat2+owl": 6}
    assert not (output / ".lock").exists()


def test_other_files_are_never_replaced(run: Run, output: Path, tmp_path: Path) -> None:
    run(pictures=1)
    alien = tmp_path / "alien"
    alien.mkdir()
    (alien / "001-0.png").write_bytes(b"mine")
    with pytest.raises(StoreError, match=r"alien holds something else \(001-0.png\); give --output a new or empty"):
        run(output=alien, pictures=1)
    assert [file.name for file in alien.iterdir()] == ["001-0.png"]
    (alien / "images.jsonl").write_text(json.dumps({"file": "b.png", "composition": "cat2", "prompt": "a cat"}))
    with pytest.raises(StoreError, match=r"001-0.png exists and is no picture of this command; choose another"):
        run(output=alien, pictures=1)
    (alien / "001-0.png").unlink()
    with pytest.raises(StoreError, match=r"images.jsonl lists b.png, which is not among these pictures; choose"):
        run(output=alien, pictures=1)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file is a file; give --output a folder"):
        run(output=tmp_path / "file")
    (output / "generation.json").write_text("{}")
    with pytest.raises(StoreError, match=r"generation.json"):
        run(pictures=1)


def test_black_pictures_are_counted_and_reported(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    class Black(Painter):
        def generate(self, prompts: Any, seeds: Any) -> Any:
            return super().generate(prompts, seeds) * np.uint8(0)

    assert run(Black(), pictures=1).black == 2
    assert "2 pictures came out black, as a model's safety checker makes them; `mycanvas evaluate` sc" in caplog.text


def test_safety_checker_blackens_pictures_unless_it_is_left_out(
    run: Run, tmp_path: Path, tiny_model: Callable[[str], Path]
) -> None:
    options = {"model": tiny_model("sd15_checked"), "compositions": ["cat2+owl"], "pictures": 1}
    options |= {"sampling": Sampling(steps=1, resolution=32), "load": load_text_to_image}

    assert run(**options).black == 1
    assert run(**options, safety_checker=False, output=tmp_path / "without").black == 0
    with pytest.raises(StoreError, match=r"safety_checker +was not given, now false"):
        run(**options, safety_checker=False)


def test_arguments_that_contradict_each_other_are_refused(
    dataset: Dataset, output: Path, tmp_path: Path, run: Run
) -> None:
    file = tmp_path / "prompts.jsonl"
    with pytest.raises(ConfigError, match=r"expected either --dataset DIR, .* or --prompts FILE"):
        generate("./model", output)
    with pytest.raises(ConfigError, match=r"expected either --dataset DIR, .* or --prompts FILE"):
        generate("./model", output, dataset=dataset, prompts=file)
    with pytest.raises(ConfigError, match="--composition applies to --dataset"):
        run(prompts=file, compositions=["cat2+dog6"])
    with pytest.raises(ConfigError, match="--prompting applies to --dataset"):
        run(prompts=file, prompting="plain")
    with pytest.raises(ConfigError, match="--seeds must be 1 to 10000 pictures of each prompt, got 1000000000000"):
        run(pictures=10**12)
    with pytest.raises(ConfigError, match="--guidance must be a finite number, got nan"):
        run(sampling=Sampling(guidance=float("nan")))
    with pytest.raises(ConfigError, match=r"there is no composition 'cat\+dog'; did you mean cat2\+dog6\?"):
        run(compositions=["cat+dog"])
