"""Check the names, class nouns and tokens of concepts before anything is made from them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.sources.concept_folders import EMPTY_TOKEN, ConceptFolder
from mycanvas.io.text import brief_repr, shown
from mycanvas.io.toml import toml_key

MAX_NOUN_WORDS = 3
"""Five such nouns with their articles, and a background of six words, take 27 of the 30 words of a caption."""
MAX_NOUN_LENGTH = 60
"""Characters of a class noun."""

_PLAIN = re.compile(r"\w(?:[\w .'’&-]*\w)?")
"""Text that begins and ends with a letter or digit, so that a caption can be searched for it as whole words."""
_FILE = re.compile(r".*\w\.(bmp|gif|jpe?g|json|png|txt|toml|webp|ya?ml)", re.IGNORECASE)
"""The name of a file: Custom Diffusion's class_prompt may be the path of a file of captions."""
_SENTENCE = re.compile(r"\w{3,}\. |\b(is|are|was|were|has|have|this|photo of|picture of|image of)\b", re.IGNORECASE)
_UNTOLD = {
    "capture",
    "dcim",
    "dsc",
    "folder",
    "image",
    "images",
    "img",
    "new",
    "new folder",
    "object",
    "photo",
    "photos",
}
_UNTOLD |= {"pic", "pics", "picture", "pictures", "pxl", "screenshot", "untitled", "untitled folder"}
"""Class nouns by the names that cameras and file managers give to folders."""
BLANK = '"…"'
"""For a class noun that is the user's to choose."""
_SET_NOUN = "set class_noun in concepts.toml, or class_prompt in concepts_list.json"
_SET_TOKEN = "set token in concepts.toml, or a <token> in its instance_prompt in concepts_list.json"  # noqa: S105 - a concept's


def name_problems(folders: Sequence[ConceptFolder]) -> Iterator[str]:
    """Everything that is wrong with the names, class nouns and tokens of folders, one line each."""
    for folder in folders:
        if "+" in folder.name or not folder.name.isprintable():
            expected = 'expected no "+" and no control character; rename its folder'
            yield f"{brief_repr(folder.name)} cannot be the name of a concept: {expected}"
            continue
        if folder.token == EMPTY_TOKEN:
            yield f"no token can be made from the folder name {folder.name!r}; {_SET_TOKEN}"
        if not is_class_noun(folder.class_noun):
            noun = folder.class_noun
            given = repr(noun if len(noun) <= MAX_NOUN_LENGTH else f"{noun[:MAX_NOUN_LENGTH]}…")
            yield (
                f"{given} cannot be the class noun of {folder.name}: expected 1 to {MAX_NOUN_WORDS} "
                "plain words of letters (digits, - and ' may be among them), without an article, no sentence and no "
                f"path; {_SET_NOUN}"
            )
    paths = [(shown(str(folder.path)), folder.name) for folder in folders if folder.name.isprintable()]
    yield from _duplicates(paths, "folder name", "rename one")
    tokens = [(folder.name, folder.token) for folder in folders if folder.token != EMPTY_TOKEN]
    yield from _duplicates(list(dict(tokens).items()), "token", _SET_TOKEN)


def is_class_noun(noun: str) -> bool:
    """Whether a caption can hold the noun with an article of its own, and be searched for it."""
    if noun.lower().split()[:1] in (["a"], ["an"], ["the"]) or len(noun) > MAX_NOUN_LENGTH:
        return False
    if _FILE.fullmatch(noun) or _SENTENCE.search(noun):
        return False
    return bool(_PLAIN.fullmatch(noun)) and len(noun.split()) <= MAX_NOUN_WORDS and any(map(str.isalpha, noun))


def noun_warning(folder: ConceptFolder, list_file: Path | None) -> str | None:
    """A hint to describe a concept whose folder name hardly names an object; None where it does, or is described.

    list_file: as for `noun_setting`.
    """
    if folder.described.class_noun is not None or not (folder.renamed or folder.class_noun in _UNTOLD):
        return None
    return (
        f'{folder.name}: its class noun by the folder name is "{folder.class_noun}"; '
        f"to change it, write {noun_setting(folder.name, BLANK, list_file)}"
    )


def noun_setting(concept: str, noun: str, list_file: Path | None) -> str:
    """The line that sets a concept's class noun, and its place.

    Args:
        concept: its name.
        noun: in quotation marks.
        list_file: the concepts_list.json that describes the concepts; None: concepts.toml does.
    """
    if list_file is not None:
        return f'"class_prompt": {noun} in {list_file.name}'
    return f"class_noun = {noun} under [{toml_key(concept)}] in concepts.toml"


def _duplicates(pairs: Sequence[tuple[str, str]], what: str, remedy: str) -> Iterator[str]:
    """A line for each value that an earlier owner has too. pairs: owner and value.

    Values that differ only in case or in compatible characters are the same: CLIP's tokenizer folds case, and so do the
    file systems of macOS and Windows.
    """
    first: dict[str, tuple[str, str]] = {}
    for owner, value in pairs:
        key = _folded(value)
        if key not in first:
            first[key] = owner, value
            continue
        other, its_value = first[key]
        same = value if value == its_value else f"{its_value} and {value}, which differ only in case or form"
        yield f"{other} and {owner} have the same {what} {same}; {remedy}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
