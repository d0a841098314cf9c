"""What the buttons of a notification ask for. The link is its own permission: no account, no cookie."""

import base64
import hashlib
import html
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from gateway.alerts.actions import PATH, Action, ActionRefusedError, Actions
from gateway.api import problems
from gateway.api.callers import PUBLIC, Caller, acts, address_of, note

Token = Annotated[str, Path(pattern=r"^[-_A-Za-z0-9]{1,900}\.[-_A-Za-z0-9]{43}$")]

_SAID = {
    "acknowledge": ("Acknowledge this alert?", "Acknowledge", "Acknowledged. The alert stays open until it is over."),
    "useful": ("Was this alert useful?", "Yes, useful", "Thank you: it counts as useful."),
    "false": ("Was this a false alarm?", "Yes, false alarm", "Thank you: it counts as a false alarm."),
}
_STYLE = """body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem}
:root{color-scheme:light dark}
button{font:inherit;width:100%;min-height:3.5rem}"""
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>magwatch</title>
<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">
<style>{style}</style><main><h1>{title}</h1>{body}</main></html>"""
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""It brings its style along: where only the buttons' links are reachable, nothing else is."""


def actions(actions: Actions) -> APIRouter:
    """`/api/v1/actions/{token}`: GET shows what it would do, POST does it, once."""
    router = APIRouter(tags=["actions"])

    @router.get(
        PATH + "{token}",
        response_class=HTMLResponse,
        responses={410: {"content": {"text/html": {}}}},
        openapi_extra=PUBLIC,
    )
    async def asked(token: Token) -> Response:
        """A page with one button. Nothing happens: mail programs and scanners open links by themselves."""
        try:
            action = await actions.look(token)
        except ActionRefusedError as refused:
            return _page(410, "Nothing done", str(refused))
        title, button, _ = _SAID[action.what]
        return _page(200, title, "", f'<form method="post"><button>{html.escape(button)}</button></form>')

    @router.post(
        PATH + "{token}",
        response_model=Action,
        responses={200: {"content": {"text/html": {}}}, 410: {"content": {"text/html": {}}}},
        openapi_extra=PUBLIC,
    )
    async def done(request: Request, token: Token, accept: Annotated[str, Header(max_length=500)] = "") -> Response:
        """Acknowledges or judges the alert. JSON, or a page for whoever asks for one."""
        as_page = "text/html" in accept
        try:
            action = await actions.act(token)
        except ActionRefusedError as refused:
            if as_page:
                return _page(410, "Nothing done", str(refused))
            return problems.problem(410, str(refused), scope=request.scope)
        acts(request, Caller(action.who, "operator", "link", address_of(request)))
        note(request, f"{action.what} {action.alert_id}", f"POST {PATH.rstrip('/')}")
        if as_page:
            return _page(200, "Done", _SAID[action.what][2])
        return JSONResponse(action.model_dump(), headers={"Cache-Control": "no-store"})

    return router


def _page(status: int, title: str, text: str, more: str = "") -> HTMLResponse:
    body = (f"<p>{html.escape(text)}</p>" if text else "") + more
    content = _PAGE.format(style=_STYLE, title=html.escape(title), body=body)
    return HTMLResponse(content, status, headers={"Cache-Control": "no-store", "Content-Security-Policy": _POLICY})
