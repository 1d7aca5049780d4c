"""Parts that all routes share: the bodies of requests, saving, errors as JSON with the reason, and pictures."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict

from mycanvas.errors import MyCanvasError, StoreError
from mycanvas.io.messages import explain
from mycanvas.ratings.entries import AnyEntry, rater_name
from mycanvas.ratings.events import Event
from mycanvas.ratings.store import RatingStore

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

log = logging.getLogger("mycanvas")


Rater = Annotated[str, AfterValidator(rater_name)]
"""The name of the person who sends a request."""


class Body(BaseModel):
    """The JSON of a request: strict about keys and types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Sent(Body):
    """A request of a person. id: a UUID that the page made. session: of the page."""

    id: str
    rater: Rater
    session: str = ""


def add_error_answers(app: FastAPI) -> None:
    """Answer every error as {"error": reason}: 422 what the sender must correct, 500 what may succeed later."""
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(MyCanvasError, _known)
    app.add_exception_handler(ValueError, _wrong_value)
    app.add_exception_handler(Exception, _unknown)


def save(store: RatingStore, sent: Sent, entry: AnyEntry) -> dict[str, Any]:
    """Store what a person sent, once, and answer that it is saved."""
    store.add(Event(id=sent.id, session=sent.session, entry=entry))
    return {"saved": sent.id}


def picture(content: bytes, kind: str, *, lasting: bool = False) -> Response:
    """An encoded picture. lasting: its address has this content for the session, so the browser may keep it."""
    kept = {"Cache-Control": "private, max-age=3600"} if lasting else {}
    return Response(content, media_type=f"image/{kind}", headers=kept)


def _answer(status: HTTPStatus, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)


def _wrong_request(_request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, _explained(found[0]) if found else str(error))


def _explained(error: ErrorDetails) -> str:
    if error["type"] == "json_invalid":
        return f"the request is not JSON: {error['ctx']['error']}"
    return explain({**error, "loc": error["loc"][1:]}, ())  # without "body" or "query"


def _known(_request: Request, error: Exception) -> Response:
    if isinstance(error, StoreError):
        log.warning("%s", error)
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _wrong_value(_request: Request, error: Exception) -> Response:
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _unknown(_request: Request, error: Exception) -> Response:
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}; the terminal shows more")
