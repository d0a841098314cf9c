"""Jitted loops only: arrays and scalars in and out, state in arrays that are changed in place.

Every kernel goes through its rows one by one, so that a series gives the same result however it is cut into blocks.
Each has a slow, obvious twin in `tests/naive.py`.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from numba import config, njit

from stream.kernels import light_start
from stream.kernels.machine_code import folder

P = ParamSpec("P")
R = TypeVar("R")

light_start.spare_scipy()
_NUMBA = vars(config)
_CACHE_DIR = "CACHE_DIR"
_FOLDER = "" if _NUMBA["DISABLE_JIT"] else folder(_NUMBA[_CACHE_DIR])


def kernel(loop: Callable[P, R]) -> Callable[P, R]:
    """Compile on first call and keep the machine code on disk, where there is a folder for it."""
    others = _NUMBA[_CACHE_DIR]
    # Numba asks for its folder while it decorates, and only then: other users of it are not touched.
    _NUMBA[_CACHE_DIR] = _FOLDER
    try:
        return cast(Callable[P, R], njit(cache=_FOLDER != "", nogil=True, error_model="numpy")(loop))
    finally:
        _NUMBA[_CACHE_DIR] = others
