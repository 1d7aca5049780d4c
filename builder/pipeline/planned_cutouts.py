"""The cut-outs that a plan was drawn with: a resumed build uses them, whatever people decide about cut-outs since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from builder.pipeline.build_folder import BuildFolder
from builder.pipeline.cache_keys import prepared_key, settings_key
from builder.pipeline.context import BuildContext
from builder.pipeline.cutout_keys import cutout_key
from builder.pipeline.prepared_files import is_cut_out, write_prepared
from builder.pipeline.result_cache import PREPARED, ResultCache, cache_folder
from builder.pipeline.source_photos import CutoutUse, Sources
from builder.pipeline.stored_records import Plan
from builder.records import PhotoFile
from mycanvas.errors import StoreError
from mycanvas.io.checked import digest, read_checked_or_none


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCutouts:
    """The cut-outs of a plan. keys: photo id -> the name of its files, of all photos, or of the used ones.

    used: ids of the photos that the plan was drawn with. uses: their entries in sources.json; empty if that is lost.
    """

    keys: Mapping[str, str]
    used: frozenset[str]
    uses: Mapping[str, CutoutUse]

    def restored(self, cutouts: Sequence[CutoutUse]) -> list[CutoutUse]:
        """Mark the cut-outs of the plan, and restore their qualities, which depend on siblings at that time."""
        found = []
        for cutout in cutouts:
            before = self.uses.get(cutout.id, cutout)
            before = before if before.key == cutout.key else cutout
            found.append(replace(cutout, planned=cutout.id in self.used, quality=before.quality, lost=before.lost))
        return found


def planned_cutouts(folder: BuildFolder) -> PlannedCutouts | None:
    """Read the cut-outs of the plan of a claimed folder; None if it has no plan, so that all decisions may change.

    Of plan.json and sources.json, one may be lost: the other one has the names of the cut-outs too.
    """
    plan = read_checked_or_none(folder.plan_file, Plan)
    if plan and plan.request != digest(folder.request()):
        return None
    if not plan and not folder.has_markers():
        return None
    sources = read_checked_or_none(folder.sources_file, Sources)
    uses = {photo.id: photo for photo in sources.photos} if sources else {}
    used = dict(plan.cutouts) if plan else {}
    used = used or {name: photo.key for name, photo in uses.items() if photo.in_plan}
    keys = {name: photo.key for name, photo in uses.items()} | used
    return PlannedCutouts(keys=keys, used=frozenset(used), uses=uses) if used else None


def with_planned_mask(photo: PhotoFile, key: str, context: BuildContext) -> PhotoFile | None:
    """A photo with the mask, or without one, by which its planned cut-out is made again; None if its masks changed.

    Args:
        photo: with its present masks.
        key: the name of the planned cut-out's files.
        context: the build.
    """
    for mask in dict.fromkeys((photo.outline, photo.mask, None)):
        candidate = replace(photo, mask=mask, review_mask=None, flaw=None)
        if cutout_key(candidate, context) == key:
            return candidate
    return None


def check_kept(photo: PhotoFile, key: str, context: BuildContext) -> None:
    """Check that a planned cut-out is in the folder, or restore it from the user's cache.

    Raises:
        StoreError: a file of it is lost.
    """
    if not (is_cut_out(context.folder, key) or _restored(key, context)):
        raise StoreError(
            f"{context.folder.path}: the cut-out of {photo.id}, which its scenes show, is lost, and the photo's mask "
            "has changed since; give the earlier mask again, or build with another --output"
        )


def _restored(key: str, context: BuildContext) -> bool:
    """Whether the user's cache still has a cut-out; then it is copied to the folder."""
    cache = cache_folder()
    name = prepared_key(key, settings_key(context.config, context.runtime))
    known = ResultCache(cache).get(name, PREPARED) if cache else None
    if known:
        write_prepared(known, partial(context.folder.cutout_file, key))
    return known is not None
