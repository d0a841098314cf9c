"""Errors as RFC 9457 problem documents: what is wrong, in a sentence, and nothing of the inside."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from gateway.accounts import AccountError
from gateway.api import headers
from gateway.api.callers import ForbiddenError
from gateway.live import TooManyClientsError
from gateway.passwords import HasherBusyError, WeakPasswordError
from gateway.stores import StoreError

MEDIA_TYPE = "application/problem+json"
_LONGEST_INSTANCE = 500


class Problem(BaseModel):
    """A problem document (RFC 9457). `instance` is the path that was asked for."""

    type: str = "about:blank"
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str


def problem(status: int, detail: str, more: dict[str, str] | None = None, *, scope: Scope) -> JSONResponse:
    """The answer that says what is wrong. `more`: headers."""
    instance = quote(scope["path"])[:_LONGEST_INSTANCE]
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, instance=instance).model_dump()
    return JSONResponse(content, status, more, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of `app`, expected or not, as a problem document."""

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> JSONResponse:
        detail, more = error.detail, dict(error.headers or {})
        if error.status_code == 404 and detail == "Not Found":
            detail = "there is nothing here; /api/v1/openapi.json describes what there is"
        if error.status_code == 405:
            detail = f"not with {request.method}: with {more.get('Allow', 'another method')}"
        return problem(error.status_code, detail, more, scope=request.scope)

    @app.exception_handler(RequestValidationError)
    async def _(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = (
            f"{'.'.join(map(str, item['loc'][1:])) or 'the body'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(wrong)[:2000], scope=request.scope)

    @app.exception_handler(StoreError)
    async def _(request: Request, error: StoreError) -> JSONResponse:
        more = {"Retry-After": "5"} if error.retryable else {}
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), more, scope=request.scope)

    @app.exception_handler(TooManyClientsError)
    async def _(request: Request, error: TooManyClientsError) -> JSONResponse:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "30"}, scope=request.scope)

    @app.exception_handler(HasherBusyError)
    async def _(request: Request, error: HasherBusyError) -> JSONResponse:
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "5"}, scope=request.scope)

    @app.exception_handler(ForbiddenError)
    async def _(request: Request, error: ForbiddenError) -> JSONResponse:
        return problem(HTTPStatus.FORBIDDEN, str(error), scope=request.scope)

    @app.exception_handler(AccountError)
    async def _(request: Request, error: AccountError) -> JSONResponse:
        return problem(HTTPStatus.CONFLICT, str(error), scope=request.scope)

    @app.exception_handler(WeakPasswordError)
    async def _(request: Request, error: WeakPasswordError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), scope=request.scope)

    @app.exception_handler(Exception)
    async def _(request: Request, _: Exception) -> JSONResponse:
        # This one is made outside of the guard, which adds them to all others.
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway's log says more", headers.SECURITY, scope=request.scope
        )
