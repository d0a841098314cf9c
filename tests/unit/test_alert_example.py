"""config/gateway.example.toml has every table, every key, every rule and every kind of channel, each at its place."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from pydantic import BaseModel

from gateway.alerts.notifiers import channels
from gateway.alerts.rules import AlertSettings
from gateway.settings import GatewaySettings, ListenSettings, NotifySettings
from stream.events import Kind, Severity

EXAMPLE = (Path(__file__).resolve().parents[2] / "config" / "gateway.example.toml").read_text()
HEADER = re.compile(r"(?:# )?\[\[?([\w.-]+)\]\]?")
KEY = re.compile(r"(?:# )?([a-z_]+ = .*)")
OF_ANY_CHANNEL = set(channels._Channel.model_fields)
"""Shown once."""


class Table(NamedTuple):
    """A table of the example, what stands behind a # in it included."""

    path: tuple[str, ...]
    values: dict[str, Any]


def tables() -> Iterator[Table]:
    table = Table((), {})
    for line in EXAMPLE.splitlines():
        if header := HEADER.match(line):
            yield table
            table = Table(tuple(header[1].split(".")), {})
        elif key := KEY.match(line):
            table.values.update(tomllib.loads(key[1]))
    yield table


TABLES = list(tables())


def models(annotation: object) -> list[type[BaseModel]]:
    """Those that a field holds: one, a list of them, one of several kinds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models(part)]


def wanted(model: type[BaseModel], path: tuple[str, ...], kind: str = "") -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Path of a table, its `type` where it has one, key."""
    for name, field in model.model_fields.items():
        inside = models(field.annotation)
        for one in inside:
            type_of = one.model_fields.get("type")
            yield from wanted(one, (*path, name), get_args(type_of.annotation)[0] if type_of else "")
        if not inside:
            yield path, kind, name


def is_at(table: Table, path: tuple[str, ...]) -> bool:
    return table.path == path or (path == ("notify", "channels") and table.path[:2] == path)


@pytest.mark.parametrize(("path", "kind", "key"), sorted(set(wanted(GatewaySettings, ()))))
def test_each_option_of_each_table_stands_in_the_example(path: tuple[str, ...], kind: str, key: str) -> None:
    found = [table for table in TABLES if is_at(table, path)]
    if kind and key not in OF_ANY_CHANNEL:
        found = [table for table in found if table.values["type"] == kind]
    assert found, f"no table {'.'.join(path)} {kind}"
    assert any(key in table.values for table in found), f"{'.'.join(path)} {kind}: {key}"


def test_nothing_stands_in_the_example_that_is_no_option() -> None:
    known = {(path, key) for path, _, key in wanted(GatewaySettings, ())}
    for table in TABLES:
        path = table.path[:2] if table.path[:2] == ("notify", "channels") else table.path
        assert {(path, key) for key in table.values} <= known, table.path


def test_every_kind_of_event_and_every_severity_is_named() -> None:
    rules = EXAMPLE[EXAMPLE.index("[[alerts.rules]]") : EXAMPLE.index("[[alerts.regions]]")]
    assert [name for name in (*Kind, *Severity) if not re.search(rf"\b{name}\b", rules)] == []


@pytest.mark.parametrize("table", [one for one in TABLES if one.path[:2] == ("notify", "channels")])
def test_each_channel_of_the_example_would_work(table: Table) -> None:
    """With the first of its ways to log in; the example shows all of them."""
    others = {key for key in table.values if key.endswith("_env")} | {"username", "password_file"}
    channel = {key: value for key, value in table.values.items() if key not in others}
    NotifySettings.model_validate({"channels": {table.path[2]: channel}})


DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = [
    (page, block)
    for page in ("alerts.md", "accounts.md")
    for block in re.findall(r"^```toml\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
]


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_settings_in_the_documentation_are_good(page: str, block: str) -> None:
    given = tomllib.loads(block)
    assert set(given) <= {"alerts", "notify", "listen"}, page
    AlertSettings.model_validate(given.get("alerts", {}))
    NotifySettings.model_validate(given.get("notify", {}))
    ListenSettings.model_validate(given.get("listen", {}))
