"""How routes answer: errors as JSON with the reason, and pictures."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from mycanvas.errors import MyCanvasError, StoreError

log = logging.getLogger("mycanvas")


class Body(BaseModel):
    """The JSON of a request: strict about keys and types."""

    model_config = ConfigDict(extra="forbid", strict=True)


def add_error_answers(app: FastAPI) -> None:
    """Answer every error as {"error": reason}: 422 what the sender must correct, 500 what may succeed later."""
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(MyCanvasError, _known)
    app.add_exception_handler(ValueError, _wrong_value)
    app.add_exception_handler(Exception, _unknown)


def picture(content: bytes, kind: str, *, lasting: bool = False) -> Response:
    """An encoded picture. lasting: its address has this content for the session, so the browser may keep it."""
    kept = {"Cache-Control": "private, max-age=3600"} if lasting else {}
    return Response(content, media_type=f"image/{kind}", headers=kept)


def _answer(status: HTTPStatus, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)


def _wrong_request(_request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    first = found[0] if found else {"loc": (), "msg": str(error)}
    place = ".".join(str(part) for part in first["loc"][1:])
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{place}: {first['msg']}")


def _known(_request: Request, error: Exception) -> Response:
    if isinstance(error, StoreError):
        log.warning("%s", error)
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _wrong_value(_request: Request, error: Exception) -> Response:
    return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


def _unknown(_request: Request, error: Exception) -> Response:
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}; the terminal shows more")
