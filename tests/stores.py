"""A store of each kind for the tests of the port."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from gateway.records import open_records
from gateway.settings import InfluxSettings
from gateway.stores import Store
from gateway.stores.influx import InfluxStore
from gateway.stores.ledger import Ledger
from gateway.stores.sqlite import SqliteStore

SERVERS = {"sqlite": None, "influx-v1": "influxd", "influx-v2": "influx_front"}
"""Each adapter, and the fixture of the server that it needs."""


@dataclass(frozen=True)
class Home:
    """Where a store of a test is: in a folder, or in a database that has the folder's name."""

    adapter: str
    folder: Path
    url: str = ""

    async def open(self) -> Store:
        if self.adapter == "sqlite":
            return await SqliteStore.open(self.folder / "samples.db")
        api = self.adapter.removeprefix("influx-")
        name = f"test-{hashlib.blake2b(str(self.folder).encode(), digest_size=6).hexdigest()}"
        ledger = Ledger(await open_records(self.folder / "gateway.db"))
        return InfluxStore(InfluxSettings(type="influx", url=self.url, api=api, database=name), ledger)
