"""The process that compiles: done once, and gone with the one who waits for it, whatever befalls that one."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.compiling import compile_apart
from tests.conftest import wait_for

WORK = "import os, pathlib, time; pathlib.Path({told!r}).write_text(str(os.getpid())); time.sleep({s})"
PARENT = "import asyncio; from stream.compiling import compile_apart; asyncio.run(compile_apart({work!r}, {kept!r}))"


def told(file: Path) -> int:
    """The process that works, from when on it does."""
    wait_for(lambda: file.exists() and bool(file.read_text()), 20, "the process works")
    return int(file.read_text())


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_work_is_done_once_for_a_folder_and_again_where_it_failed(tmp_path: Path) -> None:
    log, work = tmp_path / "log", "open({!r}, 'a').write('x')"
    work = work.format(str(log))
    await compile_apart(f"{work}; raise SystemExit(3)", str(tmp_path))
    await compile_apart(f"{work}; raise SystemExit(3)", str(tmp_path))
    assert log.read_text() == "xx"
    await compile_apart(work, str(tmp_path))
    await compile_apart(work, str(tmp_path))
    assert log.read_text() == "xxx"
    await compile_apart(work, "")
    assert log.read_text() == "xxx", "nothing can be kept: whoever calls the kernels compiles them"


async def test_who_is_cancelled_ends_it(tmp_path: Path) -> None:
    work = WORK.format(told=str(tmp_path / "pid"), s=60)
    waiting = asyncio.create_task(compile_apart(work, str(tmp_path)))
    pid = await asyncio.to_thread(told, tmp_path / "pid")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not is_alive(pid)


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_the_one_who_waits_for_it_is_killed(way: signal.Signals, tmp_path: Path) -> None:
    work = WORK.format(told=str(tmp_path / "pid"), s=60)
    script = PARENT.format(work=work, kept=str(tmp_path))
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2])
    pid = told(tmp_path / "pid")
    parent.send_signal(way)
    parent.wait()
    wait_for(lambda: not is_alive(pid), 10, "the process ends")
