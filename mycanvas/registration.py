"""Register the loader, mycanvas.py, so that `load_dataset("mycanvas")` finds it.

`datasets` ran loading scripts up to 3.x and has no public way to add a builder by name. So the loader is added to its
private table of packaged modules, when `datasets` is imported and not before: `import mycanvas` stays light.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import wrapt

NAME = "mycanvas"
BUILDER = "mycanvas.mycanvas"
USED_NAMES = (
    "packaged_modules._PACKAGED_DATASETS_MODULES",
    "load.DatasetModule",
    "load.PackagedDatasetModuleFactory.get_module",
    "data_files.DataFilesDict",
)
"""The names within `datasets` that registration uses; its documentation promises none of them."""
WORKS_WITH = "3.6 to 5.2"


def register_when_imported() -> None:
    """Register the builder when `datasets` is imported; at once if it already is.

    Raises:
        ImportError: the version of `datasets` lacks a name that registration uses.
    """
    wrapt.register_post_import_hook(register, "datasets")


def register(datasets: ModuleType) -> None:
    """Register the builder with an imported `datasets`.

    Raises:
        ImportError: the version of `datasets` lacks a name that registration uses.
    """
    _check(datasets)
    major = datasets.__version__.split(".")[0]  # 3.x cannot read a cache that 5.x wrote
    source = Path(__file__).with_name("mycanvas.py").read_bytes()
    module = (BUILDER, hashlib.sha256(source + major.encode()).hexdigest())
    datasets.packaged_modules._PACKAGED_DATASETS_MODULES[NAME] = module

    def get_module(stock: Callable[[], Any], factory: Any, _args: tuple[()], _kwargs: dict[str, Any]) -> Any:
        """Leave it to the builder to find shards: `datasets` would glob the whole folder, `.build` included."""
        if factory.name != NAME or factory.data_files is not None:
            return stock()
        none_yet = datasets.data_files.DataFilesDict()
        return datasets.load.DatasetModule(*module, {"dataset_name": NAME, "data_files": none_yet})

    wrapt.wrap_function_wrapper(datasets.load, "PackagedDatasetModuleFactory.get_module", get_module)


def _check(datasets: ModuleType) -> None:
    for name in USED_NAMES:
        found: Any = datasets
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:
            raise ImportError(
                f'load_dataset("mycanvas") needs datasets.{name}, which datasets {datasets.__version__} no longer has; '
                f"it works with datasets {WORKS_WITH}: pip install 'datasets<=5.2'"
            )
