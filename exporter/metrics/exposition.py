"""Families as pages: Prometheus text 0.0.4 and 1.0.0 and OpenMetrics 1.0.0. Nothing but rendering.

The client library renders a few samples well, and thousands slowly: it checks every name in each of them again, and
sorts labels by name. So it writes the heads of all families, whose shape differs between the formats, and the samples
of the process; the samples of the exporter's families, the same in each format, are written here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock

from prometheus_client import Metric, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from exporter.metrics.families import (
    ACCOUNT_FAMILIES,
    IN_CREDITS,
    WALLET_FAMILIES,
    ExporterState,
    Family,
    Filled,
    filled,
    of_exporter,
    of_process,
)
from exporter.model import Outcome
from exporter.scrape import Reading

_END = b"# EOF\n"


@dataclass(frozen=True)
class Format:
    """An exposition format: its content type, and whether it is OpenMetrics."""

    content_type: str
    openmetrics: bool = False


TEXT_0 = Format("text/plain; version=0.0.4; charset=utf-8")
TEXT_1 = Format("text/plain; version=1.0.0; charset=utf-8; escaping=underscores")
OPENMETRICS = Format(
    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", openmetrics=True
)


def negotiate(accepted: Iterable[tuple[str, dict[str, str]]]) -> Format:
    """Return the first format that we have out of what a client accepts, best first; else the oldest.

    `accepted` holds media types with their parameters. A version that we do not speak is passed over, as it
    must be: an answer in one format under another's name would be misread.
    """
    for media, parameters in accepted:
        version = parameters.get("version")
        if media == "application/openmetrics-text" and version in (None, "1.0.0"):
            return OPENMETRICS
        if media == "text/plain" and version == "1.0.0":
            return TEXT_1
        if media == "text/plain" and version in (None, "0.0.4"):
            return TEXT_0
    return TEXT_0


def of_accounts(readings: Sequence[Reading]) -> Iterator[Filled]:
    """Yield the account and wallet families of readings; a family without samples is left out."""
    accounts = [((reading.account.provider.name, reading.account.name), reading) for reading in readings]
    wallets = [
        (labels, reading, wallet)
        for labels, reading in accounts
        if reading.outcome
        for wallet in reading.outcome.wallets
    ]
    for family in ACCOUNT_FAMILIES:
        yield from filled(family, ((labels, family.rows(reading)) for labels, reading in accounts))
    for family in WALLET_FAMILIES:
        credits_counted = family.name in IN_CREDITS
        yield from filled(
            family,
            (
                (
                    (*labels, wallet.id, wallet.credit_unit if credits_counted else wallet.currency),
                    family.rows(reading, wallet),
                )
                for labels, reading, wallet in wallets
            ),
        )


class Page:
    """Renders account families; while no reading changes, the rendered text is used again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[Format, tuple[list[Reading], bytes]] = {}

    def render(self, readings: Sequence[Reading], state: ExporterState | None, chosen: Format) -> bytes:
        """Render the readings, then what the exporter says of itself, where `state` is given."""
        return b"".join(self.parts(readings, state, chosen))

    def parts(
        self, readings: Sequence[Reading], state: ExporterState | None, chosen: Format
    ) -> tuple[bytes, bytes]:
        """Return the readings as text, one object for all who ask at the same time, and the rest of the page."""
        shared, own = self._accounts(list(readings), chosen), b""
        if state:
            own = "".join(_lines(of_exporter(state), chosen)).encode() + _rendered(of_process(), chosen)
        return shared, own + _END if chosen.openmetrics else own

    def _accounts(self, readings: list[Reading], chosen: Format) -> bytes:
        # Under the lock, so that requests at the same time share one text instead of rendering one each.
        with self._lock:
            kept, text = self._kept.get(chosen, ([], b""))
            if len(kept) != len(readings) or not all(map(_same, kept, readings)):
                text = "".join(_lines(of_accounts(readings), chosen)).encode()
                self._kept[chosen] = (readings, text)
            return text


def _same(one: Reading, other: Reading) -> bool:
    same = one.account is other.account and one.last_success == other.last_success
    same = same and one.missing == other.missing
    return same and (one.outcome is other.outcome or _same_failure(one.outcome, other.outcome))


def _same_failure(one: Outcome | None, other: Outcome | None) -> bool:
    """Return whether both are the same failure. The detail may differ: it says how long the account still waits."""
    if one is None or other is None or one.up or other.up:
        return False
    return one == replace(other, detail=one.detail)


def _lines(families: Iterable[Filled], chosen: Format) -> Iterator[str]:
    for family, samples in families:
        yield _head(family, chosen)
        for values, value in samples:
            labels = ",".join(
                [f'{name}="{_escaped(text)}"' for name, text in zip(family.labels, values, strict=True)]
            )
            number: str = floatToGoString(value)  # type: ignore[no-untyped-call]
            yield f"{family.name}{{{labels}}} {number}\n" if labels else f"{family.name} {number}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@cache
def _head(family: Family, chosen: Format) -> str:
    # The client library keeps a counter's name without its suffix.
    return _rendered([Metric(family.name.removesuffix("_total"), family.help, family.type)], chosen).decode()


class _Collected(Collector):
    """The client library renders what a registry collects."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _rendered(families: Iterable[Metric], chosen: Format) -> bytes:
    collected = _Collected(families)
    if not chosen.openmetrics:
        return exposition.generate_latest(collected)
    page: bytes = openmetrics.generate_latest(collected, openmetrics.ALLOWUTF8, "1.0.0")  # type: ignore[no-untyped-call]
    return page.removesuffix(_END)
