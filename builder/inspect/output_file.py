"""Write a file whose name a user chooses, without replacing a file that is not ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mycanvas.errors import ConfigError, StoreError
from mycanvas.io.files import write_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputFile:
    """A kind of file that this program writes where a user says.

    noun: its name in messages. suffix, format: of the file: ".png", "a PNG".
    is_ours: whether an existing file is of this kind and ours. other: how to give the file another name.
    """

    noun: str
    suffix: str
    format: str
    is_ours: Callable[[Path], bool]
    other: str

    def write(self, file: Path, content: Callable[[], bytes]) -> None:
        """Make the content and write it; an existing file is replaced only if it is of this kind.

        Args:
            file: its path.
            content: makes the content; it is called after the file's name was checked.

        Raises:
            ConfigError: the file's name has another suffix.
            StoreError: another file has this name, or it cannot be written.
        """
        self.check(file)
        made = content()
        try:
            write_bytes(file, made)
        except StoreError as error:
            raise StoreError(f"{error}, or {self.other}") from error

    def check(self, file: Path) -> None:
        """Refuse a name that a file of this kind cannot have.

        Raises:
            ConfigError: it has another suffix.
            StoreError: another file has this name, or there is no folder for it.
        """
        if file.suffix.lower() != self.suffix:
            raise ConfigError(f"a {self.noun} is {self.format}, got {file}; {self.other}")
        if os.path.lexists(file) and not self.is_ours(file):
            raise StoreError(f"{file} exists and is no {self.noun} of mycanvas; {self.other}")
        if not os.path.isdir(file.parent):
            raise StoreError(f"cannot write {file}: {file.parent} is not a folder; {self.other}")
