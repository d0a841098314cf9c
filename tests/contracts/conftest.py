"""Every test of a contract runs on every adapter."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.stores import Store
from tests.stores import SERVERS, Home


@pytest.fixture(params=SERVERS)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    server = SERVERS[request.param]
    return Home(request.param, tmp_path, request.getfixturevalue(server).url if server else "")


@pytest.fixture
async def store(home: Home) -> AsyncIterator[Store]:
    store = await home.open()
    yield store
    await store.close()
