"""What a station's line really carries, beside what `magwatch plan` says of it.

    python -m benchmarks.station_line [--seconds 60] [--sensors 2] [--block-s 1] [--json]

mosquitto, a gateway and an agent with simulated fluxgates at 10 Hz on the loopback; between agent and broker a proxy
that counts bytes both ways, and asks the kernel (TCP_INFO) how many packets its connection to the agent took: each is
52 bytes of IPv4 and TCP. Counting begins SETTLED_S after the start.
"""

import argparse
import contextlib
import json
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from magwatch_plan import TCP_IP_BYTES, Fleet, plan, table
from stream import pipeline

SETTLED_S = 20.0
RATE_HZ = 10.0
_TCP_INFO, _SEGMENTS_AT = 11, 136
"""linux/tcp.h: `tcpi_segs_out` and `tcpi_segs_in`, 32 bits each."""


class Proxy:
    """Hands every connection on to the broker and counts what passes."""

    def __init__(self, broker_port: int) -> None:
        self._broker_port = broker_port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._agent: socket.socket | None = None
        self._up = self._down = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def counted(self) -> tuple[int, int]:
        """Bytes up and down so far, with those of the packets' headers."""
        assert self._agent, "the agent has not connected"
        information = self._agent.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 256)
        out, came = struct.unpack_from("II", information, _SEGMENTS_AT)
        return self._up + TCP_IP_BYTES * came, self._down + TCP_IP_BYTES * out

    def _serve(self) -> None:
        while True:
            agent, _ = self._server.accept()
            agent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            broker = socket.create_connection(("127.0.0.1", self._broker_port))
            self._agent, self._up, self._down = agent, 0, 0
            threading.Thread(target=self._carry_up, args=(agent, broker), daemon=True).start()
            threading.Thread(target=self._carry_down, args=(broker, agent), daemon=True).start()

    def _carry_up(self, agent: socket.socket, broker: socket.socket) -> None:
        while data := agent.recv(65_536):
            self._up += len(data)
            broker.sendall(data)

    def _carry_down(self, broker: socket.socket, agent: socket.socket) -> None:
        while data := broker.recv(65_536):
            self._down += len(data)
            agent.sendall(data)


@contextlib.contextmanager
def running(*command: object, log: Path) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen([str(part) for part in command], stdout=file, stderr=file)  # noqa: S603
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(folder: Path, sensors: int, block_s: float, seconds: float) -> tuple[float, float]:
    """Bits a second up and down."""
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    assert mosquitto, "mosquitto is not installed (sh tests/servers.sh)"
    port = free_port()
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    proxy = Proxy(port)
    (folder / "gateway.toml").write_text(
        f'data_dir = "{folder}/gateway"\nbroker.url = "mqtt://127.0.0.1:{port}"\nlisten.port = {free_port()}\n'
    )
    agent = f'station = "wic1"\ndata_dir = "{folder}/edge"\nbroker.url = "mqtt://127.0.0.1:{proxy.port}"\n'
    for number in range(sensors):
        source = f'{{ type = "sim", scenario = {{ rate_hz = {RATE_HZ}, seed = {number} }} }}'
        agent += f'[[sensors]]\nname = "mag{number}"\nblock_s = {block_s}\nsource = {source}\n'
    (folder / "edge.toml").write_text(agent)
    magwatch = (sys.executable, "-m", "magwatch")
    with contextlib.ExitStack() as stack:
        for name, command in (
            ("broker", (mosquitto, "-c", folder / "mosquitto.conf")),
            ("gateway", (*magwatch, "gateway", "--config", folder / "gateway.toml")),
            ("edge", (*magwatch, "edge", "--config", folder / "edge.toml")),
        ):
            stack.enter_context(running(*command, log=folder / f"{name}.log"))
        time.sleep(SETTLED_S)
        begun, before = time.monotonic(), proxy.counted()
        time.sleep(seconds)
        spent, after = time.monotonic() - begun, proxy.counted()
    up, down = (8 * (late - early) / spent for early, late in zip(before, after, strict=True))
    return up, down


def main() -> None:
    """Prints both, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--sensors", type=int, default=2)
    parser.add_argument("--block-s", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    fleet = Fleet(
        stations=1,
        sensors=options.sensors,
        rate_hz=RATE_HZ,
        channels=3,
        block_s=options.block_s,
        instrument="fluxgate",
    )
    pipeline.warm_up()
    planned = plan(fleet, table()).station
    with tempfile.TemporaryDirectory(prefix="magwatch-line-") as folder:
        up, down = measure(Path(folder), options.sensors, options.block_s, options.seconds)
    found = {
        "measured_bits_per_s": {"up": up, "down": down},
        "planned_bits_per_s": {"up": planned.sends_bits_per_s, "down": planned.receives_bits_per_s},
    }
    if options.json:
        print(json.dumps(found))
        return
    for name, bits in found.items():
        print(f"{name.split('_', maxsplit=1)[0]:9s} {bits['up'] / 1000:6.2f} kbit/s up {bits['down'] / 1000:6.2f} down")


if __name__ == "__main__":
    main()
