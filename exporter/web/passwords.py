"""Users and their passwords, as bcrypt hashes.

A hash takes long on purpose, so that one is computed at a time, few requests wait for it, and what it told is kept.
How long a refusal takes says nothing of who is a user.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from threading import BoundedSemaphore, Lock
from typing import Annotated

import bcrypt
from pydantic import AfterValidator

MAX_COST = 18
"""The dearest hash that is taken: 2 to the power of it are the rounds, and 18 takes over ten seconds."""

MAX_WAITING = 32
"""Requests that wait for a hash at a time: each holds a thread, and most threads must stay free for known users."""

_MAX_REFUSED = 1024
_MAX_PASSWORD = 72
_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


class TooManyWaitingError(Exception):
    """So many passwords wait to be compared that this one was not."""


def _hash(value: str) -> str:
    match = _HASH.fullmatch(value)
    if not match:
        raise ValueError("is not a bcrypt hash; make one with: htpasswd -nBC 10 NAME")
    if int(match[1]) > MAX_COST:
        raise ValueError(f"is a hash of cost {match[1]}, which takes too long; the highest is {MAX_COST}")
    return value


def _name(value: str) -> str:
    if not value or ":" in value or not value.isprintable():
        raise ValueError("must be printable text without a colon")
    return value


UserName = Annotated[str, AfterValidator(_name)]
PasswordHash = Annotated[str, AfterValidator(_hash)]


class Passwords:
    """Compares passwords with the hashes of the users in force."""

    def __init__(self) -> None:
        self._users: tuple[Mapping[bytes, bytes], int] = ({}, 0)
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, bytes] = {}
        self._refused: dict[bytes, None] = {}
        self._waiting = BoundedSemaphore(MAX_WAITING)
        self._hashing = Lock()

    def configure(self, users: Mapping[str, str]) -> None:
        """Put users in force, by name with the hash of the password."""
        hashes = {name.encode(): stored.encode() for name, stored in users.items()}
        self._users = hashes, max(map(_cost, hashes.values()), default=0)
        for stored in set(self._known) - set(hashes.values()):
            self._known.pop(stored, None)

    def match(self, name: bytes, password: bytes) -> bool:
        """Return whether the password is this user's.

        Raise `TooManyWaitingError` where it would have to be computed, and too many wait for that already.
        """
        hashes, dearest = self._users
        stored = hashes.get(name)
        digest = self._digest(stored, name, password)
        told = self._told(stored, digest)
        if told is not None:
            return told
        if not self._waiting.acquire(blocking=False):
            raise TooManyWaitingError
        try:
            with self._hashing:
                told = self._told(stored, digest)
                if told is None:
                    told = _compared(stored, password, dearest)
                    self._keep(stored, digest, matches=told)
                return told
        finally:
            self._waiting.release()

    def _digest(self, *parts: bytes | None) -> bytes:
        # Fast, unlike bcrypt, so it needs a key that never leaves the process. `repr` keeps the parts apart.
        return hmac.digest(self._key, repr(parts).encode(), hashlib.sha256)

    def _told(self, stored: bytes | None, digest: bytes) -> bool | None:
        if stored and self._known.get(stored) == digest:
            return True
        return False if digest in self._refused else None

    def _keep(self, stored: bytes | None, digest: bytes, *, matches: bool) -> None:
        if stored and matches:
            self._known[stored] = digest
            return
        if len(self._refused) >= _MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refused[digest] = None


def _cost(stored: bytes) -> int:
    return int(stored[4:6])


def _compared(stored: bytes | None, password: bytes, dearest: int) -> bool:
    """Compare with a hash; a refusal takes the rounds of the dearest one, whoever was named."""
    # What bcrypt does with a longer one, whether its library does it or refuses.
    password = password[:_MAX_PASSWORD]
    if stored is None:
        bcrypt.checkpw(password, _nobody(dearest))
        return False
    if bcrypt.checkpw(password, stored):
        return True
    # 2^c rounds are done; 2^c + 2^(c+1) + ... + 2^(dearest-1) more make it 2^dearest.
    for cost in range(_cost(stored), dearest):
        bcrypt.checkpw(password, _nobody(cost))
    return False


def _nobody(cost: int) -> bytes:
    return b"$2b$%02d$" % cost + b"." * 53
