"""What Numba would load at its start without need."""

import importlib
import sys
from contextlib import suppress
from importlib.util import find_spec

from numba.np import linalg


def spare_scipy() -> None:
    """Have Numba find scipy without loading its linear algebra: 0.1 s of each start.

    Numba loads it when its own array functions are loaded, only to remember that it is there; who compiles something
    that needs it has it loaded then.
    """
    loaded = "numba.np.arraymath"
    if loaded in sys.modules or find_spec("scipy") is None:
        return
    load = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        with suppress(ImportError):
            importlib.import_module(loaded)
    finally:
        linalg.ensure_blas = load
