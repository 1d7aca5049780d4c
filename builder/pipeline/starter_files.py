"""The two files from which a user starts: concepts.toml beside the photos, and build.toml."""

from __future__ import annotations

import logging
import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from builder.config.schema import BuildConfig
from builder.config.template import build_toml
from builder.sources import ON_HUB
from builder.sources.concepts_list import find_list
from builder.sources.concepts_template import concepts_template
from mycanvas.errors import ConfigError, InputError, StoreError
from mycanvas.io.files import is_inside, write_text

log = logging.getLogger("mycanvas")


@dataclass(frozen=True, kw_only=True, slots=True)
class StarterFiles:
    """concepts.toml, which was written or was there already, and the configuration, which was written."""

    concepts: Path
    kept: bool
    config: Path

    def lines(self) -> list[str]:
        """The files, and the next command."""
        described = "class nouns and attributions of your photos"
        return [
            f"kept {self.concepts}, as it was"
            if self.kept
            else f"wrote {self.concepts}: {described}; look at them first",
            f"wrote {self.config}: every option of a build",
            f"build it:  mycanvas build {shlex.quote(str(self.config))}",
        ]


def write_starter_files(photos: Path, config: Path) -> StarterFiles:
    """Write `photos`/concepts.toml and `config`, both or neither; a concepts.toml that is there already is kept.

    Raises:
        ConfigError: names of folders or paths that no build accepts.
        InputError: no folder of photos.
        StoreError: `config` exists, or a file cannot be written.
    """
    if str(photos).startswith(ON_HUB) or find_list(photos):
        raise ConfigError(f"{photos} describes its concepts itself; init expects a folder: PHOTOS/<concept>/*.jpg")
    concepts = photos / "concepts.toml"
    files = StarterFiles(concepts=concepts, kept=os.path.lexists(concepts), config=config)
    template = concepts_template(photos)
    text = build_toml(_paths(photos, config.parent))
    if os.path.lexists(config):
        raise StoreError(f"{config} exists already, and init overwrites nothing; give another file with --config")
    if files.kept:
        write_text(config, text)
        return files
    write_text(concepts, template.text)
    try:
        write_text(config, text)
    except StoreError:
        concepts.unlink()
        raise
    for stand_in in template.stand_ins:
        log.warning("%s; change it in %s", stand_in, files.concepts)
    return files


def _paths(photos: Path, folder: Path) -> dict[str, str]:
    """The paths that build.toml sets: relative to its folder, unless the photos were given by an absolute path."""
    output: Path = folder / BuildConfig.model_fields["output"].default
    paths = {"concepts": photos}
    if is_inside(output, photos):  # a build refuses it
        paths["output"] = Path(os.path.realpath(photos)).parent / output.name
    if not photos.is_absolute():
        start = os.path.realpath(folder)
        paths = {key: Path(os.path.relpath(os.path.realpath(path), start)) for key, path in paths.items()}
    try:
        return {key: str(path).encode().decode() for key, path in paths.items()}
    except UnicodeEncodeError:
        raise InputError(f"the path {str(photos)!r} is not UTF-8, which TOML requires; rename its folders") from None
