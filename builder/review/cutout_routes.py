"""Routes of the tab Cut-outs. A decision is on the disk before it is answered."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from builder.records import Verdict
from builder.review.answers import Body, Rater, picture
from builder.review.cutouts import MAX_MASK_BYTES, ReviewedCutouts
from mycanvas.errors import InputError


class _Decision(Body):
    """verdict: None withdraws the decision. mask: the sha256 of one that was given before. key: of the cut-out seen."""

    rater: Rater
    verdict: Verdict | None
    reason: str = ""
    mask: str | None = None
    key: str | None = None


def cutout_routes(cutouts: ReviewedCutouts) -> APIRouter:
    """The routes, for the photos of one build."""
    router = APIRouter()

    @router.get("/api/cutouts")
    def listed() -> dict[str, Any]:
        return {"concepts": cutouts.listed()}

    @router.get("/pictures/photos/{sha256}")
    def photo(sha256: str, small: bool = False) -> Response:
        return picture(cutouts.photo_jpeg(sha256, small=small), "jpeg", lasting=True)

    @router.get("/pictures/cutouts/{sha256}")
    def cutout(sha256: str) -> Response:
        return picture(cutouts.cutout_png(sha256), "png")

    @router.get("/pictures/masks/{sha256}")
    def mask(sha256: str) -> Response:
        return picture(cutouts.mask_png(sha256), "png")

    @router.post("/api/cutouts/{sha256}")
    def decide(sha256: str, decision: _Decision) -> dict[str, Any]:
        cutouts.decide(sha256, decision.verdict, decision.reason, decision.mask, decision.rater, decision.key)
        return cutouts.described(sha256)

    @router.post("/api/cutouts/{sha256}/mask")
    async def replace_mask(sha256: str, rater: Rater, request: Request, reason: str = "") -> dict[str, Any]:
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > MAX_MASK_BYTES:
                raise InputError(f"the mask is too large; expected at most {MAX_MASK_BYTES // 2**20} MiB")

        def replace() -> dict[str, Any]:
            cutouts.replace_mask(sha256, bytes(data), reason, rater)
            return cutouts.described(sha256)

        return await run_in_threadpool(replace)

    return router
