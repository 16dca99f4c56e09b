"""Who is known by a password, at what cost, and who has to wait for it."""

import base64
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from typing import Any

import bcrypt
import pytest
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Response

from exporter.web import passwords
from exporter.web.passwords import MAX_WAITING, Passwords, TooManyWaitingError
from exporter.web.web_config import WebConfig
from tests.programs import PATIENCE


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


ALICE = {"alice": hashed("open sesame")}


class Hashing:
    """Stands in the library's way: counts the rounds, and holds up who computes until it is let go."""

    def __init__(self) -> None:
        self.costs: list[int] = []
        self.begun = Event()
        self.go_on = Event()
        self.go_on.set()
        self.under_way = self.most = 0
        self.check = bcrypt.checkpw

    def __call__(self, password: bytes, stored: bytes) -> bool:
        self.costs.append(int(stored[4:6]))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        try:
            return self.check(password, stored)
        finally:
            self.under_way -= 1

    def rounds(self) -> int:
        done = sum(1 << cost for cost in self.costs)
        self.costs.clear()
        return done


@pytest.fixture
def hashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hashing]:
    hashing = Hashing()
    monkeypatch.setattr("bcrypt.checkpw", hashing)
    yield hashing
    hashing.go_on.set()


def configured(users: dict[str, str]) -> Passwords:
    known = Passwords()
    known.configure(users)
    return known


def test_users_are_known_by_their_own_passwords() -> None:
    known = configured({**ALICE, "bob": hashed("open barley"), "älice": hashed("pässword")})
    right = [(b"alice", b"open sesame"), (b"bob", b"open barley"), ("älice".encode(), "pässword".encode())]
    wrong = [(b"alice", b"open barley"), (b"bob", b""), (b"", b""), (b"carol", b"open sesame")]
    odd = [(b"alice", b"open sesame\0"), (b"\xff\xfe", b"\xff"), ("älice".encode("latin-1"), b"p\xe4ssword")]
    for _ in range(2):
        assert [known.match(*pair) for pair in right] == [True] * 3
        assert [known.match(*pair) for pair in [*wrong, *odd]] == [False] * 7


def test_a_long_password_counts_as_far_as_bcrypt_reads() -> None:
    known = configured({"alice": hashed("x" * 72)})
    assert known.match(b"alice", b"x" * 72)
    assert known.match(b"alice", b"x" * 100)
    assert not known.match(b"alice", b"x" * 71)


def test_a_refusal_takes_the_rounds_of_the_dearest_hash_whoever_is_named(hashing: Hashing) -> None:
    known = configured({"cheap": hashed("a", 4), "middle": hashed("b", 5), "dear": hashed("c", 7)})
    for name in (b"cheap", b"middle", b"dear", b"nobody", b""):
        assert not known.match(name, b"wrong")
        assert hashing.rounds() == 2**7, name
    assert known.match(b"cheap", b"a")
    assert hashing.rounds() == 2**4


def test_what_was_told_of_a_password_is_told_again_without_a_hash(hashing: Hashing) -> None:
    known = configured(ALICE)
    for name, password, told in (
        (b"alice", b"open sesame", True),
        (b"alice", b"wrong", False),
        (b"bob", b"wrong", False),
    ):
        assert known.match(name, password) is told
        assert hashing.rounds()
        assert known.match(name, password) is told
        assert not hashing.rounds()


def test_what_was_told_does_not_outlive_a_changed_hash(hashing: Hashing) -> None:
    known = configured(ALICE)
    assert known.match(b"alice", b"open sesame")
    assert not known.match(b"alice", b"another")
    assert not known.match(b"bob", b"another")
    known.configure({"alice": hashed("another"), "bob": hashed("another")})
    assert known.match(b"alice", b"another")
    assert known.match(b"bob", b"another")
    assert not known.match(b"alice", b"open sesame")
    hashing.rounds()
    known.configure(ALICE)
    assert known.match(b"alice", b"open sesame")
    assert hashing.rounds(), "a hash that went is known no more"


def test_a_user_who_stays_is_known_over_a_reload(hashing: Hashing) -> None:
    known = configured(ALICE)
    assert known.match(b"alice", b"open sesame")
    hashing.rounds()
    known.configure({**ALICE, "bob": hashed("x", 6)})
    assert known.match(b"alice", b"open sesame")
    assert not hashing.rounds()


def test_name_and_password_do_not_run_into_each_other() -> None:
    """A refusal that is kept must not stand for another name with another password."""
    known = configured({"alice": hashed("open sesame"), "aliceopen": hashed(" sesame")})
    assert not known.match(b"aliceopen", b"sesame")
    assert not known.match(b"aliceopen ", b"sesame")
    assert known.match(b"alice", b"open sesame")
    assert known.match(b"aliceopen", b" sesame")


def test_few_refusals_are_kept(hashing: Hashing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MAX_REFUSED", 3)
    known = configured(ALICE)
    for number in range(4):
        assert not known.match(b"alice", b"%d" % number)
    hashing.rounds()
    assert not known.match(b"alice", b"3")
    assert not hashing.rounds()
    assert not known.match(b"alice", b"0")
    assert hashing.rounds(), "the oldest had to go"


def test_one_hash_is_computed_at_a_time_and_known_users_wait_for_none(hashing: Hashing) -> None:
    known = configured(ALICE)
    assert known.match(b"alice", b"open sesame")
    hashing.go_on.clear()
    hashing.begun.clear()
    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(known.match, b"alice", b"%d" % number) for number in range(5)]
        assert hashing.begun.wait(PATIENCE)
        assert known.match(b"alice", b"open sesame")
        hashing.go_on.set()
        assert not any(match.result(PATIENCE) for match in waiting)
    assert hashing.most == 1


def test_those_who_send_the_same_password_at_once_share_one_hash(hashing: Hashing) -> None:
    known = configured(ALICE)
    hashing.go_on.clear()
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(known.match, b"alice", b"open sesame") for _ in range(8)]
        assert hashing.begun.wait(PATIENCE)
        hashing.go_on.set()
        assert all(match.result(PATIENCE) for match in waiting)
    assert hashing.costs == [4]


def test_so_many_wait_and_no_more(hashing: Hashing) -> None:
    """A thread that waits for a hash is one less for those who are known."""
    known = configured(ALICE)
    assert known.match(b"alice", b"open sesame")
    hashing.go_on.clear()
    with ThreadPoolExecutor(MAX_WAITING + 1) as threads:
        waiting = [threads.submit(known.match, b"alice", b"%d" % number) for number in range(MAX_WAITING + 1)]
        told, untold = wait(waiting, PATIENCE, FIRST_COMPLETED)
        assert [type(match.exception()) for match in told] == [TooManyWaitingError]
        assert known.match(b"alice", b"open sesame")
        hashing.go_on.set()
        assert not any(match.result(PATIENCE) for match in untold)
    assert not known.match(b"bob", b"there is room again")


def application(_: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Frame-Options", "mine"), ("X-Other", "1")])
    return [b"balances"]


@pytest.fixture
def client(tmp_path: Path) -> Callable[[str], Client]:
    def made(web: str) -> Client:
        file = tmp_path / "web.yml"
        file.write_text(web)
        return Client(WebConfig(file).basic_auth(application), Response)

    return made


def basic(credentials: bytes) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}


USERS = f"basic_auth_users: {ALICE}\n"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic(b"alice:open sesame")["Authorization"], 200),
        (basic(b"alice:open sesame")["Authorization"].replace("Basic", "bAsIc"), 200),
        (basic(b"alice:wrong")["Authorization"], 401),
        (basic(b"alice")["Authorization"], 401),
        (basic(b"")["Authorization"], 401),
        (basic(b"\xff\xfe:\x00\x80")["Authorization"], 401),
        (basic(b"alice:\xff\xfe")["Authorization"], 401),
        (basic(b"alice:open sesame")["Authorization"] + "=", 401),
        ("Basic", 401),
        ("Basic ", 401),
        ("Basic !", 401),
        ("Basic \xff\xfe\x80", 401),
        ("\xff\xfe", 401),
        ("\x00", 401),
        ("Bearer YWxpY2U6b3BlbiBzZXNhbWU=", 401),
        ("Digest username=alice", 401),
        ("", 401),
    ],
)
def test_a_request_names_its_user_in_basic_credentials(
    client: Callable[[str], Client], header: str, status: int
) -> None:
    # As a server hands them over: bytes in place of signs.
    answer = client(USERS).get("/metrics", environ_overrides={"HTTP_AUTHORIZATION": header})
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="prepaid-exporter", charset="UTF-8"'
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.text == "a user and password are needed\n"


@pytest.mark.parametrize(
    "path", ["/-/healthy/", "//-/healthy", "/-/healthy/../metrics", "/-/HEALTHY", "/", ""]
)
def test_nothing_but_the_health_is_told_without_a_user(client: Callable[[str], Client], path: str) -> None:
    asked = client(USERS)
    assert asked.get("/-/healthy").status_code == asked.get("/-/ready").status_code == 200
    assert asked.get("/", environ_overrides={"PATH_INFO": path}).status_code == 401


def test_where_too_many_wait_the_answer_says_so(
    client: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise TooManyWaitingError

    monkeypatch.setattr(Passwords, "match", full)
    answer = client(USERS).get("/metrics", headers=basic(b"alice:open sesame"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (401, "1")
    assert answer.text == "too many passwords are waiting to be checked; try again\n"


def statuses(client: Client, paths: Iterable[str]) -> list[int]:
    return [client.get(path).status_code for path in paths]


def test_a_rate_limit_lets_a_burst_through_and_no_more(client: Callable[[str], Client]) -> None:
    limited = client("rate_limit: {interval: 1h, burst: 3}")
    assert statuses(limited, ["/metrics"] * 5) == [200, 200, 200, 429, 429]
    assert statuses(limited, ["/-/healthy", "/-/ready"]) == [200, 200]
    refused: TestResponse = limited.get("/metrics")
    assert refused.headers["Retry-After"] == "3600"
    assert refused.text == "too many requests: rate_limit in the web configuration file\n"


def test_a_rate_limit_gives_one_more_after_each_interval(
    client: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("exporter.web.rate_limit.time.monotonic", lambda: now)
    limited = client("rate_limit: {interval: 0.5s, burst: 2}")
    assert statuses(limited, ["/metrics"] * 3) == [200, 200, 429]
    now += 0.25
    assert statuses(limited, ["/metrics"]) == [429]
    now += 0.25
    assert statuses(limited, ["/metrics"] * 2) == [200, 429]
    now += 60
    assert statuses(limited, ["/metrics"] * 3) == [200, 200, 429]


@pytest.mark.parametrize(("settings", "expected"), [("interval: 0, burst: 0", 200), ("interval: 1s", 429)])
def test_no_interval_is_no_limit_and_no_burst_lets_nobody_in(
    client: Callable[[str], Client], settings: str, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert statuses(client(f"rate_limit: {{{settings}}}"), ["/metrics"] * 3) == [expected] * 3
    told = "rate_limit has no burst: every request is refused" in "".join(capsys.readouterr())
    assert told == (expected == 429)


def test_the_files_headers_are_in_every_answer_in_place_of_the_exporters(
    client: Callable[[str], Client],
) -> None:
    configured = client(
        f"{USERS}\nhttp_server_config: {{headers: {{X-Frame-Options: deny, X-XSS-Protection: 1, "
        "Strict-Transport-Security: max-age=1, Content-Security-Policy: ''}}\n"
    )
    for answer in (
        configured.get("/metrics", headers=basic(b"alice:open sesame")),
        configured.get("/metrics"),
        configured.get("/-/healthy"),
    ):
        assert answer.headers.getlist("X-Frame-Options") == ["deny"]
        assert answer.headers["X-XSS-Protection"] == "1"
        assert answer.headers["Strict-Transport-Security"] == "max-age=1"
        assert "Content-Security-Policy" not in answer.headers
