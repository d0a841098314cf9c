"""A pipeline's state as bytes: named arrays and some text, in numpy's own format without pickle, and a digest.

A state is written by one process and read by the next one of the same machine, maybe after a crash in mid-write: what
does not agree with its digest is refused as a whole.
"""

import hashlib
import io
import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stream.detectors.base import Arrays

MAGIC = b"magwatch state 1\n"
"""Names the version: a state with another one is not read."""
_DIGEST_BYTES = 16
_HEADER = "header"


def write(arrays: Mapping[str, NDArray[np.generic]], header: dict[str, str]) -> bytes:
    """The arrays and the header; the header's values are text."""
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{_HEADER: text, **arrays})
    body = file.getvalue()
    return MAGIC + hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() + body


def read(state: bytes) -> tuple[Arrays, dict[str, str]]:
    """The inverse of `write`. Raises ValueError for what is damaged, or was written by another version."""
    digest, body = state[len(MAGIC) :][:_DIGEST_BYTES], state[len(MAGIC) + _DIGEST_BYTES :]
    if not state.startswith(MAGIC):
        raise ValueError("the saved state is of another version, or none at all")
    if hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        raise ValueError("the saved state is damaged")
    with np.load(io.BytesIO(body), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return arrays, json.loads(bytes(arrays.pop(_HEADER)))


def copy_into(target: Arrays, source: Arrays) -> None:
    """Put the saved arrays where they belong, in place. Raises ValueError when they are not the ones that fit."""
    if target.keys() != source.keys():
        raise ValueError("the saved state is of a pipeline with other stages or channels")
    for name, array in source.items():
        if array.shape != target[name].shape or array.dtype != target[name].dtype:
            raise ValueError(f"the saved state does not fit: {name} is {array.dtype}{array.shape}")
    for name, array in source.items():
        target[name][...] = array
