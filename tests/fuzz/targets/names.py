"""Names of concepts, folders and files, class nouns, tokens, sizes of scenes, and what is written with them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from builder.records import Rejected
from builder.sources.background_photos import is_plain, phrase_of
from builder.sources.concept_folders import TOKEN, ConceptDescription, ConceptFolder
from builder.sources.concept_names import is_class_noun, name_problems, noun_warning
from builder.sources.heights import guess_height
from builder.sources.identity_nouns import head_noun
from builder.stages.caption.base import CaptionConfig, find_fault
from builder.stages.caption.long_caption import MAX_WORDS, long_caption
from builder.stages.caption.template import Template
from builder.stages.resolution import LARGEST, SMALLEST, read_resolution, sizes_of
from mycanvas.dataset import Concept, Photo, file_name
from mycanvas.dataset.names import NAME_BYTES, check_id
from mycanvas.english import number_of, plural, uncounted, with_article, with_token
from mycanvas.export.photo_files import PhotoNames, UniqueStems, photo_stem
from mycanvas.export.selection import Selection
from mycanvas.export.triggers import triggers_of, with_triggers
from mycanvas.io.text import printable, shown, split_named
from tests.builder.stages.caption.scenes import make_scene
from tests.fuzz.draws import NUMBERS, ODD, WORDS, name, text, value
from tests.fuzz.target import Target, check_message, require

NOUN_PARTS = (
    *WORDS,
    "Dog",
    "mr. x",
    "x-ray",
    "R2-D2",
    "AT&T box",
    "l’ours",
    "8-ball",
    "knives",
    "men",
    "Straße",
    "İt",
    "ŉ",
    "ſs",
    "ﬁsh",
)


def targets(_scratch: Path) -> Iterator[Target]:
    """The targets of this file."""
    yield Target(name="names of concepts", draw=_folder, check=_check_folder, inputs=110_000)
    yield Target(name="names of scenes", draw=_file_name, check=_check_scene, inputs=100_000)
    yield Target(name="names of files", draw=_photos, check=_check_files, inputs=20_000)
    yield Target(
        name="ids",
        draw=lambda random: value(random, 1) if random.random() < 0.2 else text(random),
        check=_check_id,
        inputs=60_000,
    )
    yield Target(name="captions of the template", draw=_nouns, check=_check_template, inputs=4_000)
    yield Target(name="prompts with triggers", draw=_prompt, check=_check_triggers, inputs=20_000)
    yield Target(name="sizes", draw=_resolution, check=_check_resolution, inputs=60_000, refusals=(ValueError,))


def _file_name(random: Random) -> str:
    """A name that an entry of a folder may have."""
    drawn = (name(random) or "x").replace("/", "∕").replace("\0", "0").strip("\n")
    return (
        drawn.encode("utf-8", "surrogateescape")[:255].decode("utf-8", "surrogateescape")
        if drawn not in ("", ".", "..")
        else "x"
    )


def _folder(random: Random) -> tuple[str, str | None, str | None]:
    noun = random.choice(
        (None, name(random), " ".join(random.choice(NOUN_PARTS) for _ in range(random.randrange(1, 4))))
    )
    return _file_name(random), noun, random.choice((None, None, "<dog6>", "<A_-9>"))


def _check_folder(given: tuple[str, str | None, str | None]) -> None:
    described = ConceptDescription(class_noun=given[1], token=given[2])
    folder = ConceptFolder(path=Path("/photos") / given[0], described=described, collected=True)
    for problem in (problems := list(name_problems([folder]))):
        check_message(problem)
    if problems:
        return
    if warning := noun_warning(folder, None):
        check_message(warning)
    noun = folder.class_noun
    require(re.fullmatch(TOKEN, folder.token), "tokens are in angle brackets")
    require(is_class_noun(noun) and printable(noun) == noun, "class nouns are plain words")
    height = guess_height(noun)
    require(height is None or 0 < height < 1e5, "heights are plausible")
    head_noun(noun)
    _check_english(noun, folder.token)


def _check_english(noun: str, token: str) -> None:
    for count in range(1, 6):
        require(number_of(count, noun).strip(), "counts have words")
    require(with_article(noun).endswith(noun), "an article comes before its noun")
    require(
        with_token(noun, token).replace(f"{token} ", "") == with_article(noun), "without its token, a noun is itself"
    )
    one_by_one = f"{with_article(noun)}, {with_article(noun)} and {with_article(noun)} in a row"
    require(
        uncounted(one_by_one, [noun]) == uncounted(f"{number_of(3, noun)} in a row", [noun]), "counts are recognised"
    )
    require(plural(noun), "nouns have a plural")


def _check_scene(scene: str) -> None:
    phrase = " ".join(phrase_of(scene).split())
    if is_plain(phrase):
        require(printable(phrase) == phrase, "plain phrases are printable")
    require("\n" not in shown(scene) and printable(shown(scene)) == shown(scene), "names are shown on one line")
    given, place = split_named(scene)
    require(place in scene and (given is None or "/" not in given), "names have no path")


def _photos(random: Random) -> list[tuple[str, str]]:
    return [(text(random, surrogates=True), text(random, surrogates=True)) for _ in range(random.randrange(1, 6))]


def _check_files(given: list[tuple[str, str]]) -> None:
    stems, photos = UniqueStems(), PhotoNames()
    found = [(stems.add(f"{concept}+{photo}"), "") for concept, photo in given]
    for concept, photo in given:
        row = Photo(id=f"{concept}/{photo}", concept=concept, image=b"")
        require(photo_stem(row) is not None, "photos have stems")
        found += [(file_name(concept), ""), (photos.name(row, "JPEG"), ".jpg"), (photos.name(row, "PNG"), ".png")]
    for each, suffix in found:
        require(each and each not in (".", "..") and not each.startswith("."), "names are neither hidden nor empty")
        require(
            not re.search(r'[\\/:*?"<>|\0]', each) and each.isprintable(), "names are of this folder, on any system"
        )
        require(len(each.encode()) <= NAME_BYTES + 16, "names are short")
        require(not suffix or each.lower().endswith((suffix, ".jpeg")), "suffixes say the kind")
    folded = [each.casefold() for each, _ in found[: len(given)]]
    require(len(set(folded)) == len(folded), "stems are unique")


def _check_id(given: Any) -> None:
    check_id(given, "a dataset")
    require(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", given), "ids name files")


def _nouns(random: Random) -> tuple[list[str], int]:
    found: list[str] = []
    while not found or (len(found) < 5 and random.random() < 0.6):
        noun = " ".join(random.choice(NOUN_PARTS) for _ in range(random.choice((1, 1, 1, 2, 3))))
        if random.random() < 0.1:
            noun = random.choice(WORDS) + random.choice(ODD) + random.choice(WORDS)
        noun = ConceptFolder(path=Path("x"), described=ConceptDescription(class_noun=noun), collected=True).class_noun
        if is_class_noun(noun):
            found += [noun] * random.choice((1, 1, 1, 2))
    return found[:5], random.randrange(1000)


def _check_template(given: tuple[list[str], int]) -> None:
    nouns, seed = given
    scene = make_scene(
        [(noun, 5 + 18 * i, 70 + 5 * (i * seed % 5), 16, 16) for i, noun in enumerate(nouns)], sample_id=f"s{seed}"
    )
    (words,) = Template().caption([scene], CaptionConfig(), seed)
    described = long_caption(scene, seed)
    require(len(described.split()) <= MAX_WORDS, "long captions are short enough")
    require(all(noun.casefold() in described.casefold() for noun in nouns), "long captions name all objects")
    if isinstance(words, Rejected):
        return
    fault = find_fault(words.caption, words.prompt, scene.canvas.layout.setting.sample.concepts, 30)
    require(fault is None, "a caption of the template keeps all rules")


def _prompt(random: Random) -> tuple[str, list[str]]:
    names = list({f"c{index}": 0 for index in range(random.randrange(1, 5))})
    words = [random.choice((f"<{each}>", "an", "A", "An", "a", ".", text(random))) for each in names * 3]
    return random.choice((" ", "")).join(words), names


def _check_triggers(given: tuple[str, list[str]]) -> None:
    prompt, names = given
    concepts = [Concept(name=each, token=f"<{each}>", class_name="dog", height_cm=None) for each in names]
    tokens = triggers_of(concepts, Selection())
    require(with_triggers(prompt, concepts, tokens) == prompt, "tokens stay where they are the triggers")
    words = triggers_of(concepts, Selection(triggers="words", seed=3))
    require(
        len(set(words.values())) == len(names) and all(map(str.isalpha, words.values())), "triggers are unique words"
    )
    with_triggers(prompt, concepts, words)


def _resolution(random: Random) -> Any:
    side = random.choice((*NUMBERS, 512, 768, 1024, 1152, 896, random.randrange(5000)))
    size = f"{side}{random.choice(('x', '×', ' x ', 'X', '*', ''))}{random.choice((*NUMBERS, 768, 1024, 896))}"
    part = random.choice((side, size, size, text(random)))
    return random.choice((part, part, [part, 1024], f"{part},512x512", f"1024,{part}", [part] * 2, value(random)))


def _check_resolution(given: Any) -> None:
    read = read_resolution(given)
    sizes = sizes_of(read)
    require(sizes and all(SMALLEST <= side <= LARGEST for size in sizes for side in size), "sides are in their range")
    require(
        read_resolution(list(read) if isinstance(read, tuple) else read) == read,
        "a checked resolution is the same when checked",
    )
