"""The store that the settings name."""

from gateway.settings import GatewaySettings
from gateway.stores import Store
from gateway.stores.sqlite import SqliteStore

SAMPLES_FILE = "samples.db"
"""The embedded store, in the data folder."""


async def open_store(settings: GatewaySettings) -> Store:
    """Raises MagwatchError when the store cannot be used."""
    return await SqliteStore.open(settings.data_dir / SAMPLES_FILE, synchronous=settings.store.synchronous)
