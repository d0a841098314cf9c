"""Jitted loops only: arrays and scalars in and out, state in arrays that are changed in place.

Every kernel goes through its rows one by one, so that a series gives the same result however it is cut into blocks.
Each has a slow, obvious twin in `tests/naive.py`.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def kernel(loop: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call and keep the machine code on disk beside the source."""
    return cast(Callable[P, R], njit(cache=True, nogil=True, error_model="numpy")(loop))
