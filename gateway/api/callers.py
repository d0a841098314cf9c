"""Who asks. Without accounts, whoever reaches the page is on this machine."""

from typing import NamedTuple

from fastapi import Request


class Caller(NamedTuple):
    """A person, and what they may do."""

    name: str
    role: str


def caller(request: Request) -> Caller:
    """A dependency of every route that does something."""
    return Caller("operator on this machine", "admin")
