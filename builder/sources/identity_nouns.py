"""Find class nouns that describe one object, such as "grey sloth plushie".

Training ties the looks of the object to such words, not to its token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from builder.records import Concept
from builder.sources.concept_names import noun_setting
from builder.sources.heights import known_end
from mycanvas.io.toml import toml_string

_SHOWN = 5
"""Concepts that a warning lists; the others are counted."""
_LOOKS = re.compile(
    "beige|black|blond|blonde|blue|bright|brown|colorful|colourful|cream|dark|gold|golden|gray|green|"
    "grey|ivory|maroon|multicolored|multicoloured|navy|neon|orange|pale|pastel|pink|purple|rainbow|"
    "red|silver|tan|teal|turquoise|violet|white|yellow|checked|checkered|chequered|dotted|floral|"
    "flowered|patterned|plaid|spotted|striped|tartan|brass|bronze|ceramic|copper|crocheted|denim|glass|"
    "knitted|leather|marble|metal|metallic|plastic|porcelain|velvet|wooden|woolen|woollen|big|giant|"
    "huge|large|little|small|tall|tiny|ancient|antique|beautiful|broken|cute|dirty|favorite|favourite|"
    "fluffy|furry|fuzzy|glossy|handmade|happy|lovely|modern|my|new|old|pretty|retro|rusty|sad|shiny|"
    "sitting|sleeping|smiling|standing|transparent|ugly|vintage|worn|young"
)
"""Words for the looks of one object, unless the table of heights has them as part of a noun ("teddy bear")."""
_DEPICTIONS = re.compile(
    "(?:doll|figure|figurine|keychain|ornament|plush|plushie|plushy|puppet|sculpture|statue|statuette|toy)s?|plushies"
)
"""Nouns of objects that depict something: the words before them say what, so they describe this one object."""
_KINDS = re.compile("action|bath|cuddly|finger|garden|hand|plush|rag|soft|stuffed|stuffy|toy|wind-?up")
"""Words before such a noun that name a kind of object."""
_NAMES = re.compile(
    r"\b(?:golden retriever|giant schnauzer|old english (?:sheepdog|bulldog)|(?:blue|red) heeler|red setter|"
    r"black russian terrier|white (?:swiss )?shepherd|(?:large|small) munsterlander|(?:black|brown) bear|blue whale|"
    r"gr[ae]y (?:wolf|seal|squirrel)|red (?:fox|deer|squirrel|kangaroo)|silver fox|spotted hyena|(?:black|white) rhino|"
    r"(?:black|white) swan|white (?:shark|tiger)|giant (?:panda|tortoise)|golden eagle|little owl|green turtle|"
    r"(?:red|white) wine|(?:green|black) tea|(?:green|red|yellow) pepper|red (?:cabbage|onion)|orange juice)s?\b"
)
"""Breeds, species and food whose names begin with a word for looks, unless the table of heights has them."""
_PREPOSITIONS = re.compile(r" (?=(?:at|by|for|from|in|of|on|with) )")


def head_noun(noun: str) -> str | None:
    """The noun without the words that describe one object; None if none of its words is for looks.

    Words for looks (colours, patterns, materials, sizes, states) describe one object: "red coffee mug" becomes "coffee
    mug". A compound of nouns is a kind of object and stays: "alarm clock", "wolf plushie", "duck toy"; so do names such
    as "golden retriever". But with a word for looks before it, a noun of an object that depicts something loses all
    words: "grey sloth plushie" becomes "plushie", as both words say which plushie it is.
    """
    phrase, *rest = _PREPOSITIONS.split(noun, 1)
    words = phrase.split()
    end = known_end(words)
    before, head = words[:end], words[end:]
    looks = _words_for_looks(words)
    if looks.isdisjoint(range(end)):
        return None
    depicts = _DEPICTIONS.fullmatch(head[-1].casefold()) is not None
    kept = [
        word
        for index, word in enumerate(before)
        if index not in looks and (_KINDS.fullmatch(word.casefold()) or not depicts)
    ]
    return " ".join([*kept, *head, *rest])


def _words_for_looks(words: Sequence[str]) -> set[int]:
    """The indices of the words for looks that are not part of a name such as "golden retriever"."""
    folded = " ".join(word.casefold() for word in words)
    named: set[int] = set()
    for found in _NAMES.finditer(folded):
        first = folded.count(" ", 0, found.start())
        named |= set(range(first, first + len(found.group().split())))
    return {index for index, word in enumerate(folded.split(" ")) if _LOOKS.fullmatch(word)} - named


def identity_warning(concepts: Sequence[Concept], list_file: Path | None) -> str | None:
    """A warning about class nouns that describe one object, with better ones, a line each; None if there are none.

    list_file: the concepts_list.json that describes the concepts; None: concepts.toml does.
    """
    found = [(concept, head) for concept in concepts if (head := head_noun(concept.class_noun))]
    if not found:
        return None
    lines = [
        f'  {concept.name} ("{concept.class_noun}"): write {noun_setting(concept.name, toml_string(head), list_file)}'
        for concept, head in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    return "\n".join(
        [
            "a trainer ties the looks of an object to the words for them in its class noun, and not to its token; "
            "leave these words out:",
            *lines,
        ]
    )
