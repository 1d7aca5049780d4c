from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pytest
from datasets import Features, Image, List, Value

from mycanvas.schema import (
    SCORES,
    SPLITS,
    concepts_features,
    concepts_schema,
    dataset_schema,
    features,
    split_of,
)

SCENE = Features(
    {
        "id": Value("string"),
        "image": Image(),
        "caption": Value("string"),
        "prompt": Value("string"),
        "long_caption": Value("string"),
        "boxes": List(List(Value("float32"), length=4)),
        "concept_tokens": List(Value("string")),
        "class_names": List(Value("string")),
        "mask": Image(),
        "background": Value("string"),
        "composition": Value("string"),
        "num_objects": Value("int32"),
        "source_images": List(Value("string")),
        "scores": {score: Value("float32") for score in SCORES},
        "rank": Value("int8"),
        "provenance": Value("string"),
    }
)
SOURCE_PHOTO = Features(
    {
        "id": Value("string"),
        "image": Image(),
        "mask": Image(),
        "concept": Value("string"),
        "concept_token": Value("string"),
        "class_name": Value("string"),
        "height_cm": Value("float32"),
        "quality": Value("float32"),
        "used": Value("bool"),
        "attribution": Value("string"),
    }
)


def test_the_schemas_are_the_features_of_the_design() -> None:
    assert features() == SCENE
    assert concepts_features() == SOURCE_PHOTO
    assert list(features()) == list(SCENE)
    assert list(concepts_features()) == list(SOURCE_PHOTO)


@pytest.mark.parametrize(("schema", "expected"), [(dataset_schema(), SCENE), (concepts_schema(), SOURCE_PHOTO)])
def test_the_schemas_have_the_arrow_types_that_datasets_would_write(schema: pa.Schema, expected: Features) -> None:
    assert schema.equals(expected.arrow_schema, check_metadata=False)


@pytest.mark.parametrize("schema", [dataset_schema(), concepts_schema()])
def test_lists_are_named_so_that_datasets_3_reads_them(schema: pa.Schema) -> None:
    metadata = schema.metadata[b"huggingface"].decode()

    assert '"_type": "List"' not in metadata
    assert set(json.loads(metadata)["info"]["features"]) == set(schema.names)


def test_a_scene_belongs_to_the_split_of_its_number_of_objects() -> None:
    assert [split_of(n) for n in range(1, 6)] == [SPLITS[0], SPLITS[0], SPLITS[0], SPLITS[1], SPLITS[2]]


@pytest.mark.parametrize("num_objects", [0, 6])
def test_a_scene_with_too_few_or_too_many_objects_has_no_split(num_objects: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 5 objects, got {num_objects}"):
        split_of(num_objects)


def test_writing_shards_does_not_load_datasets() -> None:
    program = (
        "import sys; from mycanvas.schema import dataset_schema; dataset_schema(); print('datasets' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"
