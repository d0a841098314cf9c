"""`magwatch quarantine` beside a running gateway: what was refused can be seen, sent again, and dropped."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import program, wait_for
from tests.fleet import run


def test_what_was_refused_is_listed_shown_sent_again_and_dropped(
    mosquitto, make_gateway: Callable, tmp_path: Path
) -> None:
    gateway = make_gateway(mosquitto.url)
    for text in ('{"x": 1}', "nonsense"):
        topic = "mag/1/home/esp32/reading"
        command = [program("mosquitto_pub"), "-p", str(mosquitto.port), "-q", "1", "-t", topic, "-m", text]
        subprocess.run(command, check=True, timeout=10)

    def held() -> list[dict]:
        return gateway.get("api/v1/quarantine")["entries"]

    def command(*arguments: str) -> dict:
        done = run("quarantine", *arguments, "--config", str(gateway.config), "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    wait_for(lambda: len(held()) == 2, 20, "both are quarantined")
    listed = command("list")["entries"]
    assert {one["topic"] for one in listed} == {"mag/1/home/esp32/reading"}
    (wrong,) = [one for one in listed if one["reason"].startswith("t is missing")]
    (shown,) = command("show", str(wrong["id"]))["entries"]
    assert (shown["text"], shown["count"]) == ('{"x": 1}', 1)
    assert len(command("retry", str(wrong["id"]))["entries"]) == 1
    wait_for(lambda: any(one["count"] == 2 or one["id"] != wrong["id"] for one in held()), 20, "it is refused again")
    wait_for(lambda: len(held()) == 2, 20, "it is back")
    assert command("drop", "--all")["done"] == "dropped"
    assert held() == []
    said = run("quarantine", "drop", "99", "--config", str(gateway.config))
    assert (said.returncode, said.stderr) == (1, "magwatch: quarantine: there is no entry 99\n")
    assert run("quarantine", "drop", "--config", str(gateway.config)).returncode == 1
