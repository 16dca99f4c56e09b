"""A past for a running Prometheus: samples of earlier times, and what recording rules would have made of them.

For the demonstration and the tests. It takes no second program and no restart.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import requests

Json = dict[str, Any]
Series = tuple[Mapping[str, str], Iterable[tuple[float, float]]]
"""Labels, with `__name__`, and pairs of time in seconds since 1970 and value."""

REMEMBERING = (
    "--web.enable-remote-write-receiver",
    "--storage.tsdb.retention.time=100y",
    "--storage.tsdb.min-block-duration=200d",
    "--storage.tsdb.max-block-duration=200d",
)
"""Flags of a Prometheus that takes samples of the last hundred days, one series after the other."""

_PATIENCE = 600.0
_VARINT = 6
"""Bytes of a moment."""


def remember(url: str, series: Iterable[Series]) -> None:
    """Write series into a Prometheus as remote write has it; raise OSError when it refuses.

    That is a protobuf message, in a block of snappy that is not packed.
    """
    message = b"".join(_field(1, _series(labels, samples)) for labels, samples in series)
    block = _varint(len(message)) + bytes([63 << 2]) + struct.pack("<I", len(message) - 1) + message
    headers = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
    answer = _post(f"{url}/api/v1/write", block, headers)
    if not answer.ok:
        raise OSError(f"Prometheus takes no samples: {answer.text.strip()}")


def record(url: str, groups: Iterable[Json], span: tuple[float, float], step: int) -> None:
    """Let recording rules remember what Prometheus holds, in their order: each reads those before it.

    `step` is in seconds, for the groups that are evaluated more often than that. Raise OSError when a rule fails.
    """
    for interval, rule in ((group["interval"], rule) for group in groups for rule in group["rules"]):
        every = max(step, 60 * int(interval.removesuffix("m")))
        start, end = (moment // every * every for moment in span)
        question = {"query": rule["expr"], "start": start, "end": end, "step": every}
        answer = _post(f"{url}/api/v1/query_range", question).json()
        if answer["status"] != "success":
            raise OSError(f"{rule['record']}: {answer.get('error')}")
        own = {"__name__": rule["record"], **rule.get("labels", {})}
        made = answer["data"]["result"]
        if made:
            remember(
                url, (({**one["metric"], **own}, [(t, float(v)) for t, v in one["values"]]) for one in made)
            )


def _post(url: str, data: Any, headers: Mapping[str, str] | None = None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # loopback needs no proxy
        return session.post(url, data=data, headers=dict(headers or {}), timeout=_PATIENCE)


def _series(labels: Mapping[str, str], samples: Iterable[tuple[float, float]]) -> bytes:
    named = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, text.encode()))
        for name, text in sorted(labels.items())
        if text
    )
    return named + _samples(np.array([*samples], dtype="<f8").reshape(-1, 2))


def _samples(pairs: "np.ndarray[Any, np.dtype[np.float64]]") -> bytes:
    """Write pairs of moment and value as field 2 of a series, all at once: there may be millions.

    Field 1 of a sample is a double, field 2 a varint in milliseconds, here of six bytes whatever is in them: that lasts
    from 1970 to 2109.
    """
    moments = np.rint(pairs[:, 0] * 1000).astype(np.int64)
    if moments.size and not 0 <= moments.min() <= moments.max() < 1 << 7 * _VARINT:
        raise ValueError("a moment is before 1970 or after 2109")
    written = np.empty((len(moments), 12 + _VARINT), dtype=np.uint8)
    written[:, :3] = 2 << 3 | 2, 10 + _VARINT, 1 << 3 | 1
    written[:, 3:11] = np.ascontiguousarray(pairs[:, 1]).view(np.uint8).reshape(-1, 8)
    written[:, 11] = 2 << 3
    for place in range(_VARINT):
        written[:, 12 + place] = moments >> 7 * place & 127 | (128 if place < _VARINT - 1 else 0)
    return written.tobytes()


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:  # noqa: PLR2004 - seven bits a byte
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])
