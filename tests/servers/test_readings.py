"""A device that knows MQTT and JSON and nothing of ours: its readings are stored, shown and alarmed on."""

import json
import subprocess
import time
from collections.abc import Callable

import numpy as np

from stream.instant import iso
from tests.conftest import program, wait_for


def test_readings_of_mosquitto_pub_are_stored_once_shown_and_alarmed_on(mosquitto, make_gateway: Callable) -> None:
    gateway = make_gateway(mosquitto.url)

    def publish(said: object) -> None:
        text = said if isinstance(said, str) else json.dumps(said)
        topic = "mag/1/home/esp32/reading"
        command = [program("mosquitto_pub"), "-p", str(mosquitto.port), "-q", "1", "-t", topic, "-m", text]
        subprocess.run(command, check=True, timeout=10)

    def series() -> dict:
        return gateway.get("api/v1/series?station=home&sensor=esp32&start=2024-01-01T00:00:00Z&max_points=10000")

    start_s = int(time.time()) - 900
    dice = np.random.default_rng(1)
    x = 20_000 + dice.normal(0, 0.1, 900).round(3)
    x[700:] += 60
    part = {"t": list(range(start_s, start_s + 890)), "x": x[:890].tolist()}
    for _ in range(2):
        publish(part)
    with gateway.open("api/v1/live") as page:
        assert page.readline() == b"event: hello\n"
        for row in range(890, 900):
            publish({"t": start_s + row, "x": float(x[row])})
        live: list[float] = []
        while live[-1:] != [float(x[899])]:
            line = page.readline()
            if line.startswith(b"data: ") and b"times_ms" in line:
                live += json.loads(line[6:])["values"][0]
    publish({"x": 1.0})
    wait_for(lambda: len(series()["times_ms"]) == 900, 60, "every reading is stored")
    shown = series()
    assert shown["times_ms"] == [1000.0 * (start_s + row) for row in range(900)]
    assert shown["values"] == [x.tolist()]
    (station,) = gateway.get("api/v1/stations")["stations"]
    assert (station["station"], station["sensors"][0]["samples"]) == ("home", 900)
    wait_for(lambda: gateway.get("api/v1/alerts?state=all")["alerts"], 10, "the step is alarmed on")
    (step,) = [one for one in gateway.get("api/v1/events")["events"] if one["kind"] == "step"]
    assert (step["station"], step["start"]) == ("home", iso((start_s + 700) * 10**9))
    (refused,) = gateway.get("api/v1/quarantine")["entries"]
    assert refused["reason"].startswith("t is missing")
