"""Find class nouns that describe one object, such as "grey sloth plushie".

Training ties the looks of the object to such words, not to its token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from builder.records import Concept
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
_PREPOSITIONS = re.compile(r" (?=(?:at|by|for|from|in|of|on|with) )")


def head_noun(noun: str) -> str | None:
    """The noun without the words that describe one object; None if it has no such words.

    "grey sloth plushie" becomes "plushie" and "red coffee mug" "coffee mug"; "teddy bear" and "alarm clock" stay.
    """
    phrase, *rest = _PREPOSITIONS.split(noun, 1)
    words = phrase.split()
    end = known_end(words)
    if end == 0:
        return None
    before, head = words[:end], words[end:]
    depicts = _DEPICTIONS.fullmatch(head[-1].casefold()) is not None
    kept = [word for word in before if not _describes(word.casefold(), depicts)]
    return None if kept == before else " ".join([*kept, *head, *rest])


def _describes(word: str, depicts: bool) -> bool:
    return bool(_LOOKS.fullmatch(word)) or (depicts and not _KINDS.fullmatch(word))


def identity_warning(concepts: Sequence[Concept]) -> str | None:
    """A warning about class nouns that describe one object, with better ones; None if there are none."""
    found = [(concept, head) for concept in concepts if (head := head_noun(concept.class_noun))]
    if not found:
        return None
    listed = ", ".join(f'{concept.name} ("{concept.class_noun}")' for concept, _ in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    remedies = ", ".join(
        f'class_noun = {toml_string(head)} under ["{concept.name}"]' for concept, head in found[:_SHOWN]
    )
    return (
        f"the class noun of {listed}{more} describes this one object, so that a trainer ties its looks to these words "
        f"and not to its token; write {remedies} in concepts.toml (class_prompt in concepts_list.json)"
    )
