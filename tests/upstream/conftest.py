"""An exporter and the upstreams that it asks, over real sockets."""

import pytest

from tests.desk import (
    MakeDesk,
    MakeUpstream,
    Page,
    authority,
    ca_file,
    desk,
    no_names,
    plain_environment,
    tls,
    upstream,
    waiting,
)
from tests.peers import Answer
from tests.upstream.answers import Scrape

__all__ = ["authority", "ca_file", "desk", "no_names", "plain_environment", "tls", "upstream", "waiting"]


@pytest.fixture
def scrape(upstream: MakeUpstream, desk: MakeDesk) -> Scrape:
    """Scrape one account whose provider answers as told."""

    def run(answer: Answer, **settings: str) -> Page:
        return desk(mall={"base_url": upstream(answer).url, **settings}).metrics()

    return run
