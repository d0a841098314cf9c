"""The store that the settings name."""

from gateway.records import open_records
from gateway.settings import GatewaySettings, InfluxSettings
from gateway.stores import Store
from gateway.stores.ledger import Ledger
from gateway.stores.sqlite import SqliteStore
from stream.errors import MagwatchError

SAMPLES_FILE = "samples.db"
"""The embedded store, in the data folder."""


async def open_store(settings: GatewaySettings) -> Store:
    """Raises MagwatchError when the store cannot be used, or a secret is not there; an InfluxDB may still be down."""
    if isinstance(settings.store, InfluxSettings):
        from gateway.stores.influx import InfluxStore  # noqa: PLC0415 - influxdb-client takes half a second to import

        ledger = Ledger(await open_records(settings.data_dir / "gateway.db"))
        try:
            return InfluxStore(settings.store, ledger)
        except MagwatchError:
            await ledger.close()  # its thread would keep the process alive
            raise
    return await SqliteStore.open(settings.data_dir / SAMPLES_FILE, synchronous=settings.store.synchronous)
