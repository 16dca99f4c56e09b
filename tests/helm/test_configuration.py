"""What the pod finds in its volumes is a configuration that the exporter itself loads, without any key."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import helm_python as helm
import pytest
import yaml

from exporter.config import Account, Config, load
from exporter.config.settings import AccountSettings, DefaultSettings, FileSettings
from exporter.providers import built_in, names
from exporter.schema.problems import ConfigurationError

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
Mount = Callable[..., Path]

KEY = "canary-key"
ACCOUNT = {"name": "mall", "provider": "apimall"}


def values_of(*accounts: Manifest, **more: object) -> Manifest:
    return {"existingSecret": "prepaid-keys", "config": {"accounts": list(accounts)}, **more}


def only(config: Config) -> Account:
    (account,) = config.accounts
    return account


def test_the_exporter_loads_the_configuration_of_every_values_file(
    mount: Mount, ci_values: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ci_values["demo"] = {"enabled": False}
    for variable in ci_values.get("extraEnv", []):
        monkeypatch.setenv(variable["name"], KEY)
    written = ci_values.get("config", {}).get("accounts", [])
    for account in written:
        if "ca_file" in account:
            account["ca_file"] = certifi.where()
    accounts = load(mount(ci_values)).accounts
    assert [account.name for account in accounts] == [account["name"] for account in written]
    for account in accounts:
        assert [secret.read() for secret in account.secrets.values()] == [KEY] * len(account.secrets)
        assert account.secrets


def test_what_the_values_say_is_what_the_exporter_reads(mount: Mount) -> None:
    account = {
        **ACCOUNT,
        "timeout": "3s",
        "min_interval": "2m",
        "thresholds": {"warning": 0.1, "critical": -2000000},
        "base_url": "https://eu.gateway.test/v1",
        "topup_url": "https://top.up",
    }
    read = only(load(mount(values_of(account))))
    assert (read.timeout, read.min_interval) == (3.0, 120.0)
    assert {level.value: str(amount) for level, amount in read.thresholds.items()} == {
        "warning": "0.1",
        "critical": "-2000000",
    }
    assert (read.base_url, read.topup_url) == ("https://eu.gateway.test/v1", "https://top.up")


def test_defaults_of_the_chart_reach_an_account_that_says_nothing(mount: Mount) -> None:
    read = only(load(mount(values_of(ACCOUNT))))
    assert (read.timeout, read.min_interval) == (10.0, 30.0)


@pytest.mark.parametrize("name", ["no", "0123", "1e3", "2026-01-01", "~", "a: b", "#1", "é"])
def test_a_name_that_yaml_could_take_for_something_else_stays_a_name(mount: Mount, name: str) -> None:
    account = {**ACCOUNT, "name": name, "secrets": {"api_key": {"key": "mall"}}}
    assert only(load(mount(values_of(account)))).name == name


def test_own_definitions_are_found_by_name(mount: Mount) -> None:
    definition = {
        "title": "In-house",
        "documentation": ["https://wiki.acme.test"],
        "confidence": "observed",
        "credentials": {"user": {"description": "a"}, "password": {"description": "b"}},
        "base_url": "https://wallet.acme.test",
        "request": {"path": "/balance"},
        "auth": {"type": "basic", "username": "${user}", "password": "${password}"},
        "wallets": {"currency": "currency", "balance": {"path": "amount", "scale": 0.01, "required": True}},
    }
    account = {"name": "house", "provider": "inhouse", "secrets": {"user": {}, "password": {}}}
    read = only(load(mount(values_of(account, providers={"inhouse": definition}))))
    assert read.provider.definition.title == "In-house"
    balance = read.provider.definition.wallets[0].balance
    assert balance
    assert str(balance.scale) == "0.01"
    assert {secret.place.split("/secrets/")[1] for secret in read.secrets.values()} == {
        "prepaid-keys/house-user",
        "prepaid-keys/house-password",
    }


def test_credentials_of_an_own_definition_are_expected_in_the_secret_of_all(render: Render) -> None:
    providers: dict[str, Any] = {"inhouse": {"credentials": {"user": {}, "password": {}}}}
    account = {"name": "house", "provider": "inhouse", "user_env": "HOUSE_USER"}
    (text,) = [
        m["data"]["prepaid.yml"]
        for m in render(values_of(account, providers=providers))
        if m["kind"] == "ConfigMap"
    ]
    (read,) = yaml.safe_load(text)["accounts"]
    assert read["password_file"].endswith("/secrets/prepaid-keys/house-password")
    assert {key for key in read if key.startswith("user")} == {"user_env"}


def test_every_built_in_provider_has_its_own_credentials_in_the_secret_of_all(render: Render) -> None:
    known = {name: list(built_in(name).definition.credentials) for name in names()}
    accounts = [{"name": name, "provider": name} for name in known]
    (text,) = [
        m["data"]["prepaid.yml"]
        for m in render(values_of(*accounts))
        if m["kind"] == "ConfigMap" and "data" in m
    ]
    for entry in yaml.safe_load(text)["accounts"]:
        given = {key.removesuffix("_file") for key in entry if key.endswith("_file")}
        assert given == set(known[entry["provider"]]), entry["provider"]


def test_a_variable_may_have_any_name_that_extra_env_gives_it(render: Render) -> None:
    account = {**ACCOUNT, "api_key_env": "mall_key"}
    environment = [{"name": "mall_key", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "mall"}}}]
    rendered = render(values_of(account, extraEnv=environment))
    assert "api_key_env: mall_key" in str(rendered)


def test_many_accounts_share_one_secret_each_with_its_own_entry(mount: Mount) -> None:
    many = [{**ACCOUNT, "name": f"account-{number}"} for number in range(500)]
    places = [
        secret.place.split("/secrets/")[1]
        for account in load(mount(values_of(*many))).accounts
        for secret in account.secrets.values()
    ]
    assert places == [f"prepaid-keys/{account['name']}" for account in many]


def test_a_missing_entry_is_told_with_its_secret_and_its_name(mount: Mount) -> None:
    other = {**ACCOUNT, "name": "other", "secrets": {"api_key": {"name": "gateway", "key": "token"}}}
    with pytest.raises(ConfigurationError) as refusal:
        load(
            mount(values_of(ACCOUNT, other), frozenset({"prepaid-keys/mall", "gateway/token"})),
            secrets_must_be_there=True,
        )
    message = str(refusal.value)
    assert re.search(r"accounts\[0\]\.api_key_file: .*/secrets/prepaid-keys/mall cannot be read", message)
    assert re.search(r"accounts\[1\]\.api_key_file: .*/secrets/gateway/token cannot be read", message)


def test_what_only_the_exporter_can_know_is_told_with_its_path(mount: Mount) -> None:
    accounts: list[dict[str, Any]] = [
        {**ACCOUNT, "provider": "apimal"},
        {"name": "outreach", "provider": "coldmailreseller"},
        {**ACCOUNT, "name": "order", "thresholds": {"warning": 1, "critical": 2}},
    ]
    with pytest.raises(ConfigurationError) as refusal:
        load(mount(values_of(*accounts)))
    message = str(refusal.value)
    assert "accounts[0].provider: unknown provider 'apimal'; did you mean \"apimall\"?" in message
    assert "accounts[1]: " in message
    assert "accounts[2].thresholds.critical" in message


def test_every_key_of_an_account_that_the_exporter_knows_can_be_written(
    chart: helm.Chart, mount: Mount
) -> None:
    examples: Manifest = {
        "name": "mall",
        "provider": "reloadly",
        "params": {},
        "currency": "CREDITS",
        "thresholds": {"critical": 1},
        "wallet_thresholds": {"main": {"critical": 1}},
        "ignore_wallets": ["USD"],
        "runway": {"warning": "7d", "critical": "2d"},
        "timeout": "3s",
        "min_interval": "1m",
        "base_url": "http://gateway.test/v1",
        "login_base_url": "http://login.test",
        "allow_http": True,
        "ca_file": certifi.where(),
        "proxy_url": "http://proxy.test:3128",
        "dashboard_url": "https://a.test",
        "topup_url": "https://b.test/x",
    }
    assert set(examples) == set(AccountSettings.model_fields)
    assert only(load(mount(values_of(examples)))).proxy_url == "http://proxy.test:3128"
    chart_only = {"secrets", "api_key"}
    assert chart.schema
    named = set(chart.schema["$defs"]["account"]["properties"]) - chart_only
    assert named == set(AccountSettings.model_fields) - {"ca_file"}


def test_the_chart_knows_the_sections_of_the_exporter_s_file(chart: helm.Chart) -> None:
    assert chart.schema
    sections = chart.schema["properties"]["config"]["properties"]
    assert set(sections) == set(FileSettings.model_fields) - {"provider_files"}
    assert set(sections["defaults"]["properties"]) == set(DefaultSettings.model_fields)


def test_no_credential_stands_in_a_manifest_of_the_chart(render: Render, ci_values: Manifest) -> None:
    manifests = render(ci_values)
    assert [m["kind"] for m in manifests if m["kind"] == "Secret"] == []
    texts = [m["data"]["prepaid.yml"] for m in manifests if "prepaid.yml" in m.get("data", {})]
    for account in [account for text in texts for account in yaml.safe_load(text)["accounts"]]:
        credentials = set(account) - set(AccountSettings.model_fields)
        assert credentials
        assert all(key.endswith(("_file", "_env")) for key in credentials)


@pytest.mark.parametrize(
    "change",
    [
        {"timeout": "1h30m"},
        {"timeout": "500ms"},
        {"min_interval": "0"},
        {"min_interval": 0},
        {"min_interval": "1d"},
        {"base_url": "http://127.0.0.1:8080"},
        {"base_url": "https://[::1]:8443/a/b"},
        {"base_url": "HTTPS://gateway.test:/"},
        {"dashboard_url": "https://a.test/x?y=1"},
        {"topup_url": "https://a.test/@us#/billing"},
        {"proxy_url": "http://proxy.test:3128/"},
        {"timeout": "86400s"},
        {"currency": "credits"},
        {"wallet_thresholds": {"0123": {"info": 0}}},
    ],
    ids=str,
)
def test_the_chart_refuses_nothing_that_the_exporter_takes(mount: Mount, change: Manifest) -> None:
    assert only(load(mount(values_of({**ACCOUNT, **change})))).name == "mall"
