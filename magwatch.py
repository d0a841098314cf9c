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
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError
from tqdm import tqdm

from stream.errors import MagwatchError, SettingsError
from stream.flags import Flag
from stream.instant import parse_iso
from stream.settings_file import load
from stream.transport.broker import BrokerSettings

if TYPE_CHECKING:
    from edge.settings import SensorSettings, SimulatedSource
    from stream.block import Samples

Result = TypeVar("Result")

DONE, FAILED, WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 done, 1 failed, 2 wrong use."""
    options = _parser().parse_args(arguments)
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
    from edge.agent import Agent
    from edge.settings import AgentSettings
    from edge.sources.opening import Sources
    from edge.spool import SpoolDamagedError

    def simulated(sensor: "SensorSettings", source: "SimulatedSource") -> "AsyncGenerator[Samples]":
        from magwatch_sim import simulated as open_simulated  # 70 MB that a real sensor has no use for

        return open_simulated(sensor, source)

    stations = [load(path, AgentSettings) for path in options.config]

    async def station(settings: AgentSettings) -> None:
        damaged = True
        while damaged:
            damaged, sources = False, Sources(simulated)
            try:
                await Agent(settings, sources, health=sources.health).run()
            except* SpoolDamagedError as wrong:
                damaged = True
                logging.getLogger(__name__).error("%s: starting again: %s", settings.station, _leaves(wrong)[0])
                await asyncio.sleep(1.0)

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            for settings in stations:
                group.create_task(station(settings))

    _run(run())
    return DONE


def gateway(options: argparse.Namespace) -> int:
    """The receiving side: ingest, store, alert desk, API and page."""
    from gateway.service import serve
    from gateway.settings import GatewaySettings

    _run(serve(load(options.config, GatewaySettings)))
    return DONE


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="magwatch", description="Live monitoring of the Earth's magnetic field.")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: object, **options: object) -> argparse.ArgumentParser:
        doc = str(getattr(run, "__doc__", ""))
        made = commands.add_parser(str(getattr(run, "__name__", "")), help=doc, description=doc)
        made.set_defaults(run=run, **options)
        return made

    made = command(demo)
    made.add_argument("--stations", type=_count, default=3, metavar="N")
    made.add_argument("--seconds", type=_positive, metavar="S", help="end by itself after so long")
    made.add_argument("--data-dir", type=Path, metavar="D", help="keep everything here (default: a temporary folder)")
    made.add_argument("--port", type=int, metavar="P", help="of the page (default: 8080, or a free one)")
    made.add_argument("--broker", metavar="URL", help="mqtt://HOST:PORT (default: one of its own)")
    made.add_argument("--seed", type=int, default=1, help="of the simulated sky and instruments")
    made.add_argument("--json", action="store_true", help="print one JSON object at the end, and nothing else")
    command(edge).add_argument("--config", type=Path, nargs="+", required=True, metavar="FILE")
    command(gateway).add_argument("--config", type=Path, required=True, metavar="FILE")
    made = command(sim)
    made.add_argument("instrument", metavar="INSTRUMENT", help="lemi036, gsm90, rm3100 ...; a wrong name lists all")
    made.add_argument("--config", type=Path, metavar="FILE", help="the scenario; a quiet day by default")
    link = made.add_mutually_exclusive_group(required=True)
    link.add_argument("--pty", action="store_true")
    link.add_argument("--tcp", type=int, metavar="PORT")
    made = command(replay)
    made.add_argument("files", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--broker", type=_broker, default=_broker("mqtt://127.0.0.1:1883"), metavar="URL")
    made.add_argument("--speed", type=_positive, metavar="X", help="times real time (default: as fast as it goes)")
    made.add_argument("--station", help="instead of the one that the file names")
    made.add_argument("--sensor", help="instead of the one that the file names")
    made.add_argument("--json", action="store_true")
    made = command(process)
    made.add_argument("files", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--out", type=Path, metavar="DIR", help="a folder for samples.parquet and events.jsonl")
    made.add_argument("--explain", type=_instant, metavar="TIME", help="such as 2024-05-10T17:05:00Z")
    made.add_argument("--json", action="store_true")
    command(flags).add_argument("--json", action="store_true")
    command(check).add_argument("file", type=Path, metavar="FILE")
    return parser


def _broker(url: str) -> BrokerSettings:
    try:
        return BrokerSettings(url=url)
    except ValidationError as wrong:
        raise argparse.ArgumentTypeError(wrong.errors()[0]["msg"]) from wrong


def _instant(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from wrong


def _count(text: str) -> int:
    if not 1 <= int(text) <= 500:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 500")
    return int(text)


def _positive(text: str) -> float:
    if not 0 < float(text) < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return float(text)


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
