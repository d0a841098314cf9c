"""The front door: `magwatch COMMAND`. A command loads what it needs, hands over, says in one line what failed."""

import argparse
import asyncio
import dataclasses
import json
import logging
import signal
import sys
import tomllib
from collections.abc import AsyncGenerator, Coroutine, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from magwatch_arguments import parser
from stream.errors import MagwatchError, SettingsError, SpoolDamagedError
from stream.flags import Flag
from stream.settings_file import load

if TYPE_CHECKING:
    from edge.agent import Agent
    from edge.settings import SensorSettings, SimulatedSource
    from stream.block import Samples

Result = TypeVar("Result")

DONE, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 done, 1 failed, 2 wrong use."""
    commands = (demo, edge, gateway, account, backup, move, quarantine, tune, sim, replay, process, plan, flags, check)
    options = parser({command.__name__: command for command in commands}).parse_args(arguments)
    _log(options.verbose)
    try:
        return int(options.run(options))
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return WRONG_USE
    except MagwatchError as wrong:
        print(f"magwatch: {wrong}", file=sys.stderr)
        return FAILED
    except BaseExceptionGroup as several:
        known, unknown = several.split(MagwatchError)
        if known is None or unknown is not None:
            raise
        for leaf in _leaves(known):
            print(f"magwatch: {leaf}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def demo(options: argparse.Namespace) -> int:
    """Everything in one go: broker, gateway, simulated stations, the page."""
    from magwatch_demo import Demo
    from magwatch_report import report_lines

    report = _run(
        Demo(options.stations, options.seconds, options.data_dir, options.port, options.broker, options.seed).run()
    )
    if report is None:
        return DONE
    print(json.dumps(report) if options.json else "\n".join(report_lines(report)))
    return DONE if report["samples_missing"] == report["samples_duplicated"] == 0 else FAILED


def edge(options: argparse.Namespace) -> int:
    """The agents of one or several stations, a configuration each."""
    from edge.settings import AgentSettings
    from edge.sources.head_start import HeadStart
    from edge.sources.opening import Sources

    def simulated(sensor: "SensorSettings", source: "SimulatedSource") -> "AsyncGenerator[Samples]":
        from magwatch_sim import simulated as open_simulated  # 70 MB that a real sensor has no use for

        return open_simulated(sensor, source)

    stations = [load(path, AgentSettings) for path in options.config]

    async def station(agent: "type[Agent]", settings: AgentSettings, sources: HeadStart) -> None:
        damaged = True
        while damaged:
            damaged = False
            try:
                await agent(settings, sources, health=sources.health).run()
            except* SpoolDamagedError as wrong:
                damaged = True
                logging.getLogger(__name__).error("%s: starting again: %s", settings.station, _leaves(wrong)[0])
                await asyncio.sleep(1.0)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            started = [(settings, HeadStart(Sources(simulated), settings.sensors, group)) for settings in stations]
            # This takes half a second, in which the instruments are read already.
            agent = await asyncio.to_thread(import_module, "edge.agent")
            for settings, sources in started:
                group.create_task(station(agent.Agent, settings, sources))

    _run(run())
    return DONE


def gateway(options: argparse.Namespace) -> int:
    """The receiving side: ingest, store, alert desk, API and page."""
    from gateway.service import serve
    from gateway.settings import GatewaySettings

    _run(serve(load(options.config, GatewaySettings), options.workers))
    return DONE


def quarantine(options: argparse.Namespace) -> int:
    """What the gateway refused: list it, show one, send it again, or drop it."""
    from gateway.quarantine_command import listed, run
    from gateway.settings import GatewaySettings

    settings = load(options.config, GatewaySettings)
    found = asyncio.run(run(settings, options.what, options.id, options.all))
    print(json.dumps(found) if options.json else listed(found))
    return DONE


def account(options: argparse.Namespace) -> int:
    """Who may use the gateway: add, list, remove, give a new password, make a token."""
    from gateway.account_command import Wish, listed, run
    from gateway.settings import GatewaySettings

    wish = Wish(options.what, options.name, options.role, options.scope, options.days, options.label)
    report = asyncio.run(run(load(options.config, GatewaySettings), wish))
    print(json.dumps(report) if options.json else listed(report))
    return DONE


def tune(options: argparse.Namespace) -> int:
    """Which alert thresholds the verdicts suggest, and what would have rung; nothing changes by itself."""
    from gateway.alerts.tune_command import listed, run
    from gateway.settings import GatewaySettings

    found = asyncio.run(run(load(options.config, GatewaySettings)))
    print(json.dumps({"suggestions": [dataclasses.asdict(one) for one in found]}) if options.json else listed(found))
    return DONE


def backup(options: argparse.Namespace) -> int:
    """A copy of a gateway's files, while it runs."""
    from tqdm import tqdm

    from gateway.backup import back_up
    from gateway.settings import GatewaySettings

    settings = load(options.config, GatewaySettings)
    with tqdm(unit="B", unit_scale=True, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        copies = back_up(settings.data_dir, options.folder, show)
    print("\n".join(str(copy) for copy in copies))
    return DONE


def move(options: argparse.Namespace) -> int:
    """What the embedded store has, into the InfluxDB that the configuration names now; the gateway may run."""
    from tqdm import tqdm

    from gateway.move import listed, move
    from gateway.settings import GatewaySettings

    settings = load(options.config, GatewaySettings)
    with tqdm(unit=" blocks", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        moved = _run(move(settings, show))
    if moved is None:
        raise MagwatchError("move: stopped; the same command goes on from there")
    print(json.dumps(dataclasses.asdict(moved)) if options.json else listed(moved))
    return FAILED if moved.short or moved.unreadable else DONE


def sim(options: argparse.Namespace) -> int:
    """A simulated instrument on a pseudo-terminal or a TCP port."""
    from firmware_sim.device import serve
    from firmware_sim.settings import SimSettings

    settings = load(options.config, SimSettings) if options.config else SimSettings()
    try:
        _run(serve(options.instrument, settings, options.tcp, print))
    except (ValueError, OSError) as wrong:
        raise MagwatchError(f"sim {options.instrument}: {wrong}") from wrong
    return DONE


def replay(options: argparse.Namespace) -> int:
    """An archive file through the live path: agent, broker, gateway."""
    from tqdm import tqdm

    from edge.replay import replay as run

    with tqdm(unit=" samples", disable=None) as bar:
        report = _run(run(options.files, options.broker, options.speed, options.station, options.sensor, bar.update))
    if report is None:
        return FAILED
    print(json.dumps(report) if options.json else f"{report['samples']} samples, {report['events']} events, all stored")
    return DONE


def process(options: argparse.Namespace) -> int:
    """The edge's pipeline over archive files, no broker; or why it said what it said of a moment in them."""
    if options.explain is not None:
        return explain(options)
    from tqdm import tqdm

    from edge.process import process as run

    if options.out is None:
        print("magwatch process: give --out DIR, or --explain TIME", file=sys.stderr)
        return WRONG_USE
    with tqdm(total=1.0, bar_format="{percentage:3.0f}% |{bar}| {elapsed}<{remaining}", disable=None) as bar:

        def show(part: float) -> None:
            bar.update(part - bar.n)

        report = run(options.files, options.out, progress=show)
    if options.json:
        print(json.dumps(dataclasses.asdict(report)))
    else:
        print(f"{report.rows} samples and {report.events} events in {options.out}")
    return DONE


def explain(options: argparse.Namespace) -> int:
    """Why a sample was flagged, or an event raised."""
    from edge.explain import explain as run
    from edge.explain import lines

    found = run(options.files, options.explain)
    if options.json:
        said = dataclasses.asdict(found) | {"events": [event.model_dump(mode="json") for event in found.events]}
        print(json.dumps(said))
    else:
        print("\n".join(lines(found)))
    return DONE


def plan(options: argparse.Namespace) -> int:
    """What a fleet will need in bandwidth and disk for a day, a year, five years."""
    from magwatch_plan import MINUTES, Fleet, table
    from magwatch_plan import plan as run

    measured = table()
    kinds = sorted(set(measured.kinds) - {MINUTES})
    if options.instrument not in kinds:
        print(f"magwatch plan: {options.instrument!r} was not measured: {', '.join(kinds)}", file=sys.stderr)
        return WRONG_USE
    fleet = Fleet(
        stations=options.stations,
        sensors=options.sensors,
        rate_hz=options.rate,
        channels=options.channels or measured.kinds[options.instrument].channels,
        block_s=options.block_s,
        instrument=options.instrument,
    )
    found = run(fleet, measured)
    print(json.dumps(found.as_json()) if options.json else "\n".join(found.lines()))
    return DONE


def flags(options: argparse.Namespace) -> int:
    """The names and bits of the flags."""
    bits = {str(flag.name).lower(): int(flag) for flag in Flag}
    print(json.dumps(bits) if options.json else "\n".join(f"{bit:5d}  {name}" for name, bit in bits.items()))
    return DONE


def check(options: argparse.Namespace) -> int:
    """What is wrong with a configuration, all of it at once."""
    from edge.settings import AgentSettings
    from firmware_sim.settings import SimSettings
    from gateway.settings import GatewaySettings
    from magwatch_sim import check_scenarios

    try:
        keys = set(tomllib.loads(options.file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        keys = set()  # load says what is wrong with it
    if {"sensors", "outbox"} & keys:
        check_scenarios(options.file, load(options.file, AgentSettings))
    elif {"instrument", "faults", "rate_hz"} & keys:
        load(options.file, SimSettings)
    else:
        load(options.file, GatewaySettings)
    print(f"{options.file}: good")
    return DONE


def _run(work: Coroutine[object, object, Result]) -> Result | None:
    """Runs until it is done or the process is told to stop, which is a way to be done (None)."""

    async def stoppable() -> Result | None:
        task = asyncio.ensure_future(work)
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(stoppable())


def _leaves(group: BaseExceptionGroup[MagwatchError]) -> list[MagwatchError]:
    return [leaf for e in group.exceptions for leaf in (_leaves(e) if isinstance(e, BaseExceptionGroup) else [e])]


def _log(verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr)
    for chatty in ("httpx", "aiosqlite", "numba", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for chatty in ("amqtt", "transitions"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(main())
