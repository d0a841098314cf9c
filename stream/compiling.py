"""Compiling the kernels in a process of its own, once on a machine."""

import asyncio
import hashlib
import logging
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

log = logging.getLogger(__name__)

_COMPLETE = "complete-"
"""Begins the name of a file beside the machine code: all that some work needs is there."""
# Its standard input ends when the one who waits for it does, however it is killed. A signal to all processes of a
# terminal or a service is its parent's to heed.
_ENDS_WITH_ITS_PARENT = """
import os, signal, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=lambda: os.read(0, 1) or os._exit(1), daemon=True).start()
"""


async def compile_apart(work: str, kept: str) -> None:
    """Run `work`, Python that calls kernels, in a process of its own, unless that has been done for the folder `kept`.

    To compile takes 1 GB, which LLVM does not give back: an agent would have it until its next start, months later.
    Where it fails, or nothing can be kept, whoever calls the kernels compiles them. Who is cancelled ends the process.
    """
    name = _COMPLETE + hashlib.blake2b(work.encode(), digest_size=4).hexdigest()
    if not kept or (complete := Path(kept, name)).exists():
        return
    log.info("compiling the kernels, once on this machine: that takes a minute")
    own_path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _ENDS_WITH_ITS_PARENT + work), stdin=PIPE, env=os.environ | own_path
    )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if code == 0:
        await asyncio.to_thread(complete.touch)
