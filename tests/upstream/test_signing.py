"""The schemes of signatures, each against what its vendor published or an implementation that is not ours."""

from pathlib import Path

import pytest

from exporter.providers import load
from exporter.providers.schemes import SCHEMES
from exporter.upstream import signing
from exporter.upstream.signing import scheme
from exporter.upstream.signing.unsigned import Unsigned
from tests.desk import MakeDesk, MakeUpstream

TENCENT = {
    "secret_id": "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
    "secret_key": "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
}
OVH = {
    "application_key": "fake application key",
    "application_secret": "fake application secret",
    "consumer_key": "fake consumer key",
}
ZADARMA = {"api_key": "test_key_abc123", "api_secret": "test_secret_xyz789"}
SMSGLOBAL = {"api_key": "key-of-bob", "api_secret": "secret-of-bob"}


def test_tencent_s_published_example() -> None:
    body = '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
    headers = {"Content-Type": "application/json; charset=utf-8", "X-TC-Action": "DescribeInstances"}
    request = Unsigned("POST", "https://cvm.tencentcloudapi.com/", headers, body.encode(), 1551113065, "")
    assert scheme("tencent_tc3")(request, TENCENT) == {
        "X-TC-Timestamp": "1551113065",
        "Authorization": "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
    }


@pytest.mark.parametrize("query", ["ImageId={}&RegionId=cn-shanghai", "RegionId=cn-shanghai&ImageId={}"])
def test_alibaba_s_published_example(query: str) -> None:
    image = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
    request = Unsigned(
        "POST",
        f"https://ecs.cn-shanghai.aliyuncs.com/?{query.format(image)}",
        {"x-acs-action": "RunInstances", "X-Acs-Version": "2014-05-26", "Accept": "application/json"},
        b"",
        1698315752,
        "3156853299f313e23d1673dc12e1703d",
    )
    keys = {"access_key_id": "YourAccessKeyId", "access_key_secret": "YourAccessKeySecret"}
    assert scheme("alibaba_acs3")(request, keys) == {
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "Authorization": "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
    }


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (b"", "$1$16ae5ba8c63841b1951575be905867991d5f49dc"),
        (b'{"some": "random", "data": 42}', "$1$9acb1ac0120006d16261a635aed788e83ab172d2"),
    ],
)
def test_the_values_of_the_tests_of_ovh_s_own_client(body: bytes, signature: str) -> None:
    request = Unsigned("METHOD", "https://eu.api.ovh.com/1.0/unit/test", {}, body, 1404395931, "")
    assert scheme("ovh")(request, OVH) == {
        "X-Ovh-Application": "fake application key",
        "X-Ovh-Consumer": "fake consumer key",
        "X-Ovh-Timestamp": "1404395931",
        "X-Ovh-Signature": signature,
    }


@pytest.mark.parametrize(
    ("path", "signature"),
    [
        ("/v1/info/balance/?format=json", "MDFhN2NmYzYyMjY5Yzc2MWUwYTM2ZGY1ZjIxNGZkMjg3MmYzNWRjYw=="),
        (
            "/v1/statistics/?start=2026-09-01&end=2026-09-30&note=a+b&format=json",
            "MmZhYTlhNzE3NzFhMjI4ZTU5ZThmYWVjMjIzYTQ3NzFkMzJhMGZiMA==",
        ),
    ],
)
def test_what_zadarma_s_own_client_signs(path: str, signature: str) -> None:
    request = Unsigned("GET", f"https://api.zadarma.com{path}", {}, b"", 1764201600, "")
    assert scheme("zadarma")(request, ZADARMA) == {"Authorization": f"test_key_abc123:{signature}"}


@pytest.mark.parametrize(
    ("path", "mac"),
    [
        ("/v2/user/credit-balance", "UFTAxARW4pNVP8JJBkx89HIgYNP0bszN406GcZZ9qwc="),
        ("/v2/sms?limit=5", "oQaKapra6MhXuWsHQzaPOa/dci/SLJxEm9S74O24SQQ="),
    ],
)
def test_what_oauthlib_signs_by_the_draft_that_smsglobal_follows(path: str, mac: str) -> None:
    request = Unsigned("GET", f"https://api.smsglobal.com{path}", {}, b"", 1764201600, "f00dcafe")
    assert scheme("smsglobal_mac")(request, SMSGLOBAL) == {
        "Authorization": f'MAC id="key-of-bob", ts="1764201600", nonce="f00dcafe", mac="{mac}"'
    }


@pytest.mark.parametrize(
    "url", ["https://x.example.com", "https://x.example.com:443/", "https://x.example.com/"]
)
def test_the_usual_port_is_not_part_of_the_host(url: str) -> None:
    request = Unsigned("GET", url, {}, b"", 0, "")
    assert (request.host, request.port, request.path) == ("x.example.com", 443, "/")


def test_another_port_and_an_address_are_part_of_the_host() -> None:
    assert Unsigned("GET", "http://127.0.0.1:8080/x", {}, b"", 0, "").host == "127.0.0.1:8080"
    assert Unsigned("GET", "http://[::1]/x", {}, b"", 0, "").host == "[::1]"


def test_every_scheme_has_a_module_and_every_module_a_scheme() -> None:
    modules = {file.stem for file in Path(signing.__file__).parent.glob("*.py")}
    assert modules - {"__init__", "unsigned"} == set(SCHEMES)


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_a_scheme_reads_just_the_credentials_that_it_names(name: str) -> None:
    keys = {key: f"value-of-{key}" for key in SCHEMES[name]}
    request = Unsigned("GET", "https://x.example.com/", {}, b"", 0, "0")
    signed = "".join(scheme(name)(request, keys).values())
    for key in keys:
        assert "".join(scheme(name)(request, {**keys, key: "another"}).values()) != signed
    (secret,) = {"access_key_secret", "application_secret", "api_secret", "secret_key"} & set(keys)
    assert keys[secret] not in signed


def test_the_credentials_of_a_scheme_are_missed_at_load(tmp_path: Path) -> None:
    file = tmp_path / "acme.yml"
    text = """
title: Acme
documentation: []
confidence: observed
credentials: {secret_id: {description: id}}
base_url: https://api.example.com
request: {path: /}
auth: {type: signed, scheme: tencent_tc3}
wallets: {currency: {literal: CNY}, balance: left}
"""
    file.write_text(text)
    assert [str(problem) for problem in load(file)[1]] == [
        f"{file}:5:14: credentials: lacks secret_key, which the scheme tencent_tc3 needs"
    ]
    file.write_text(text.replace("tencent_tc3", "tencent_tc"))
    (problem,) = load(file)[1]
    assert problem.message == (
        'must be one of alibaba_acs3, ovh, smsglobal_mac, tencent_tc3, zadarma; did you mean "tencent_tc3"?'
    )


def test_every_request_is_signed_anew(upstream: MakeUpstream, desk: MakeDesk) -> None:
    server = upstream(lambda peer, _: peer.answer(b'{"balance": 5, "currency": "AUD"}'))
    settings = {"provider": "smsglobal", "base_url": server.url, "api_secret": "secret-of-bob"}
    exporter = desk(sms=settings)
    assert [exporter.metrics().balance("sms") for _ in range(2)] == [5, 5]
    signed = {asked.headers["authorization"] for asked in server.requests}
    assert len(signed) == len(server.requests) == 2
    assert all(header.startswith('MAC id="key-of-sms", ts="') for header in signed)
    assert "secret-of-bob" not in f"{server.requests} {exporter.trace('sms')}"
