"""English phrases for any class noun that a folder may be named after: articles, plurals, counts and lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

_COUNTS = ("none", "one", "two", "three", "four", "five")

_PAIRS = re.compile(
    "binoculars|boots|chopsticks|clogs|earbuds|earphones|earrings|flip-flops|gloves|glasses|goggles|headphones|jeans|"
    "leggings|mittens|pajamas|pants|pliers|pyjamas|sandals|scissors|shoes|shorts|skates|skis|slippers|sneakers|socks|"
    "sunglasses|tights|tongs|trousers|tweezers"
)
"""Nouns of objects that come in pairs: "a pair of glasses"."""
_SINGULAR = re.compile(".*(?:ss|us|is)|alias|atlas|bias|canvas|gas|lens|pancreas|series|species")
"""Nouns in -s that are singular; any other noun in -s is a plural: "a set of keys"."""
_UNCHANGED = re.compile(".*fish|aircraft|bison|deer|moose|salmon|sheep|shrimp|squid|swine|trout|series|species")
_IRREGULAR = {
    "cactus": "cacti",
    "calf": "calves",
    "child": "children",
    "die": "dice",
    "elf": "elves",
    "foot": "feet",
    "goose": "geese",
    "half": "halves",
    "leaf": "leaves",
    "loaf": "loaves",
    "louse": "lice",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "quiz": "quizzes",
    "scarf": "scarves",
    "thief": "thieves",
    "tooth": "teeth",
    "wolf": "wolves",
}
_NOT_MAN = re.compile("caiman|german|human|ottoman|shaman|talisman")
_ES = re.compile("domino|echo|hero|mango|mosquito|potato|tomato|torpedo|volcano")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))\w")


def with_article(noun: str) -> str:
    """A noun in the singular with its article: "a dog", "an hourglass", "a pair of glasses", "a set of keys"."""
    container = _container(noun)
    if container:
        return f"a {container} of {noun}"
    return f"{'an' if _starts_with_vowel_sound(noun) else 'a'} {noun}"


def with_token(noun: str, token: str) -> str:
    """A noun with its article and its concept's token: "an <owl> owl", "a pair of <g> glasses"."""
    return f"{with_article(noun).removesuffix(noun)}{token} {noun}"


def number_of(count: int, noun: str) -> str:
    """A noun with its count, 1 to 5: "a dog", "two dogs", "three pairs of glasses"."""
    return with_article(noun) if count == 1 else f"{_COUNTS[count]} {plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun: "dogs", "wolf plushies", "cups of tea", "pairs of glasses"."""
    container = _container(noun)
    if container:
        return f"{container}s of {noun}"
    head, of, rest = noun.partition(" of ")
    words = head.split(" ")
    return " ".join([*words[:-1], _plural_word(words[-1])]) + of + rest


def listed(phrases: Sequence[str]) -> str:
    """Join phrases to a list: "x", "x and y", "x, y and z"."""
    return " and ".join(filter(None, (", ".join(phrases[:-1]), phrases[-1])))


def uncounted(text: str, nouns: Sequence[str]) -> str:
    """Replace every list of objects in a text by the number of each: "<2 dog, 1 cat>".

    Two texts that differ only in how they count ("two dogs and a cat", "a dog, a dog and a cat") become the same.

    Args:
        text: a caption, or a prompt without its tokens.
        nouns: the class nouns that it may name.
    """
    counted = [(noun, count) for noun in nouns for count in range(1, len(_COUNTS))]
    phrases = {_uncapitalized(number_of(count, noun)): (noun, count) for noun, count in counted}
    one = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=lambda phrase: (-len(phrase), phrase)))
    run = re.compile(rf"\b(?:{one})\b(?:(?:, | and )(?:{one})\b)*")

    def tally(match: re.Match[str]) -> str:
        total: Counter[str] = Counter()
        for phrase in re.findall(rf"\b(?:{one})\b", match.group()):
            noun, count = phrases[phrase]
            total[noun] += count
        return "<" + ", ".join(f"{total[noun]} {noun}" for noun in sorted(total)) + ">"

    return run.sub(tally, _uncapitalized(text))


def _uncapitalized(text: str) -> str:
    """A text without capitals where sentences start, as after the dot of "St. Bernard"."""
    return _SENTENCE_START.sub(lambda start: start.group().lower(), text)


@lru_cache
def _container(noun: str) -> str:
    """The word for one unit of a plural noun: "pair" or "set"; "" for a singular noun."""
    last = noun.partition(" of ")[0].split(" ")[-1].lower()
    if _PAIRS.fullmatch(last):
        return "pair"
    return "set" if last.endswith("s") and not _SINGULAR.fullmatch(last) else ""


def _plural_word(word: str) -> str:
    lower = word.lower()
    if _UNCHANGED.fullmatch(lower):
        return word
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    if lower.endswith("man") and not _NOT_MAN.fullmatch(lower):
        return f"{word[:-2]}en"
    if lower.endswith(("knife", "wife", "life")):
        return f"{word[:-2]}ves"
    if lower.endswith("shelf"):
        return f"{word[:-1]}ves"
    if lower.endswith(("s", "x", "z", "ch", "sh")) or _ES.fullmatch(lower):
        return f"{word}es"
    if re.search("[^aeiou]y$", lower):
        return f"{word[:-1]}ies"
    return f"{word}s"


def _starts_with_vowel_sound(noun: str) -> bool:
    word = re.split("[ -]", noun.lower())[0]
    if re.match("hour|heir|honest|hono", word):
        return True
    if re.match("eu|ewe|one|once|ub|uf|uk|ura|us[abe]|ut[ei]|uni(?![nm])", word):
        return False
    if not re.search("[aeiouy]", word) and not word.endswith("."):  # "a St. Bernard"
        return bool(re.match("[fhlmnrsx8]|11|18", word))  # Spelled out: "an RC car", "an 8-ball".
    return word[0] in "aeiou"
