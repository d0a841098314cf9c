"""Jitted loops only: arrays and scalars in and out, state in arrays that are changed in place.

Every kernel goes through its rows one by one, so that a series gives the same result however it is cut into blocks.
Each has a slow, obvious twin in `tests/naive.py` or one of its neighbours.
"""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import config, njit

from stream.kernels import cached_code, light_start
from stream.kernels.machine_code import folder

P = ParamSpec("P")
R = TypeVar("R")

light_start.spare_scipy()
cached_code.spare_compiler()
_NUMBA = vars(config)
_CACHE_DIR = "CACHE_DIR"
FOLDER = "" if _NUMBA["DISABLE_JIT"] else folder(_NUMBA[_CACHE_DIR])
"""Where machine code is kept; empty: nowhere."""


def kernel(loop: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call and keep the machine code on disk, where there is a folder for it."""
    return _compiled(loop, counts_references=True)


def leaf(loop: Callable[P, R]) -> Callable[P, R]:
    """A kernel that allocates nothing, nor does what it calls: references to its arrays need no counting.

    Numba counts them by atomic additions at each call and each slice, which in loops over single rows is a third of
    the time. What allocates does not compile here.
    """
    return _compiled(loop, counts_references=False)


def part(loop: Callable[P, R]) -> Callable[P, R]:
    """A leaf that becomes a part of whatever calls it: handing over an array costs more than a short one does."""
    return _compiled(loop, counts_references=False, forceinline=True)


def _compiled(loop: Callable[P, R], *, counts_references: bool, forceinline: bool = False) -> Callable[P, R]:
    others = _NUMBA[_CACHE_DIR]
    # Numba asks for its folder while it decorates, and only then: other users of it are not touched.
    _NUMBA[_CACHE_DIR] = FOLDER
    options: dict[str, Any] = {"cache": FOLDER != "", "nogil": True, "error_model": "numpy"}
    if forceinline:
        options["forceinline"] = True
    if not counts_references:
        options["_nrt"] = False
    try:
        return cast(Callable[P, R], njit(**options)(loop))
    finally:
        _NUMBA[_CACHE_DIR] = others
