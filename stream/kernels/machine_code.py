"""Where the kernels' machine code is kept between runs.

Numba looks only at the file in which a kernel stands: when another one changes that it calls, or a constant that it
takes from there, the old machine code would go on being used, silently. So the code is kept in a folder named by a
digest of all these files.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

KERNELS = Path(__file__).resolve().parent
IMPORTED = ("block.py", "flags.py")
"""Files of `stream` beside the kernels' own from which kernels take constants."""
_PREFIX = "magwatch-"


def digest() -> str:
    """Changes with any file that machine code is made of."""
    made = hashlib.blake2b(digest_size=8)
    for path in (*sorted(KERNELS.glob("*.py")), *(KERNELS.parent / name for name in IMPORTED)):
        made.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return made.hexdigest()


def folder(chosen: str) -> str:
    """A folder that can be written, made if need be; those of other versions of this installation are removed.

    Within `chosen`, a folder that the user named, beside the kernels, or in the user's own cache: the first that can be
    written. Empty when none can: then every process compiles for itself.
    """
    installation = _PREFIX + hashlib.blake2b(bytes(KERNELS), digest_size=4).hexdigest()
    own = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    for parent in [Path(chosen)] if chosen else [KERNELS / "__pycache__", own]:
        kept = parent.absolute() / installation / digest()
        try:
            kept.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=kept).close()
        except OSError:
            continue
        for old in kept.parent.iterdir():
            if old != kept:
                shutil.rmtree(old, ignore_errors=True)
        return str(kept)
    return ""
