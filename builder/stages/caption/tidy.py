"""What a language model answers, made a caption: plain sentences, no markup, no preamble, cut where one may stop."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST = 4000
"""Characters of an answer that are looked at."""
FEWEST_WORDS = 3
"""Less is no sentence, and nothing is cut down to less."""
ENGLISH_SHARE = 0.12
"""At least this share of an English caption's words is in COMMON."""
LETTERS_SHARE = 0.8
"""At least this share of an English caption is letters without accents, and spaces."""

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
"""The model speaks of itself or its task, not of the picture."""
_DENIAL = re.compile(r"\b(?:no|not|none|nothing|neither|nor|without|cannot)\b|n't\b", re.IGNORECASE)


def tidy(answer: str) -> str:
    """An answer as sentences, the last with its full stop or question mark; "" where it holds none.

    An answer that ends in an ellipsis was cut short: what follows its last whole sentence or clause is dropped.
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
    """What of a tidy text may stand alone in so many words: its first sentences, else clauses; the longest first.

    Only what states something of the picture: what an image-text encoder reads in "no cat" is "cat".
    """
    whole = [text[: match.end()] for match in _SENTENCE_END.finditer(text)]
    broken = [text[: match.start()] for match in _CLAUSE_END.finditer(text)]
    for opening in (*reversed(whole), *reversed(broken)):
        fits = FEWEST_WORDS <= len(opening.split()) <= max_words
        if fits and not _ASIDE.search(opening) and not _DENIAL.search(opening):
            yield _sentence(opening)


def is_english(text: str) -> bool:
    """Whether a tidy text reads as English, judged by its letters and its commonest words."""
    words = len(text.split())
    plain = len(re.findall(r"[A-Za-z ]", text))
    common = len(COMMON.findall(text))
    return words >= FEWEST_WORDS and plain >= LETTERS_SHARE * len(text) and common >= ENGLISH_SHARE * words


def _lines(text: str) -> Iterator[str]:
    """The lines that say something, each with an end: not fences, and where there is more, not headings."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("```")]
    said = [line for line in lines if not line.startswith("#") and not line.endswith((":", ":**"))] or lines
    for line in said:
        yield line if len(said) == 1 or line[-1] in ".!?,;:" else f"{line}."


def _letters(line: str) -> str:
    """A line without markup, symbols and what cannot be printed."""
    line = _BULLET.sub("", line)
    return "".join(" " if unicodedata.category(each)[0] in "CS" or each in '*#[]{}"\\' else each for each in line)


def _whole(text: str) -> str:
    """What was said to its end."""
    ends = [match.start() for end in (_SENTENCE_END, _CLAUSE_END) for match in end.finditer(text)]
    return text[: max(ends)] if ends else ""


def _sentence(text: str) -> str:
    end = "?" if text.endswith("?") else "."
    text = text.rstrip(" ,;:.!?-")
    return f"{text[0].upper()}{text[1:]}{end}" if re.search(r"\w", text) else ""
