"""Find where a free text mentions a scene's objects, and check that it says how many there are of each class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from builder.stages.caption.facts import Group
from builder.stages.caption.template import with_tokens
from mycanvas.english import number_of, plural

Reference = Literal["new", "known", "one", "other"]
"""Role of a mention, by its determiner: introduce an object, refer back to it, or distinguish one of several."""

_KNOWN = "the|this|that|these|those|its|his|her|their|our|both|all|each|such|same"
_OTHER = "another|other|second|third|fourth|fifth|next|more|additional|extra|different"
_NEW = "a|an|some|any|every|several|many|few"
_BREAK = (
    "and|or|but|nor|is|are|was|were|be|being|been|has|have|had|of|in|on|at|with|by|to|from|into|onto|over|under|beside|"
    "between|behind|near|while|as|for|like|toward|towards|through|across|around|inside|outside|than|then"
)
"""Words that never occur between a determiner and its noun."""
_FOLLOWER = re.compile(
    "and|or|but|is|are|was|were|has|have|had|that|which|who|whose|while|as|with|without|in|on|at|by|near|next|beside|"
    "behind|before|between|under|over|above|below|beneath|beyond|along|across|around|against|among|amid|atop|inside|"
    "outside|within|into|onto|off|out|up|down|from|to|for|of|through|toward|towards|underneath|alongside|can|may|also|"
    "both|each|together|nearby|there|here|then|just|so|all|not|sit|stand|lie|lay|sat|stood|rest|play|look|appear|face|"
    "share|seem|watch|walk|run|sleep|lean|pose|relax|hold|wear|peek"
    # Other verbs and adverbs, as far as their endings show it.
    r"|\w+[^s]s|\w{3,}ed|\w{2,}ing|\w{2,}ly"
)
"""Words that may follow an object's noun; before any other word, the noun only qualifies that word: "dog bed"."""
_NUMBERS = {
    **{word: number for number, word in enumerate(("two", "three", "four", "five", "six", "seven", "eight"), start=2)},
    **{str(number): number for number in range(2, 9)},
    "couple of": 2,
    "both": 2,
}
_COUNT = re.compile(
    rf"(?<![\w-])(?P<known>(?:the|these|those|all) )?(?:an? )?(?P<number>{'|'.join(_NUMBERS)})"
    # Adjectives may come in between, but no plural: that would be the counted noun ("two boys walking dogs").
    rf"(?: (?!(?:{_BREAK}|{_KNOWN}|{_OTHER}|{_NEW}|people|men|women|children)\b)"
    r"[a-z-]*(?:[^s\W]|ss|us)\b,?){0,3} $",
    re.IGNORECASE,
)
"""A number, up to the plural noun that it counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mention:
    """One place in a text that names objects of a class.

    start, end: of the noun in the text; a counted one starts at its number ("two brown dogs").
    several: the noun is in the plural. number: the stated number, if there is one.
    """

    noun: str
    start: int
    end: int
    reference: Reference
    several: bool = False
    number: int | None = None


def put_tokens(text: str, groups: Sequence[Group]) -> tuple[str, str] | str:
    """Turn a text into a caption and a prompt; or return a complaint that can be sent back to the text's writer.

    A single object's token goes before the first noun that names it. Of several objects of one class, the leftmost
    one's token goes to the first mention ("a dog sits beside another dog"); or, where the text counts them, the prompt
    lists them one by one and the caption counts them as the template does: "two brown dogs" becomes "two dogs".

    Args:
        text: tidy sentences.
        groups: the scene's objects by class, each class left to right.
    """
    mentions = find_mentions(text, [group[0].noun for group in groups])
    changes: list[tuple[Mention, str, str]] = []
    for group in groups:
        places = _places([each for each in mentions if each.noun == group[0].noun], group, text)
        if isinstance(places, str):
            return places
        if places[0].several:
            spelled_out = _spelled_out(group, text[places[0].end :])
            changes.append((places[0], number_of(len(group), group[0].noun), spelled_out))
            continue
        for place, item in zip(places, group, strict=True):
            words = text[place.start : place.end]
            changes.append((place, words, f"{item.token} {words}"))
    caption, prompt, done = "", "", 0
    for place, plain, token in sorted(changes, key=lambda change: change[0].start):
        between = text[done : place.start]
        if text[place.start].isupper() or re.search(r"(?:^|[.!?] )$", text[: place.start]):
            plain, token = _capitalised(plain), _capitalised(token)
        caption, prompt = caption + between + plain, prompt + between + token
        done = place.end
    return caption + text[done:], prompt + text[done:]


def unnamed(text: str, groups: Sequence[Group]) -> list[Group]:
    """The groups that a text does not mention at all."""
    spoken_of = {noun for noun, _, _ in _nouns(text, [group[0].noun for group in groups])}
    return [group for group in groups if group[0].noun not in spoken_of]


def find_mentions(text: str, nouns: Sequence[str]) -> list[Mention]:
    """All mentions of objects of these classes, in order.

    The longest noun counts: where both are classes, "toy car" does not mention a car. "dog bed" and "dog-like" do not
    mention a dog.
    """
    found = []
    done = 0
    for noun, several, (start, end) in _nouns(text, nouns):
        before, skipped = text[done:start], done
        done = end
        in_pairs = plural(noun).endswith(f" of {noun}")
        if in_pairs and not several:
            # The determiner belongs to the pair ("a pair of brown glasses"), and "three flowers" may be one set.
            before = re.sub(r"\b[\w-]+ of (?:[\w-]+ ){0,2}$", "", before)
        elif not several and plural(noun) != noun and _is_of_a_kind(text[end:]):
            continue
        elif count := _COUNT.search(before):
            number = count["number"].lower()
            found.append(
                Mention(
                    noun=noun,
                    start=skipped + count.start(),
                    end=end,
                    reference="known" if count["known"] or number == "both" else "new",
                    several=True,
                    number=_NUMBERS[number],
                )
            )
            continue
        found.append(Mention(noun=noun, start=start, end=end, reference=_reference(before), several=several))
    return found


def _nouns(text: str, nouns: Sequence[str]) -> list[tuple[str, bool, tuple[int, int]]]:
    """(class noun, in the plural, place) of every noun in a text."""
    forms = {**{plural(noun): (noun, True) for noun in nouns}, **{noun: (noun, False) for noun in nouns}}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    any_form = "|".join(f"({re.escape(form)})" for form in longest_first)
    pattern = re.compile(rf"(?<![\w-])(?:{any_form})(?![\w-])", re.IGNORECASE)
    return [(*forms[longest_first[(match.lastindex or 1) - 1]], match.span()) for match in pattern.finditer(text)]


def _is_of_a_kind(after: str) -> bool:
    """Whether a noun only qualifies the next word, given the text after it."""
    follower = re.match(r" ([a-z]+)", after, re.IGNORECASE)
    return follower is not None and not _FOLLOWER.fullmatch(follower[1].lower())


def _reference(before: str) -> Reference:
    """The role of a mention, judged by the words before its noun."""
    for word in reversed(re.findall(r"[\w'-]+|[.;:!?]", before.lower())[-5:]):
        if re.fullmatch(_OTHER, word):
            return "other"
        if word == "one":
            return "one"
        if re.fullmatch(_KNOWN, word) or word.endswith("'s"):
            return "known"
        if re.fullmatch(rf"{_NEW}|{_BREAK}|\W", word):
            break
    return "new"


def _places(mentions: Sequence[Mention], group: Group, text: str) -> list[Mention] | str:
    """The mentions that get a class's tokens: one for each object, or one that counts them all; or a complaint."""
    noun = group[0].noun
    if not mentions:
        return f'it does not say "{noun}"'
    return _only(mentions, noun) if len(group) == 1 else _several(mentions, group, text)


def _only(mentions: Sequence[Mention], noun: str) -> list[Mention] | str:
    first, *later = mentions
    more = [each for each in mentions if each.several or each.reference == "other"]
    if more or any(each.reference != "known" for each in later):
        return f"it speaks of more than one {noun}; there is only one"
    return [first]


def _several(mentions: Sequence[Mention], group: Group, text: str) -> list[Mention] | str:
    noun, expected = group[0].noun, number_of(len(group), group[0].noun)
    first, *later = mentions
    if wrong := [each for each in mentions if each.number not in (None, len(group))]:
        return f"it says {wrong[0].number} {plural(noun)}; there are {expected}"
    if first.number:
        extra = [each for each in later if each.reference == "new" or (each.several and each.reference != "known")]
        return f"it speaks of more than {expected}" if extra else [first]
    if any(each.several for each in mentions):
        return f'it does not say "{expected}"'
    new = [first, *(each for each in later if each.reference != "known")]
    if len(new) != len(group):
        return f"it speaks of {number_of(len(new), noun) if len(new) < 6 else 'many'}; there are {expected}"
    side = re.search(r"\b(?:left|right)\b", text, re.IGNORECASE)
    if side and side.group().lower() == "right":
        return f"it does not speak of the {plural(noun)} from left to right"
    return new


def _spelled_out(group: Group, after: str) -> str:
    """List the objects as the template does, but without "and" if one follows: "a dog, a dog" before " and a mug"."""
    return ", ".join(with_tokens(((item,),)) for item in group) if after.startswith(" and ") else with_tokens((group,))


def _capitalised(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"
