"""Errors as RFC 9457 problem documents: what is wrong, in a sentence, and nothing of the inside."""

from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gateway.live import TooManyClientsError
from gateway.stores import StoreError

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem document."""

    type: str = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str = ""


def problem(status: int, detail: str = "", headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that says what is wrong."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump()
    return JSONResponse(content, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of `app`, expected or not, as a problem document."""

    @app.exception_handler(HTTPException)
    async def _(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, error.detail, dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = (f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(wrong)[:2000])

    @app.exception_handler(StoreError)
    async def _(_: Request, error: StoreError) -> JSONResponse:
        headers = {"Retry-After": "5"} if error.retryable else {}
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers)

    @app.exception_handler(TooManyClientsError)
    async def _(_: Request, error: TooManyClientsError) -> JSONResponse:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "30"})

    @app.exception_handler(Exception)
    async def _(_: Request, __: Exception) -> JSONResponse:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway's log says more")
