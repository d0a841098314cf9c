"""Our own commands as processes, to be used and killed as their users' are."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Command:
    """`magwatch ...` in the background, its log in a file."""

    def __init__(self, log: Path, *arguments: str) -> None:
        self.log = log
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "magwatch", *self._arguments], cwd=ROOT, stdout=file, stderr=file
            )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def wait(self, within_s: float) -> int:
        assert self._process is not None
        return self._process.wait(within_s)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
            self._process = None


class Gateway(Command):
    """A gateway with a page, and what its API says."""

    def __init__(self, folder: Path, broker_url: str, port: int, settings: str = "") -> None:
        self.data_dir = folder / "gateway"
        self.url = f"http://127.0.0.1:{port}/"
        config = folder / "gateway.toml"
        config.write_text(
            f'data_dir = "{self.data_dir}"\n{settings}\n[broker]\nurl = "{broker_url}"\n[listen]\nport = {port}\n'
        )
        super().__init__(folder / "gateway.log", "gateway", "--config", str(config))
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        until = time.monotonic() + 20
        while True:
            try:
                self.get("healthz")
            except OSError:
                if time.monotonic() > until:
                    pytest.fail(f"the gateway does not come up:\n{self.log.read_text()[-2000:]}")
                time.sleep(0.05)
            else:
                return

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:  # noqa: S310 - loopback
            return json.load(answer)


def run(*arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
    """`magwatch ...` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "magwatch", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


@pytest.fixture
def magwatch() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run


@pytest.fixture
def make_gateway(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[..., Gateway]]:
    made: list[Gateway] = []

    def make(broker_url: str, settings: str = "") -> Gateway:
        made.append(Gateway(tmp_path, broker_url, free_port(), settings))
        return made[-1]

    yield make
    for gateway in made:
        gateway.kill()


@pytest.fixture
def make_edge(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    made: list[Command] = []

    def make(*configs: Path) -> Command:
        made.append(Command(tmp_path / "edge.log", "edge", "--config", *map(str, configs)))
        return made[-1]

    yield make
    for edge in made:
        edge.kill()
