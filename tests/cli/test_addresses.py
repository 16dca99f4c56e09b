"""Addresses as Prometheus programs write them, and the URL that people are told."""

import pytest

from exporter.web import process


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("127.0.0.1:10710", ("127.0.0.1", 10710)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("[::]:65535", ("::", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, listen: tuple[str, int]) -> None:
    assert process.address(text) == listen


def test_an_address_without_a_host_is_every_interface() -> None:
    assert process.address(":10710") in [("::", 10710), ("0.0.0.0", 10710)]  # noqa: S104 - what is asked for


@pytest.mark.parametrize(
    "text", ["", ":", "10710", "host", "host:", "host:-1", "host:65536", "host:٣", "::1", "::1:80"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address; write"):
        process.address(text)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("::", "http://localhost:80"),
        ("0.0.0.0", "http://localhost:80"),  # noqa: S104 - only written
    ],
)
def test_the_url_for_people_names_a_host_that_they_can_open(host: str, url: str) -> None:
    assert process.url(host, 80) == url
