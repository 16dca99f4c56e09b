"""TLS and users of the web side, over real sockets."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import Event, Thread

import bcrypt
import pytest
import requests
import trustme
from werkzeug.test import Client
from werkzeug.wrappers import Response

from exporter.web.application import Application, Options
from exporter.web.listeners import address, listening
from exporter.web.passwords import MAX_WAITING
from exporter.web.runtime import Runtime
from exporter.web.server import Server
from exporter.web.web_config import WebConfig
from tests.programs import PATIENCE

PASSWORD = "open sesame"
CANARY = "canary-7f3a"
TLS = "tls_server_config: {cert_file: cert.pem, key_file: key.pem}"


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def stored() -> str:
    return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def folder(tmp_path: Path, ca: trustme.CA) -> Path:
    certify(tmp_path, ca)
    age(tmp_path / "key.pem", tmp_path / "cert.pem")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "prepaid.yml").write_text(
        "accounts: [{name: mall, provider: apimall, api_key: k, base_url: 'http://127.0.0.1:9'}]"
    )
    return tmp_path


def certify(folder: Path, ca: trustme.CA) -> None:
    """Write a new certificate for the exporter."""
    issued = ca.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))


def age(*files: Path) -> None:
    """Make files an hour old, so that a change shows in their times on every file system."""
    an_hour_ago = time.time() - 3600
    for file in files:
        os.utime(file, (an_hour_ago, an_hour_ago))


@contextmanager
def running(folder: Path, web: str) -> Iterator[int]:
    """Run the exporter with a web configuration, and yield its port."""
    (folder / "web.yml").write_text(web)
    age(folder / "web.yml")
    runtime = Runtime(folder / "prepaid.yml")
    web_config = WebConfig(folder / "web.yml")
    with listening([address("127.0.0.1:0")]) as listeners:
        port = listeners[0].getsockname()[1]
        server = Server(Application(runtime, Options()), listeners, runtime.scraper.release, web_config)
        thread = Thread(target=server.serve)
        thread.start()
        try:
            yield port
        finally:
            server.stop()
            thread.join()


Get = Callable[..., requests.Response]


@pytest.fixture
def get() -> Iterator[Get]:
    with requests.Session() as session:
        session.trust_env = False
        close = {"Connection": "close"}
        yield lambda url, **options: session.get(url, timeout=PATIENCE, headers=close, **options)


def test_without_a_user_nothing_is_told_but_the_health(folder: Path, stored: str, get: Get) -> None:
    with running(folder, f"basic_auth_users: {{alice: {stored}}}") as port:
        url = f"http://127.0.0.1:{port}"
        for path in ("/metrics", "/", "/config", "/sd", "/probe?target=mall", "/nowhere", "/-/reload"):
            answer = get(url + path)
            assert (answer.status_code, "mall" in answer.text) == (401, False), path
            assert answer.headers["WWW-Authenticate"].startswith("Basic "), path
        assert get(f"{url}/-/healthy").status_code == 200
        assert get(f"{url}/-/ready").status_code == 200


@pytest.mark.parametrize(
    ("user", "password", "status"),
    [
        ("alice", PASSWORD, 200),
        ("alice", "wrong", 401),
        ("alice", "", 401),
        ("bob", PASSWORD, 401),
        ("bob", "nobody", 401),
        ("", "", 401),
        ("alice", PASSWORD * 20, 401),
        ("älice", "pässword", 401),
    ],
)
def test_only_a_known_user_with_the_password_is_answered(
    folder: Path, stored: str, get: Get, user: str, password: str, status: int
) -> None:
    with running(folder, f"basic_auth_users: {{alice: {stored}}}") as port:
        for _ in range(2):  # the second time a right password is known by its digest
            answer = get(f"http://127.0.0.1:{port}/config", auth=(user.encode(), password.encode()))
            assert answer.status_code == status


def test_a_changed_password_counts_at_once(folder: Path, stored: str, get: Get) -> None:
    with running(folder, f"basic_auth_users: {{alice: {stored}}}") as port:
        url = f"http://127.0.0.1:{port}/config"
        assert get(url, auth=("alice", PASSWORD)).status_code == 200
        changed = bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()
        (folder / "web.yml").write_text(f"basic_auth_users: {{alice: {changed}}}\n")
        assert get(url, auth=("alice", PASSWORD)).status_code == 401
        assert get(url, auth=("alice", "another")).status_code == 200
        (folder / "web.yml").write_text("basic_auth_users: {alice: broken}\n")
        assert get(url, auth=("alice", "another")).status_code == 200


NONSENSE = [
    'tls_server_config: {cert_file: "a\\0b", key_file: key.pem}',
    'tls_server_config: {cert_file: "\\ud800", key_file: key.pem}',
    "tls_server_config: {cert_file: pipe, key_file: key.pem}",
    "tls_server_config: {cert_file: /dev/zero, key_file: key.pem}",
    "tls_server_config: {cert_file: cert.pem, key_file: encrypted.pem}",
    "basic_auth_users: {alice: broken}",
    "basic_auth_users: [alice]",
    "basic_auth_users: {alice: {",
    "&a {basic_auth_users: *a}",
    "\x00",
    "\ufeff\ufeff",
    "[" * 1000,
    "!!python/object/apply:os.system [exit]",
    "junk",
    "0",
    "false",
    "[]",
]


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_in_a_running_file_leaves_the_old_one_in_force(
    folder: Path, stored: str, nonsense: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "encrypted.pem").write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    web = folder / "web.yml"
    web.write_text(f"basic_auth_users: {{alice: {stored}}}\n{TLS}\n")
    web_config = WebConfig(web)
    context, client = web_config.context, Client(web_config.basic_auth(Response("balances")), Response)

    def the_old_one_is_in_force() -> bool:
        known = client.get("/", auth=("alice", PASSWORD)).status_code
        return (client.get("/").status_code, known, web_config.context) == (401, 200, context)

    assert the_old_one_is_in_force()
    web.write_text(nonsense)
    assert the_old_one_is_in_force()
    web.unlink()
    assert the_old_one_is_in_force()
    written = "".join(capsys.readouterr())
    assert "web configuration not reloaded, the old one stays" in written
    assert "bug" not in written
    assert "Traceback" not in written


def test_a_bug_of_ours_while_reloading_leaves_the_old_one_in_force(
    folder: Path, stored: str, get: Get, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(CANARY)

    with running(folder, f"basic_auth_users: {{alice: {stored}}}") as port:
        url = f"http://127.0.0.1:{port}/config"
        monkeypatch.setattr("exporter.web.web_config.validate", broken)
        (folder / "web.yml").write_text("basic_auth_users: {}")
        assert get(url).status_code == 401
        assert get(url, auth=("alice", PASSWORD)).status_code == 200
    written = "".join(capsys.readouterr())
    assert "bug while reloading the web configuration, the old one stays" in written
    assert "KeyError" in written
    assert CANARY not in written


def test_a_file_that_is_named_but_not_there_yet_is_waited_for(folder: Path) -> None:
    (folder / "web.yml").write_text(TLS)
    age(folder / "web.yml")
    web_config = WebConfig(folder / "web.yml")
    before = web_config.context
    (folder / "web.yml").write_text(TLS.replace("cert.pem", "new.pem"))
    assert web_config.context is before
    (folder / "new.pem").write_bytes((folder / "cert.pem").read_bytes())
    after = web_config.context
    assert after is not before
    assert web_config.context is after


def test_an_empty_file_at_start_lets_everyone_in_and_users_come_without_a_restart(
    folder: Path, stored: str, get: Get
) -> None:
    with running(folder, "") as port:
        url = f"http://127.0.0.1:{port}/config"
        assert get(url).status_code == 200
        (folder / "web.yml").write_text(f"basic_auth_users: {{alice: {stored}}}")
        assert get(url).status_code == 401
        assert get(url, auth=("alice", PASSWORD)).status_code == 200


@pytest.mark.parametrize(
    "before", ["rate_limit: {interval: 1h, burst: 1}", "http_server_config: {http2: false}"]
)
def test_an_emptied_file_takes_nothing_away(
    folder: Path, before: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "web.yml").write_text(before)
    web_config = WebConfig(folder / "web.yml")
    (folder / "web.yml").write_text("")
    assert web_config.context is None
    assert "is empty, which takes a restart" in "".join(capsys.readouterr())


@pytest.mark.parametrize("emptied", ["", "# nobody\n", "{}", "basic_auth_users: {}\n", "---\n", TLS])
def test_users_that_go_from_the_file_stay_until_a_restart(
    folder: Path, stored: str, get: Get, emptied: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(folder, f"basic_auth_users: {{alice: {stored}}}") as port:
        url = f"http://127.0.0.1:{port}/config"
        assert get(url).status_code == 401
        (folder / "web.yml").write_text(emptied)
        assert get(url).status_code == 401
        assert get(url, auth=("alice", PASSWORD)).status_code == 200
        assert "web configuration not reloaded, the old one stays" in "".join(capsys.readouterr())
        (folder / "web.yml").write_text(f"basic_auth_users: {{bob: {stored}}}\n")
        assert get(url, auth=("alice", PASSWORD)).status_code == 401
        assert get(url, auth=("bob", PASSWORD)).status_code == 200
        assert "web configuration reloaded" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("before", "after"), [(TLS, "users"), ("users", TLS), (TLS, "both"), ("both", "users")]
)
def test_tls_is_turned_on_and_off_by_a_restart_alone(
    folder: Path, stored: str, before: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    users = f"basic_auth_users: {{alice: {stored}}}"
    texts = {TLS: TLS, "users": users, "both": f"{users}\n{TLS}\n"}
    web = folder / "web.yml"
    web.write_text(texts[before])
    web_config = WebConfig(web)
    context = web_config.context
    web.write_text(texts[after])
    refused = (before == "users") != (after == "users")
    assert (web_config.context is None) == (context is None)
    written = "".join(capsys.readouterr())
    assert (f"turns TLS {'off' if context else 'on'}, which takes a restart" in written) == refused
    assert ("web configuration reloaded" in written) != refused


def test_many_clients_with_wrong_passwords_hold_up_no_known_user(
    folder: Path, stored: str, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hash comes to its end here, and yet a user who is known is answered."""
    go_on, check = Event(), bcrypt.checkpw

    def endless(password: bytes, stored: bytes) -> bool:
        assert go_on.wait(PATIENCE)
        return check(password, stored)

    with (
        running(folder, f"basic_auth_users: {{alice: {stored}}}") as port,
        ThreadPoolExecutor(150) as clients,
    ):
        url = f"http://127.0.0.1:{port}/config"
        assert get(url, auth=("alice", PASSWORD)).status_code == 200
        monkeypatch.setattr("exporter.web.passwords.bcrypt.checkpw", endless)
        wrong = [clients.submit(requests.get, url, auth=("alice", str(number))) for number in range(150)]
        for attempt in islice(as_completed(wrong, PATIENCE), 150 - MAX_WAITING):
            assert attempt.result().status_code == 401
        assert [get(url, auth=("alice", PASSWORD)).status_code for _ in range(3)] == [200] * 3
        assert sum(attempt.done() for attempt in wrong) == 150 - MAX_WAITING
        go_on.set()
        assert {attempt.result(PATIENCE).status_code for attempt in wrong} == {401}


def test_clear_text_at_a_tls_port_is_no_bug_of_ours(
    folder: Path, get: Get, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(folder, TLS) as port:
        for _ in range(3):
            with pytest.raises(requests.ConnectionError):
                get(f"http://127.0.0.1:{port}/metrics")
        assert get(f"https://127.0.0.1:{port}/-/ready", verify=str(folder / "ca.pem")).status_code == 200
    written = "".join(capsys.readouterr())
    assert "bug while" not in written
    assert "[error" not in written


def test_tls_is_spoken_and_clear_text_is_not(folder: Path, get: Get) -> None:
    with running(folder, TLS) as port:
        assert get(f"https://127.0.0.1:{port}/-/healthy", verify=str(folder / "ca.pem")).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            get(f"https://127.0.0.1:{port}/-/healthy")
        with pytest.raises(requests.ConnectionError):
            get(f"http://127.0.0.1:{port}/-/healthy")
        assert get(f"https://127.0.0.1:{port}/-/ready", verify=str(folder / "ca.pem")).status_code == 200


def test_a_client_that_never_ends_its_handshake_holds_up_nobody(folder: Path, get: Get) -> None:
    def answered_beside_it(port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port)) as silent:
            answer = get(f"https://127.0.0.1:{port}/-/healthy", verify=str(folder / "ca.pem"))
            assert answer.status_code == 200
            silent.setblocking(False)  # noqa: FBT003 - the library's
            try:
                silent.recv(1)
            except BlockingIOError:
                return True
            return False  # it was given up before: a slow machine, or what answers only then

    with running(folder, TLS) as port:
        end = time.monotonic() + PATIENCE
        while not answered_beside_it(port):
            assert time.monotonic() < end, "nobody is answered while a handshake is open"


def test_a_renewed_certificate_is_shown_without_a_restart(folder: Path, ca: trustme.CA) -> None:
    with running(folder, TLS) as port:
        before = ssl.get_server_certificate(("127.0.0.1", port))
        certify(folder, ca)
        after = ssl.get_server_certificate(("127.0.0.1", port))
        assert before != after
        (folder / "cert.pem").write_text("broken")
        assert ssl.get_server_certificate(("127.0.0.1", port)) == after


def test_a_client_certificate_is_demanded_where_asked_for(folder: Path, ca: trustme.CA, get: Get) -> None:
    web = (
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem, "
        "client_auth_type: RequireAndVerifyClientCert, min_version: TLS13}"
    )
    ca.issue_cert("prometheus@example.org").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "me.pem")
    )
    with running(folder, web) as port:
        url, trusted = f"https://127.0.0.1:{port}/-/healthy", str(folder / "ca.pem")
        assert get(url, verify=trusted, cert=str(folder / "me.pem")).status_code == 200
        with pytest.raises(requests.ConnectionError):
            get(url, verify=trusted)


def test_a_client_certificate_without_an_allowed_name_gets_no_answer(
    folder: Path, ca: trustme.CA, get: Get, capsys: pytest.CaptureFixture[str]
) -> None:
    web = (
        "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem, "
        "client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [prometheus.example.org]}"
    )
    for name in ("prometheus.example.org", "another.example.org"):
        ca.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(folder / f"{name}.pem"))
    with running(folder, web) as port:
        url, trusted = f"https://127.0.0.1:{port}/-/healthy", str(folder / "ca.pem")
        with pytest.raises(requests.ConnectionError):
            get(url, verify=trusted, cert=str(folder / "another.example.org.pem"))
        assert get(url, verify=trusted, cert=str(folder / "prometheus.example.org.pem")).status_code == 200
    written = "".join(capsys.readouterr())
    assert "Traceback" not in written
    assert "[error" not in written
