"""Random text, JSON and damage; everything follows from one random generator."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MARK = "ZQX"
"""Follows a line break in random text: a message with a line that begins with it was written by its input."""

WORDS = ("dog", "rc car", "glasses", "mug", "a", "the", "two", "dogs", "in a garden", "beside", "knife", "child's toy")
ODD = (
    *(
        "",
        " ",
        "\t",
        "\n",
        f"\n{MARK}: done",
        "\r",
        "\0",
        "\x1b[2J",
        "\x07",
        "\x7f",
        "\x85",
        "\x9b31m",
        "\u2028",
        "\u2029",
    ),
    *(
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u00ad",
        "\u0301",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ı",
        "ſ",
        "ŉ",
        "ﬁ",
        "Ω",
    ),
    *(
        "K",
        "北京",
        "עברית",
        "😀",
        "👩\u200d👩\u200d👧",
        "\U000e0041",
        "\U0010ffff",
        "٣",
        "²",
        "½",
        "Ⅷ",
        "_",
        "-",
        "--",
        "—",
        "…",
    ),
    *(
        "..",
        "../../etc/passwd",
        "/",
        "\\",
        "~",
        "~root",
        "C:\\x",
        "CON",
        "a/b",
        ".",
        "*",
        "?",
        "%s",
        "%n",
        "{0}",
        "{}",
        "$(id)",
    ),
    *(
        "`id`",
        ";",
        "|",
        "&&",
        "'",
        '"',
        "'''",
        '"""',
        "<b>",
        "</td>",
        "<script>",
        "&amp;",
        "<!--",
        "-->",
        "[x](http://y)",
    ),
    *(
        "![x](y)",
        "**",
        "#",
        "# x",
        "---",
        "- x",
        "| a |",
        "```",
        "~~~",
        "{{ 1 }}",
        "{% x %}",
        "<dog>",
        "<dog6>",
        "<>",
        "<new1>",
    ),
    *(
        "0",
        "1",
        "-1",
        "1e9",
        "1e999",
        "-0.0",
        "nan",
        "inf",
        "0x10",
        "9" * 25,
        "9" * 5000,
        "true",
        "null",
        "None",
        "yes",
        "!!python",
    ),
    *(
        "=",
        ":",
        ": ",
        ",",
        "[",
        "]",
        "{",
        "}",
        "[[",
        "]]",
        "(",
        ")",
        "&x",
        "*x",
        "+",
        "@",
        "hf://a/b",
        "http://[",
        "file:///x",
    ),
)
SURROGATES = ("\ud800", "\udcff", "\udfff\ud800")
NUMBERS: tuple[Any, ...] = (
    *(
        0,
        1,
        -1,
        2,
        3,
        5,
        7,
        64,
        100,
        127,
        128,
        255,
        256,
        1024,
        4096,
        65_536,
        2**31,
        2**32,
        2**53,
        2**63,
        2**64,
        -(2**63),
    ),
    *(
        10**30,
        10**400,
        0.0,
        -0.0,
        0.1,
        0.5,
        1.0,
        1.5,
        1e-300,
        5e-324,
        1e16,
        1e300,
        1.8e308,
        float("inf"),
        float("-inf"),
    ),
    *(float("nan"), 512, 140, 250),
)
DEPTHS = (50, 200, 300, 330, 400, 480, 500, *range(900, 1000, 4), 2000, 50_000)
"""Python's limit of recursion is 1000."""
LONGEST = 20_000
"""Characters of a text."""
_DEEP = "a value that is nested deeply"


def text(random: Random, *, surrogates: bool = False, most: int = 6) -> str:
    """A few words and odd pieces, joined; sometimes one of them many times."""
    pools = [WORDS, ODD, ODD, SURROGATES] if surrogates else [WORDS, ODD, ODD]
    pieces = [random.choice(random.choice(pools)) for _ in range(random.randrange(most + 1))]
    if random.random() < 0.1:
        pieces.append(
            chr(random.choice((random.randrange(256), random.randrange(0xD800), random.randrange(0xE000, 0x110000))))
        )
    found = random.choice(("", " ", "")).join(pieces)
    return (found * random.choice((10, 100, 1000)))[:LONGEST] if random.random() < 0.005 else found


def name(random: Random) -> str:
    """Mostly a plain name, else any text."""
    return random.choice(WORDS) + random.choice(("", "2", "_3", "-x")) if random.random() < 0.5 else text(random)


def nested(random: Random) -> Any:
    """A list or an object that holds only another one, and so on."""
    depth, inner = random.choice((2, 5, 50, 150)), random.choice((1, [], {}))
    for _ in range(depth):
        inner = [inner] if random.random() < 0.7 else {"a": inner}
    return inner


def value(random: Random, depth: int = 3) -> Any:
    """Any value of JSON, and numbers beyond it."""
    kind = random.randrange(10 if depth else 7)
    if kind < 2:
        return random.choice(NUMBERS)
    if kind < 4:
        return text(random, surrogates=True)
    if kind < 7:
        return random.choice((None, True, False, [], {}, "", random.randrange(1000), random.random()))
    if kind == 7 and random.random() < 0.05:
        return nested(random)
    if kind < 9:
        return [value(random, depth - 1) for _ in range(random.randrange(4))]
    return {text(random, surrogates=True, most=2): value(random, depth - 1) for _ in range(random.randrange(4))}


def changed(random: Random, whole: Any) -> Any:
    """A copy of nested lists and objects with one to four changes."""
    whole = copy.deepcopy(whole)
    for _ in range(random.choice((1, 1, 1, 2, 3, 4))):
        places = list(_places(whole))
        if not places:
            return value(random)
        holder, key = random.choice(places)
        how = random.randrange(8)
        if how < 4:
            holder[key] = value(random)
        elif how == 4:
            holder[key] = copy.deepcopy(holder[random.choice(list(_keys(holder)))])
        elif how == 5:
            del holder[key]
        elif isinstance(holder, dict):
            holder[text(random, surrogates=True, most=2) if how == 6 else random.choice((key, str(key).upper()))] = (
                holder.pop(key)
            )
        else:
            holder.insert(key, value(random))
    return whole


def _keys(holder: Any) -> Sequence[Any]:
    return list(holder) if isinstance(holder, dict) else range(len(holder))


def _places(whole: Any) -> Any:
    stack = [whole]
    while stack:
        holder = stack.pop()
        if isinstance(holder, dict | list) and len(stack) < 200:
            for key in _keys(holder):
                yield holder, key
                stack.append(holder[key])


def as_json(random: Random, whole: Any) -> bytes:
    """JSON of a value; sometimes in another encoding, with doubled keys, or too deep for any reader."""
    deep = random.random() < 0.03
    if deep and (places := list(_places(whole := json.loads(json.dumps(whole))))):
        holder, key = random.choice(places)
        holder[key] = _DEEP
    written = json.dumps(whole, ensure_ascii=random.random() < 0.8)
    if deep:
        depth = random.choice(DEPTHS)
        written = written.replace(
            f'"{_DEEP}"', random.choice(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth))
        )
    if random.random() < 0.02 and written.startswith("{") and len(written) > 2:
        written = written[:-1] + "," + written[1:]
    if random.random() < 0.03:
        return written.encode(random.choice(("utf-8-sig", "utf-16", "latin-1")), "replace")
    return written.encode("utf-8", "surrogatepass")


def damaged(random: Random, data: bytes, pieces: Sequence[bytes] = ()) -> bytes:
    """Bytes with one to eight changes: bits, removed, doubled, moved and odd pieces, other numbers, a lost end."""
    content = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4, 8))):
        _DAMAGES[random.randrange(len(_DAMAGES))](random, content, pieces)
    return bytes(content)


def _span(random: Random, content: bytearray, longest: int = 64) -> slice:
    start = random.randrange(len(content) + 1)
    return slice(start, start + random.randrange(1, longest))


def _flip(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    if content:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    if content:
        content[random.randrange(len(content))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _remove(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    del content[_span(random, content)]


def _double(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    span = _span(random, content)
    times = 1 if random.random() < 0.9 else random.choice((10, 100, 1000))
    content[span.start : span.start] = (content[span] * times)[:LONGEST]


def _move(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    span = _span(random, content)
    moved = content[span]
    del content[span]
    at = random.randrange(len(content) + 1)
    content[at:at] = moved


def _insert(random: Random, content: bytearray, pieces: Sequence[bytes]) -> None:
    at = random.randrange(len(content) + 1)
    odd = random.choice(pieces) if pieces and random.random() < 0.7 else random.choice(ODD).encode()
    content[at : at + random.choice((0, 0, len(odd)))] = odd


def _number(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    digits = [index for index, byte in enumerate(content) if 48 <= byte < 58]
    if digits:
        at = random.choice(digits)
        content[at : at + 1] = str(random.choice(NUMBERS[:-3]))[:400].encode()


def _four(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    at = random.randrange(len(content) + 1)
    content[at : at + 4] = random.choice((0, 1, 0xFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)).to_bytes(
        4, random.choice(("big", "little"))
    )


def _cut(random: Random, content: bytearray, _: Sequence[bytes]) -> None:
    del content[random.randrange(len(content) + 1) :]


_DAMAGES: Sequence[Callable[[Random, bytearray, Sequence[bytes]], None]] = (
    *(_flip, _flip, _set, _set, _remove, _double, _move, _insert, _insert, _number, _four, _cut),
)
