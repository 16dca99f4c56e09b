"""A running simulator, and a client of it."""

from collections.abc import Iterator

import pytest
import requests

from exporter.simulator import Simulator
from tests.simulator.client import Client


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # a desk's proxy settings have no say on loopback
        yield session


@pytest.fixture
def client(simulator: Simulator, session: requests.Session) -> Client:
    return Client(simulator, session)
