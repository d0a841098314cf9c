"""The arguments of each command of the front door, by role."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from stream.instant import parse_iso
from stream.transport.broker import BrokerSettings

Run = Callable[[argparse.Namespace], int]
Command = Callable[[str], argparse.ArgumentParser]


def parser(commands: Mapping[str, Run]) -> argparse.ArgumentParser:
    """Of all commands; what a command's docstring says is its help."""
    made = argparse.ArgumentParser(prog="magwatch", description="Live monitoring of the Earth's magnetic field.")
    made.add_argument("-v", "--verbose", action="store_true", help="say more")
    choices = made.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str) -> argparse.ArgumentParser:
        doc = str(commands[name].__doc__)
        one = choices.add_parser(name, help=doc, description=doc)
        one.set_defaults(run=commands[name])
        return one

    _everything(command)
    _station(command)
    _gateway(command)
    _archive(command)
    return made


def _everything(command: Command) -> None:
    made = command("demo")
    made.add_argument("--stations", type=_count, default=3, metavar="N")
    made.add_argument("--seconds", type=_positive, metavar="S", help="end by itself after so long")
    made.add_argument("--data-dir", type=Path, metavar="D", help="keep everything here (default: a temporary folder)")
    made.add_argument("--port", type=int, metavar="P", help="of the page (default: 8080, or a free one)")
    made.add_argument("--broker", metavar="URL", help="mqtt://HOST:PORT (default: one of its own)")
    made.add_argument("--seed", type=int, default=1, help="of the simulated sky and instruments")
    made.add_argument("--json", action="store_true", help="print one JSON object at the end, and nothing else")
    command("flags").add_argument("--json", action="store_true")
    command("check").add_argument("file", type=Path, metavar="FILE")


def _station(command: Command) -> None:
    command("edge").add_argument("--config", type=Path, nargs="+", required=True, metavar="FILE")
    made = command("sim")
    made.add_argument("instrument", metavar="INSTRUMENT", help="lemi036, gsm90, rm3100 ...; a wrong name lists all")
    made.add_argument("--config", type=Path, metavar="FILE", help="the scenario; a quiet day by default")
    link = made.add_mutually_exclusive_group(required=True)
    link.add_argument("--pty", action="store_true")
    link.add_argument("--tcp", type=int, metavar="PORT")


def _gateway(command: Command) -> None:
    made = command("gateway")
    made.add_argument("--config", type=Path, required=True, metavar="FILE")
    made.add_argument(
        "--workers", type=_workers, default=0, metavar="N", help="processes that store blocks (mosquitto)"
    )
    made = command("account")
    made.add_argument("what", choices=("add", "list", "remove", "password", "token"))
    made.add_argument("name", nargs="?", default="", metavar="NAME")
    made.add_argument("--role", choices=("viewer", "operator", "admin"), default="viewer", help="of add")
    made.add_argument("--scope", choices=("read", "operate", "admin"), default="read", help="of token")
    made.add_argument("--days", type=_days, default=90, metavar="D", help="for how long a token is good (90)")
    made.add_argument("--label", default="", metavar="TEXT", help="what a token is for")
    made.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's")
    made.add_argument("--json", action="store_true")
    made = command("backup")
    made.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's configuration")
    made.add_argument("folder", type=Path, metavar="DIR", help="where the copies go; older ones there are replaced")
    made = command("move")
    made.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's, with an InfluxDB")
    made.add_argument("--json", action="store_true")
    made = command("quarantine")
    made.add_argument("what", choices=("list", "show", "retry", "drop"))
    made.add_argument("id", type=int, nargs="*", metavar="ID", help="entries, by the number that list gives")
    made.add_argument("--all", action="store_true", help="every entry")
    made.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's")
    made.add_argument("--json", action="store_true")
    made = command("tune")
    made.add_argument("--config", type=Path, required=True, metavar="FILE", help="the gateway's")
    made.add_argument("--json", action="store_true")
    made = command("plan")
    made.add_argument("--stations", type=_many, default=1, metavar="N")
    made.add_argument("--sensors", type=_many, default=1, metavar="M", help="of a station")
    made.add_argument("--rate", type=_positive, default=10.0, metavar="HZ")
    made.add_argument("--channels", type=_many, metavar="C", help="of a sensor (default: the instrument's)")
    made.add_argument("--block-s", type=_positive, default=1.0, metavar="S", help="how long a block is")
    made.add_argument("--instrument", default="fluxgate", help="fluxgate, rm3100 ...; a wrong name lists all")
    made.add_argument("--json", action="store_true")


def _archive(command: Command) -> None:
    made = command("replay")
    made.add_argument("files", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--broker", type=_broker, default=_broker("mqtt://127.0.0.1:1883"), metavar="URL")
    made.add_argument("--speed", type=_positive, metavar="X", help="times real time (default: as fast as it goes)")
    made.add_argument("--station", help="instead of the one that the file names")
    made.add_argument("--sensor", help="instead of the one that the file names")
    made.add_argument("--json", action="store_true")
    made = command("process")
    made.add_argument("files", type=Path, nargs="+", metavar="FILE")
    made.add_argument("--out", type=Path, metavar="DIR", help="a folder for samples.parquet and events.jsonl")
    made.add_argument("--explain", type=_instant, metavar="TIME", help="such as 2024-05-10T17:05:00Z")
    made.add_argument("--json", action="store_true")


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


def _many(text: str) -> int:
    if not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to a million")
    return int(text)


def _workers(text: str) -> int:
    if not 0 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 64")
    return int(text)


def _days(text: str) -> int:
    if not 1 <= int(text) <= 366:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 366")
    return int(text)


def _positive(text: str) -> float:
    if not 0 < float(text) < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return float(text)
