"""The routes, as a WSGI application. Answers from the scraper; asks providers only where a scrape is asked for."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest, Forbidden, HTTPException, NotFound
from werkzeug.http import parse_options_header
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from exporter.metrics.exposition import Page, negotiate
from exporter.metrics.families import ExporterState
from exporter.schema.problems import ConfigurationError
from exporter.scrape import Reading
from exporter.scrape.accounts_json import accounts_as_json
from exporter.web import pages
from exporter.web.packing import Packer
from exporter.web.runtime import Runtime
from exporter.web.trace import trace

TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"
_LONGEST = 3600.0

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Options:
    """What the command line says of the web side; times in seconds."""

    telemetry_path: str = "/metrics"
    enable_lifecycle: bool = False
    metrics_accounts: bool = True
    scrape_timeout: float = 10.0
    timeout_offset: float = 0.5


class Application:
    """The exporter's HTTP interface."""

    def __init__(self, runtime: Runtime, options: Options) -> None:
        self._runtime = runtime
        self._options = options
        self._page = Page()
        self._packer = Packer()
        # Pages of many accounts are made one after the other: each is large while it is made.
        self._building = Lock()
        self._routes = _routes(options.telemetry_path)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = Request(environ)
        try:
            endpoint, _ = self._routes.bind_to_environ(environ).match()
            response: Response = endpoint(self, request)
        except HTTPException as error:
            response = _plain(f"{error.description}\n", error.code or 500)
            allowed = dict(error.get_headers()).get("Allow")
            if allowed:
                response.headers["Allow"] = allowed
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response(environ, start_response)

    def _metrics(self, request: Request) -> Response:
        _refuse_unknown(request, "account", "provider")
        names = self._restricted(request) if self._options.metrics_accounts else set()
        readings = self._runtime.scraper.scrape(names, self._time_limit(request))
        # A page of some accounts must not replace the kept page of all.
        page = self._page if names is None else Page()
        return self._exposition(request, page, readings, self._state())

    def _restricted(self, request: Request) -> set[str] | None:
        """Return the accounts that `account` and `provider` in the query leave, None for all; raise `BadRequest`."""
        wanted, providers = request.args.getlist("account"), request.args.getlist("provider")
        if not wanted and not providers:
            return None
        accounts = {account.name: account.provider.name for account in self._runtime.scraper.config.accounts}
        for kind, given, known in (
            ("account", wanted, accounts.keys()),
            ("provider", providers, accounts.values()),
        ):
            for name in given:
                if name not in known:
                    raise BadRequest(f"no {kind} {name!r} is configured")
        return {
            name
            for name, provider in accounts.items()
            if (not wanted or name in wanted) and (not providers or provider in providers)
        }

    def _probe(self, request: Request) -> Response:
        _refuse_unknown(request, "target", "debug")
        targets = request.args.getlist("target")
        if len(targets) != 1 or not targets[0]:
            raise BadRequest("give one account: /probe?target=ACCOUNT")
        readings = self._runtime.scraper.scrape({targets[0]}, self._time_limit(request))
        if not readings:
            raise NotFound(f"no account {targets[0]!r} is configured")
        if request.args.get("debug", "") in ("true", "1"):
            return _plain(trace(readings[0]))
        return self._exposition(request, Page(), readings, None)

    def _exposition(
        self, request: Request, page: Page, readings: list[Reading], state: ExporterState | None
    ) -> Response:
        # The library sorts by how specific a media type is before it looks at the client's preference.
        liked = sorted(request.accept_mimetypes, key=lambda pair: -pair[1])
        chosen = negotiate(parse_options_header(media.lower()) for media, quality in liked if quality)
        shared, own = page.parts(readings, state, chosen)
        # `*` allows gzip too, but only a client that names gzip is sure to unpack it.
        packed = any(coding.lower() == "gzip" and quality for coding, quality in request.accept_encodings)
        packer = self._packer if page is self._page else Packer()
        body = packer.gzip(shared, own) if packed else [shared, own]
        response = Response(body, content_type=chosen.content_type)
        response.headers["Vary"] = "Accept, Accept-Encoding"
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        return response

    def _time_limit(self, request: Request) -> float:
        """Return the seconds that a scrape may take: what Prometheus grants, less the time for the answer to arrive."""
        try:
            granted = float(request.headers.get(TIMEOUT_HEADER, ""))
        except ValueError:
            granted = math.nan
        if not math.isfinite(granted) or granted <= 0:
            return self._options.scrape_timeout
        return min(max(granted - self._options.timeout_offset, granted / 2), _LONGEST)

    def _state(self) -> ExporterState:
        runtime = self._runtime
        providers = sorted({account.provider.name for account in runtime.scraper.config.accounts})
        return ExporterState(
            runtime.reload_successful,
            runtime.reload_success_timestamp,
            runtime.scraper.upstream_requests(),
            runtime.scraper.upstream_failures(providers),
        )

    def _service_discovery(self, request: Request) -> Response:
        if "Host" not in request.headers or not request.host:
            raise BadRequest("the request's Host header names no host, so that there is nothing to scrape")
        entries = [
            {
                "targets": [request.host],
                "labels": {
                    "__metrics_path__": "/probe",
                    "__param_target": account.name,
                    "account": account.name,
                    "provider": account.provider.name,
                },
            }
            for account in self._runtime.scraper.config.accounts
        ]
        return _json(entries)

    def _status(self, request: Request) -> Response:
        # A link to one account, as pages have it, must not find those whose names only hold that name.
        accounts = tuple(dict.fromkeys(request.args.getlist("account")))
        view = pages.View(request.args.get("search", "").strip(), request.args.get("state", ""), accounts)
        if view.state and view.state not in pages.STATES:
            raise BadRequest(f"no row is {view.state!r}; there are {', '.join(pages.STATES)}")
        runtime, path = self._runtime, self._options.telemetry_path
        refused = not runtime.reload_successful
        with self._building:
            page = pages.status(runtime.scraper.known(), path, view, reload_refused=refused)
        return Response(page, content_type="text/html; charset=utf-8")

    def _config(self, _: Request) -> Response:
        return _plain(pages.configuration(self._runtime.scraper.config))

    def _accounts(self, _: Request) -> Response:
        with self._building:
            return _json(accounts_as_json(self._runtime.scraper.known()))

    def _alive(self, _: Request) -> Response:
        return _plain("prepaid-exporter is up\n")

    def _reload(self, request: Request) -> Response:
        if not self._options.enable_lifecycle:
            raise Forbidden(
                "reloading over HTTP is off; --web.enable-lifecycle turns it on, and SIGHUP always works"
            )
        if _foreign(request):
            raise Forbidden("a page of another site may not reload the configuration")
        try:
            self._runtime.reload()
        except ConfigurationError as error:
            raise BadRequest(f"the configuration was not reloaded, the old one stays:\n{error}") from None
        return _plain("reloaded\n")

    ROUTES: ClassVar[Mapping[str, tuple[Callable[["Application", Request], Response], tuple[str, ...]]]] = {
        "/": (_status, ("GET",)),
        "/probe": (_probe, ("GET",)),
        "/sd": (_service_discovery, ("GET",)),
        "/config": (_config, ("GET",)),
        "/api/v1/accounts": (_accounts, ("GET",)),
        "/-/healthy": (_alive, ("GET",)),
        "/-/ready": (_alive, ("GET",)),
        "/-/reload": (_reload, ("POST", "PUT")),
    }
    """The paths that are taken, whatever the telemetry path is, with their methods of HTTP."""


def _foreign(request: Request) -> bool:
    """Return whether a browser sends the request for a page that is not the exporter's own."""
    origin = request.headers.get("Origin")
    other = origin is not None and urlsplit(origin).netloc != request.host
    return other or request.headers.get("Sec-Fetch-Site") == "cross-site"


def _json(data: Any) -> Response:
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return Response(f"{text}\n", content_type="application/json")


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


@lru_cache(maxsize=4)
def _routes(telemetry_path: str) -> Map:
    """Return the map of all routes, which the library compiles: that takes longer than many requests."""
    routes = {telemetry_path: (Application._metrics, ("GET",)), **Application.ROUTES}  # noqa: SLF001 - its own map
    return Map(
        [Rule(path, endpoint=endpoint, methods=methods) for path, (endpoint, methods) in routes.items()],
        merge_slashes=False,
        redirect_defaults=False,
    )


def _refuse_unknown(request: Request, *known: str) -> None:
    """Raise `BadRequest` for an unknown parameter: a misspelt one would ask for more than was meant."""
    for name in request.args:
        if name not in known:
            raise BadRequest(f"unknown parameter {name!r}; there are {' and '.join(known)}")
