"""Turn a language model's answer into a caption: plain sentences, no markup, no preamble, shortened where needed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 4000
"""Largest number of characters of an answer that are used."""
FEWEST_WORDS = 3
"""Fewer words are no sentence; a caption is never shortened to fewer."""
ENGLISH_SHARE = 0.12
"""Smallest fraction of an English caption's words that are in COMMON."""
LETTERS_SHARE = 0.8
"""Smallest fraction of an English caption's characters that are letters without accents, or spaces."""

COMMON = re.compile(
    r"\b(?:a|an|the|and|with|of|on|at|to|by|from|next|near|front|behind|beside|between|there|it|its|this|that|are|is|two|"
    r"three|four|five|while|which)\b",
    re.IGNORECASE,
)
_REPLACED = str.maketrans({"‘": "'", "’": "'", "“": " ", "”": " ", "–": ", ", "—": ", ", "…": "...", "_": " "})
_THOUGHT = re.compile(r"^.*</think(?:ing)?>", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_BULLET = re.compile(r"^(?:[-*+•>]+|\d{1,2}[.)])\s+")
_LONE_QUOTE = re.compile(r"(?<!\w)'|(?<!s)'(?!\w)")
_PICTURE = r"(?:image|picture|photo|photograph|scene)"
_PREAMBLE = re.compile(
    r"(?:sure|certainly|of course|okay|ok|yes)[,.!:]+ "
    r"|here(?:'s| is)\b[^.:]*: "
    rf"|(?:the )?(?:caption|description|answer|response|assistant|{_PICTURE})\s*: "
    rf"|(?:the|this) {_PICTURE} (?:clearly )?(?:shows|depicts|features|captures|displays|presents|contains|portrays|"
    r"showcases|includes|is of) "
    rf"|this is (?:an?|the) (?:\w+ )?{_PICTURE} of "
    rf"|in (?:the|this) {_PICTURE},? "
    r"|(?:you|we|i|one) (?:can )?see ",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_CLAUSE_END = re.compile(r"[,;:]?\s(?=while\s)|[,;:](?=\s)")
_ASIDE = re.compile(r"\?|\b(?:I|I'm|AI|you|your|please)\b|\b(?:[Ss]orry|\d+ words)\b")
"""The model writes about itself or its task, not about the picture."""
_DENIAL = re.compile(r"\b(?:no|not|none|nothing|neither|nor|without|cannot)\b|n't\b", re.IGNORECASE)


def tidy(answer: str) -> str:
    """The sentences of an answer, the last with its full stop or question mark; "" if there are none.

    An answer that ends in an ellipsis was cut short: the text after its last whole sentence or clause is dropped.
    """
    text = unicodedata.normalize("NFC", _TAG.sub(" ", _THOUGHT.sub("", answer[:LONGEST])).translate(_REPLACED))
    text = " ".join(_LONE_QUOTE.sub("", _letters(line)) for line in _lines(text))
    text = re.sub(r" ([,.;:!?])", r"\1", " ".join(text.split()))
    if text.endswith("...") or len(answer) > LONGEST:
        text = _whole(text.removesuffix("..."))
    text = text.lstrip(" ,;:.!?-")
    while preamble := _PREAMBLE.match(text):
        text = text[preamble.end() :].lstrip(" ,;:.!?-")
    return _sentence(text)


def openings(text: str, max_words: int) -> Iterator[str]:
    """Beginnings of a tidy text of at most `max_words` words: whole sentences, then clauses; the longest first.

    Only beginnings that state what is in the picture: an image-text encoder reads "no cat" as "cat".
    """
    whole = [text[: match.end()] for match in _SENTENCE_END.finditer(text)]
    broken = [text[: match.start()] for match in _CLAUSE_END.finditer(text)]
    for opening in (*reversed(whole), *reversed(broken)):
        fits = FEWEST_WORDS <= len(opening.split()) <= max_words
        if fits and not _ASIDE.search(opening) and not _DENIAL.search(opening):
            yield _sentence(opening)


def is_english(text: str) -> bool:
    """Whether a tidy text is English, judged by its letters and its share of common words."""
    words = len(text.split())
    plain = len(re.findall(r"[A-Za-z ]", text))
    common = len(COMMON.findall(text))
    return words >= FEWEST_WORDS and plain >= LETTERS_SHARE * len(text) and common >= ENGLISH_SHARE * words


def _lines(text: str) -> Iterator[str]:
    """The lines with content, each ended by punctuation: no fences, and no headings if there are other lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("```")]
    kept = [line for line in lines if not line.startswith("#") and not line.endswith((":", ":**"))] or lines
    for line in kept:
        yield line if len(kept) == 1 or line[-1] in ".!?,;:" else f"{line}."


def _letters(line: str) -> str:
    """A line without markup, symbols and unprintable characters."""
    line = _BULLET.sub("", line)
    return "".join(" " if unicodedata.category(each)[0] in "CS" or each in '*#[]{}"\\' else each for each in line)


def _whole(text: str) -> str:
    """The text up to the end of its last whole sentence or clause."""
    ends = [match.start() for end in (_SENTENCE_END, _CLAUSE_END) for match in end.finditer(text)]
    return text[: max(ends)] if ends else ""


def _sentence(text: str) -> str:
    end = "?" if text.endswith("?") else "."
    text = text.rstrip(" ,;:.!?-")
    return f"{text[0].upper()}{text[1:]}{end}" if re.search(r"\w", text) else ""
