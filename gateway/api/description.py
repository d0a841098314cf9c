"""The API's description of itself (OpenAPI), completed: who may ask what, and how errors look."""

from typing import Any

from fastapi import FastAPI

from gateway.accounts import ROLES, Role
from gateway.api.problems import MEDIA_TYPE
from stream.errors import MagwatchError

TAGS = [
    {"name": "samples", "description": "Stations and what they measured."},
    {"name": "events and alerts", "description": "What the detectors saw, and what people were told."},
    {"name": "live", "description": "What comes, as it comes."},
    {"name": "accounting", "description": "What became of every sample."},
    {"name": "push", "description": "Devices that want to be told through their browser."},
    {"name": "actions", "description": "The buttons of a message; the link is its own permission."},
    {"name": "session", "description": "Logging in and out."},
    {"name": "accounts", "description": "People, tokens for programs, and who did what."},
    {"name": "health", "description": "For whoever watches the gateway itself."},
]
Operation = dict[str, Any]  # JSON, as FastAPI makes it
_ERRORS = {"401": "Nobody that is known", "403": "Not with this role", "default": "Anything else that is wrong"}


def complete(app: FastAPI) -> None:
    """Raises MagwatchError when a route does not say who may ask."""
    described = app.openapi()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if "security" not in operation:
                raise MagwatchError(
                    f"{method.upper()} {path} does not say who may ask: it needs Depends(viewer), operator or admin, "
                    "or openapi_extra=PUBLIC, of gateway.api.callers"
                )
            _complete(operation)


def role_of(operation: Operation) -> Role | None:
    """The role that an operation asks for, the highest that it names; None where anybody may ask."""
    if not operation["security"]:
        return None
    named = {scope for way in operation["security"] for scopes in way.values() for scope in scopes}
    return max(named & set(ROLES), key=ROLES.index, default="viewer")


def _complete(operation: Operation) -> None:
    if (role := role_of(operation)) is not None:
        # One list of ways in, each with the one role that counts.
        ways = sorted({name for way in operation["security"] for name in way})
        operation["security"] = [{way: [role]} for way in ways]
        operation["description"] = f"{operation.get('description', '')}\n\nRole: {role}.".strip()
    responses: dict[str, Any] = operation["responses"]
    for status, description in _ERRORS.items():
        if status == "default" or role is not None:
            responses.setdefault(status, {"description": description})
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, response in responses.items():
        if status == "default" or status[0] in "45":
            # A route may answer with a page as well, and says so itself.
            pages = {kind: what for kind, what in response.get("content", {}).items() if kind == "text/html"}
            response["content"] = problem | pages
