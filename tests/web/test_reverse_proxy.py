"""Behind a reverse proxy that takes a path off: every link of the page leads somewhere."""

from __future__ import annotations

import http.client
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pytest

from tests.programs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "/prepaid/"


@pytest.fixture
def public(exporter: Any) -> Iterator[str]:
    """Put a proxy before the exporter, as nginx's `location /prepaid/ { proxy_pass http://exporter/; }` does."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(PREFIX):
                self.send_error(404)
                return
            answer = exporter.ask(f"/{self.path.removeprefix(PREFIX)}")
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = Thread(target=proxy.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
        proxy.shutdown()
        thread.join()


class Links(HTMLParser):
    """The links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            value or "" for name, value in attrs if name == "href" or (tag, name) == ("form", "action")
        ]


def get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_every_link_of_the_status_page_works_behind_a_path(public: str, exporter: Any) -> None:
    exporter.ask("/metrics")
    status, text = get(public)
    links = [link for link in Links(text).found if not link.startswith("https://")]
    assert status == 200
    assert {"metrics", "sd", "config", "api/v1/accounts"} <= set(links)
    assert [link for link in links if link.startswith("probe?")]
    assert {link: get(urljoin(public, link))[0] for link in links} == dict.fromkeys(links, 200)
