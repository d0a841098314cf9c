"""A gateway on a machine where no kernel is compiled yet: it says that it lives and what it waits for."""

import json
import signal
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

from gateway.starting import COMPILING
from tests.conftest import wait_for
from tests.fleet import Gateway


def compiling(gateway: Gateway) -> list[int]:
    """The processes that compile for it."""
    children = Path(f"/proc/{gateway.pid}/task").glob("*/children")
    pids = [int(pid) for task in children for pid in task.read_text().split()]
    return [pid for pid in pids if b"kernels.load()" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def refused(gateway: Gateway, path: str) -> tuple[int, str]:
    try:
        gateway.open(path)
    except urllib.error.HTTPError as answer:
        return answer.code, json.load(answer)["detail"]
    raise AssertionError(f"{path} is answered")


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_gateway_lives_and_is_not_ready_while_a_process_of_its_own_compiles(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    empty = {"NUMBA_CACHE_DIR": str(tmp_path / "nothing")}
    gateway = Gateway(tmp_path, "mqtt://127.0.0.1:1", free_port(), environment=empty, compiled=False)
    assert gateway.get("healthz")["status"] == "ok"
    assert refused(gateway, "readyz") == refused(gateway, "api/v1/stations") == (503, COMPILING)
    assert "compiling the kernels, once on this machine" in gateway.log.read_text()
    for end in (signal.SIGKILL, signal.SIGTERM):
        (child,) = compiling(gateway)
        begun = time.monotonic()
        gateway._end(end)
        wait_for(lambda pid=child: not is_alive(pid), 10, "the compiling process ends with the gateway")
        assert time.monotonic() - begun < 10
        if end is signal.SIGKILL:
            gateway.start()
            gateway.wait_until_alive()
