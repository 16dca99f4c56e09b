"""What the schema of an account cannot say: checks across keys, against the definition and the machine.

Each check looks at the raw mapping and passes over what the schema already complained about, so that one
mistake does not hide another.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any

from exporter.config.authorities import authorities
from exporter.config.secret import Secret
from exporter.files import file_signature
from exporter.model import Level
from exporter.providers import Provider
from exporter.providers.definition import Definition
from exporter.schema import durations
from exporter.schema.durations import text as duration_text
from exporter.schema.fields import is_cleartext
from exporter.schema.problems import Location, Problem
from exporter.schema.validation import did_you_mean
from exporter.schema.yaml_document import YamlDocument

FORMS = {"_file": "file", "_env": "env", "": "literal"}
"""How a credential's key may end, and where the secret then is."""

_OFF = ("", "false")
_USUAL_FILE = re.compile(r"[\w -]+\.[A-Za-z0-9]{1,5}")
_USUAL_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?|\{\{.*\}\}|%[A-Za-z_]\w*%")


class AccountCheck:
    """Checks one account of the file at `where`; what is wrong is added to `problems`."""

    def __init__(self, source: YamlDocument, where: Location, folder: Path, problems: list[Problem]) -> None:
        self.source = source
        self.where = where
        self.folder = folder
        self.problems = problems
        self.missing: list[Problem] = []
        self.doubts: list[Problem] = []

    def _complain(self, key: str | Location, message: str) -> None:
        self.problems.append(self._problem(key, message))

    def _problem(self, key: str | Location, message: str) -> Problem:
        inner = (key,) if isinstance(key, str) else key
        return self.source.problem((*self.where, *inner), message)

    def secrets(self, definition: Definition, raw: Mapping[str, Any]) -> dict[str, Secret]:
        """Find each credential that the definition declares, given in exactly one form.

        What cannot be read now from a file or a variable goes into `missing`: it costs this account alone. What looks
        like a mistake and may be a key all the same goes into `doubts`.
        """
        found = {}
        for name in definition.credentials:
            given = [key for key in (f"{name}{form}" for form in FORMS) if key in raw]
            if len(given) != 1:
                problem = "is missing; give" if not given else "is given more than once; give exactly"
                self._complain(
                    given[-1] if given else (), f"{name} {problem} one of {name}_file, {name}_env, {name}"
                )
                continue
            secret = self._secret(given[0], given[0].removeprefix(name), raw[given[0]])
            if secret:
                found[name] = secret
        return found

    def _secret(self, key: str, form: str, value: Any) -> Secret | None:
        if value is None or value == "":
            self._complain(key, "is empty")
            return None
        if not isinstance(value, str):
            self._complain(key, "must be text (a number or true/false needs quotes)")
            return None
        if FORMS[form] == "literal":
            return self._literal(key, value)
        if FORMS[form] == "file":
            secret = Secret(file=self.folder / value, nameless=not _looks_like_a_file(self.folder, value))
            advice = "must be the name of a file; there is no such file"
        else:
            secret = Secret(env=value, nameless=not _USUAL_VARIABLE.fullmatch(value))
            advice = "must be the name of an environment variable, such as API_KEY; there is no such variable"
        if secret.nameless and secret.exists():
            secret = replace(secret, nameless=False)
        try:
            doubt = secret.doubt()
        except ValueError as error:
            told = advice if secret.nameless else str(error)
            self.missing.append(self._problem(key, told + home(value) if FORMS[form] == "file" else told))
        else:
            self._doubt(key, doubt)
        return secret

    def _doubt(self, key: str, text: str) -> None:
        if text:
            self.doubts.append(self._problem(key, text))

    def _literal(self, key: str, value: str) -> Secret:
        secret = Secret(literal=value)
        if _VARIABLE.fullmatch(value):
            self._complain(
                key, f"looks like a variable, which is not replaced here; use {key}_env or {key}_file"
            )
            return secret
        try:
            doubt = secret.doubt()
        except ValueError as error:
            self._complain(key, str(error))
        else:
            self._doubt(key, doubt)
        return secret

    def params(self, definition: Definition, given: Any) -> dict[str, str]:
        """Return every parameter that the request will carry, defaults included."""
        if not isinstance(given, dict):
            return {}
        for name in given:
            if name not in definition.params:
                hint = did_you_mean(name, definition.params) or self._declared(definition)
                self._complain(("params", name), f"unknown parameter{hint}")
        values = {
            name: param.default for name, param in definition.params.items() if param.default is not None
        }
        values |= {name: _param(value) for name, value in given.items() if name in definition.params}
        values = {name: value for name, value in values.items() if not (name in given and value in _OFF)}
        for name, param in definition.params.items():
            if param.required and name not in values:
                self._complain("params", f"{name} is missing: {param.description}")
        for group in definition.exactly_one:
            chosen = [name for name in group if name in values]
            if len(chosen) != 1:
                what = " and ".join(chosen) + " are given" if chosen else "none is given"
                self._complain("params", f"give exactly one of {', '.join(group)}; {what}")
        return values

    @staticmethod
    def _declared(definition: Definition) -> str:
        return (
            f"; this provider has {', '.join(definition.params)}"
            if definition.params
            else "; this provider has none"
        )

    def base_url(self, definition: Definition, raw: Mapping[str, Any]) -> None:
        """Demand a base URL where every installation of the provider has its own; doubt one that is the endpoint's."""
        if definition.needs_base_url and raw.get("base_url") is None:
            self._complain(
                (),
                f"{definition.title} has no host that is right for all; add yours, as base_url: https://...",
            )
        url = str(raw.get("base_url") or "").rstrip("/")
        request = definition.request
        paths = {path.rstrip("/") for path in (request.path, *request.path_with.values())} - {""}
        for path in sorted(path for path in paths if "$" not in path and url.endswith(path)):
            self._doubt(
                "base_url", f"ends with {path}, which every request has after it anyway; leave it out"
            )

    def currency(self, definition: Definition, raw: Mapping[str, Any]) -> None:
        """Demand a currency where the answer gives none, and refuse one that contradicts the definition."""
        given = raw.get("currency")
        if definition.needs_currency and given is None:
            self._complain(
                (), f"{definition.title} does not say its currency; add one, such as currency: EUR"
            )
        fixed = {
            wallet.currency.literal
            for wallet in definition.wallets
            if wallet.currency and wallet.currency.literal
        }
        contradicts = isinstance(given, str) and given.upper() not in fixed
        if fixed and contradicts and not definition.needs_currency:
            self._complain(
                "currency", f"{definition.title} counts in {', '.join(sorted(fixed))}; leave currency out"
            )

    def login(self, definition: Definition, raw: Mapping[str, Any]) -> None:
        """Refuse a base URL for a login that has none of its own, so that `base_url` is that of all requests."""
        own = definition.login and definition.login.base_url
        if "login_base_url" in raw and not own:
            what = "asks all requests at base_url" if definition.login else "has no login"
            self._complain("login_base_url", f"{definition.title} {what}; leave it out")

    def thresholds(self, raw: Mapping[str, Any]) -> None:
        """Demand that a milder level is not below a more severe one."""
        by_wallet = raw.get("wallet_thresholds")
        groups: list[tuple[Location, Any]] = [(("thresholds",), raw.get("thresholds"))]
        if isinstance(by_wallet, dict):
            groups += [(("wallet_thresholds", name), group) for name, group in by_wallet.items()]
        for where, group in groups:
            levels = group if isinstance(group, dict) else {}
            values = [
                (level, amount) for level in Level if (amount := _amount(levels.get(level))) is not None
            ]
            for (milder, high), (severer, low) in pairwise(values):
                if low > high:
                    self._complain((*where, severer.value), f"{severer} ({low}) is above {milder} ({high})")

    def runway(self, given: Any, inherited: Mapping[Level, float]) -> dict[Level, float]:
        """Return the levels of `runway` over the inherited ones; refuse a warning that comes after the critical one."""
        own = {level: seconds for level in Level if (seconds := _seconds(given, level)) is not None}
        merged = {**inherited, **own}
        warning, critical = merged[Level.WARNING], merged[Level.CRITICAL]
        if own and warning < critical:
            severity = Level.CRITICAL if Level.CRITICAL in own else Level.WARNING
            told = f"warning ({duration_text(warning)}) is shorter than critical ({duration_text(critical)})"
            self._complain(("runway", severity.value), f"{told}, so that it would come too late")
        return merged

    def cleartext(self, raw: Mapping[str, Any], *, allowed: bool, proxy_url: str | None) -> None:
        """Refuse a key in clear over a network; `allowed` and `proxy_url` count where the account does not say."""
        leave = raw.get("allow_http")
        if (allowed if leave is None else leave) is not False:
            return
        proxy_url = raw.get("proxy_url") or proxy_url
        urls = {key: str(raw.get(key)) for key in ("base_url", "login_base_url")}
        clear = [key for key, url in urls.items() if is_cleartext(url)]
        for key in clear:
            self._complain(key, "http would send the key in clear; use https, or say allow_http: true")
        by_proxy = isinstance(proxy_url, str) and any(is_cleartext(url, proxy_url) for url in urls.values())
        if by_proxy and not clear:
            told = "the key would go to the proxy in clear; use https or a proxy on this machine"
            self._complain("proxy_url", f"{told}, or say allow_http: true")

    def authorities(self, raw: Mapping[str, Any]) -> None:
        """Refuse authorities that cannot be read."""
        ca_file = raw.get("ca_file")
        if isinstance(ca_file, str) and "\0" in ca_file:
            self._complain("ca_file", "is not the name of a file")
        elif isinstance(ca_file, str) and ca_file:
            path = self.folder / ca_file
            try:
                ssl.create_default_context(cadata=authorities(path))
            except ssl.SSLError:
                self._complain("ca_file", f"the file {path} does not hold PEM certificates")
            except OSError as error:
                self._complain("ca_file", f"the file {path} cannot be read: {error.strerror}{home(ca_file)}")


def home(name: str) -> str:
    """Return what to add to the problem of a file that is not there, where its name begins as in a shell."""
    return "; ~ is not replaced here, write the whole path" if name.startswith("~") else ""


def _looks_like_a_file(folder: Path, value: str) -> bool:
    """Return whether a missing file's name may be shown: it may be a key, and keys have dots and slashes too."""
    head, slash, _ = value.partition("/")
    if not slash:
        return bool(_USUAL_FILE.fullmatch(value))
    return value.isprintable() and (head in ("", ".", "..", "~") or file_signature(folder / head) is not None)


def _seconds(given: Any, level: Level) -> float | None:
    try:
        return durations.parse(given[level]) if isinstance(given, dict) and level in given else None
    except ValueError:
        return None


def _param(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value or False).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _amount(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def credential_keys(provider: Provider | None, raw: Mapping[str, Any]) -> set[str]:
    """List the keys of an account that name its credentials; with an unknown provider, all that look so."""
    if provider:
        return {f"{name}{form}" for name in provider.definition.credentials for form in FORMS}
    return {key for key in raw if key.endswith(("_file", "_env", "_key"))}
