"""Who asks. Without accounts, whoever reaches the page is on this machine."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Request


class Caller(NamedTuple):
    """A person, and what they may do."""

    name: str
    role: str


def viewer(request: Request) -> Caller:
    """May look."""
    return Caller("operator on this machine", "admin")


def operator(who: Annotated[Caller, Depends(viewer)]) -> Caller:
    """May acknowledge, silence, judge."""
    return who
