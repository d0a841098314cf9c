"""Kill any process at any moment: nothing is missing, nothing is twice, and no alert comes a second time."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_sim import journal
from firmware_sim.settings import SimSettings, Step
from tests.conftest import wait_for
from tests.fleet import counted, station_config

SECONDS = 26


def station(name: str, seed: int) -> SimSettings:
    step = Step(at_s=12.0, amplitude_nt=60.0, channels=("z",))
    return SimSettings(station=name, rate_hz=10, seed=seed, faults=(step,))


@pytest.mark.parametrize("victim", ["gateway", "edge", "broker"])
def test_killed_three_times_in_mid_flight(
    victim: str, tmp_path: Path, mosquitto, make_gateway: Callable, make_edge: Callable
) -> None:
    stations = [station("wic", 1), station("hon", 2)]
    gateway = make_gateway(mosquitto.url)
    start_ns = time.time_ns()
    edge = make_edge(*(station_config(tmp_path, one, mosquitto.url, start_ns, SECONDS) for one in stations))
    dice = random.Random(victim)
    for _ in range(3):
        time.sleep(dice.uniform(3.5, 6.0))
        died = {"gateway": gateway, "edge": edge, "broker": mosquitto}[victim]
        died.kill()
        time.sleep(dice.uniform(0.1, 1.0))
        died.start()
    assert edge.wait(90) == 0, edge.log.read_text()[-2000:]
    gateway.wait_until_ready()

    total = counted(gateway, tmp_path, stations, start_ns)
    least = 2 * 10 * (SECONDS - (14 if victim == "edge" else 5))
    assert total.sent >= least, "the simulator ran"
    assert (total.missing, total.duplicated) == (0, 0)
    runs = [run for one in stations for run in journal.read(tmp_path / f"{one.station}.json")]
    # What a killed agent had in its hands may be stored though the simulator does not count it.
    assert total.sent <= total.stored <= (sum(run.offered for run in runs) if victim == "edge" else total.sent)

    def settled() -> bool:
        """The agents' last words, with their last counts, have come."""
        accounts = gateway.get("api/v1/accounting")["accounts"]
        accepted, stored = (sum(one[what] or 0 for one in accounts) for what in ("accepted", "stored"))
        return [one["in_flight"] for one in accounts] == [0, 0] and accepted == stored == total.stored

    wait_for(settled, 20, "accepted = stored + quarantined + evicted")
    steps = [event for event in gateway.get("api/v1/events?limit=500")["events"] if event["kind"] == "step"]
    assert Counter(event["station"] for event in steps) == {"wic": 1, "hon": 1}
    told = gateway.get("api/v1/notifications")["notifications"]
    assert Counter((one["alert_id"], one["what"]) for one in told).most_common(1)[0][1] == 1
