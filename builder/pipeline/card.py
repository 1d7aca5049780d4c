"""Write the text of the dataset's card from the build folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from builder.config import BuildConfig
from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.funnel import Funnel
from builder.pipeline.manifest import Shards, digest_of
from builder.pipeline.required_models import backends_with_models, published
from builder.pipeline.source_photos import CutoutUse, Sources
from dataset_card import BackgroundFacts, CardFacts, ConceptFacts, Credit, Plot, SplitFacts, render_card
from mycanvas import __version__
from mycanvas.io.toml import flatten
from mycanvas.models import is_local


def card_text(
    folder: BuildFolder,
    config: BuildConfig,
    sources: Sources,
    funnel: Funnel,
    shards: Shards,
    compositions: Mapping[str, int],
    caption_words: float,
    plots: tuple[Plot, ...],
) -> str:
    """Render the dataset's README.md.

    Args:
        folder: a build folder, with the stored shards.
        config: of the build, selection included.
        sources: its photos and backgrounds.
        funnel: the numbers of planned, rejected, dropped and kept scenes.
        shards: of the dataset.
        compositions: the number of kept scenes of each composition.
        caption_words: the mean number of words of their captions.
        plots: of the kept scenes.
    """
    sizes = {name: folder.shard_file(digest).stat().st_size for name, digest in shards.items()}
    splits = [_split(sizes, name, "data", rows) for name, rows in funnel.kept.items() if rows]
    facts = CardFacts(
        name="MyCanvas",
        splits=tuple(splits),
        source_photos=_split(sizes, "train", "concepts", len(sources.photos)),
        concepts=_concepts(sources.photos),
        backgrounds=_backgrounds(sources),
        compositions=dict(compositions),
        planned=sum(funnel.planned.values()),
        again=funnel.again,
        rejected=funnel.rejected,
        candidates=sum(funnel.made.values()),
        dropped=funnel.dropped,
        profile=config.profile,
        parameters=parameters_of(config),
        backends=backends_with_models(config, folder.revisions()),
        config_digest=config.digest(),
        shards_digest=digest_of(shards),
        seed=config.seed,
        sizes=config.scene_sizes(),
        caption_words=caption_words,
        license=config.license,
        version=__version__,
        plots=plots,
    )
    return render_card(facts)


def parameters_of(config: BuildConfig) -> dict[str, Any]:
    """All settings that the dataset depends on; a local path is replaced by its last part."""
    values = config.identity() | flatten({"select": config.select.model_dump(mode="json")})
    return {
        name: published(value) if isinstance(value, str) and is_local(value) else value
        for name, value in values.items()
    }


def _split(sizes: Mapping[str, int], name: str, folder: str, rows: int) -> SplitFacts:
    own = [size for file, size in sizes.items() if file.startswith(f"{folder}/{name}-")]
    return SplitFacts(name=name, rows=rows, bytes=sum(own), files=len(own))


def _concepts(photos: Sequence[CutoutUse]) -> tuple[ConceptFacts, ...]:
    groups: defaultdict[tuple[str, str, str], list[Credit]] = defaultdict(list)
    for photo in photos:
        credit = Credit(id=photo.id, used=photo.used, attribution=photo.attribution)
        groups[photo.concept, photo.token, photo.class_noun].append(credit)
    return tuple(
        ConceptFacts(name=name, token=token, class_noun=noun, photos=tuple(members))
        for (name, token, noun), members in groups.items()
    )


def _backgrounds(sources: Sources) -> tuple[BackgroundFacts, ...]:
    groups: defaultdict[tuple[str, str], list[Credit]] = defaultdict(list)
    for background in sources.backgrounds:
        members = groups[background.scene, background.phrase]
        if background.photo_id is not None:
            members.append(Credit(id=background.photo_id, attribution=background.attribution))
    return tuple(
        BackgroundFacts(name=name, phrase=phrase, photos=tuple(members)) for (name, phrase), members in groups.items()
    )
