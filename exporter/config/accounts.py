"""The operator's file as accounts that can be asked; finds everything that is wrong with it at once."""

import errno
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import glob
from pathlib import Path
from typing import Any

from exporter import providers
from exporter.config.checks import AccountCheck, credential_keys, home
from exporter.config.indentation import forgotten
from exporter.config.placeholders import PLACEHOLDER, advice, placeholders
from exporter.config.secret import Secret
from exporter.config.settings import AccountSettings, DefaultSettings, FileSettings
from exporter.model import Level, Thresholds, Wallet
from exporter.providers import Provider
from exporter.schema.problems import ConfigurationError, Location, Problem, dotted
from exporter.schema.validation import did_you_mean, unknown_key, validate
from exporter.schema.yaml_document import YamlDocument, read

RUNWAY: Mapping[Level, float] = {Level.WARNING: 3 * 86400.0, Level.CRITICAL: 86400.0}
"""How long the money must last, in seconds by level, where nobody says otherwise."""

MIN_INTERVAL = 30.0
"""How old, in seconds, an answer may be that is used again, where neither file nor definition says it."""

_WILD = re.compile(r"[*?[]")
_MAPPINGS = ("params", "thresholds", "wallet_thresholds", "runway")


@dataclass(frozen=True)
class Account:
    """One account, complete: defaults applied, every key checked. Durations are in seconds."""

    name: str
    provider: Provider
    secrets: Mapping[str, Secret]
    params: Mapping[str, str]
    base_url: str
    timeout: float
    min_interval: float
    currency: str | None = None
    thresholds: Thresholds = field(default_factory=dict)
    wallet_thresholds: Mapping[str, Thresholds] = field(default_factory=dict)
    ignore_wallets: tuple[str, ...] = ()
    runway: Mapping[Level, float] = field(default_factory=lambda: RUNWAY)
    ca_file: str | None = None
    proxy_url: str | None = field(default=None, repr=False)
    login_base_url: str = ""
    dashboard_url: str = ""
    topup_url: str = ""

    def ignores(self, wallet: Wallet) -> bool:
        """Return whether the operator leaves a wallet out, by its id or its currency."""
        return any(name == wallet.id or name.upper() == wallet.currency for name in self.ignore_wallets)

    def same_request_as(self, other: "Account") -> bool:
        """Return whether both have the same request, so that an answer to one is good for the other."""
        return self == replace(
            other,
            thresholds=self.thresholds,
            wallet_thresholds=self.wallet_thresholds,
            runway=self.runway,
            timeout=self.timeout,
            min_interval=self.min_interval,
            dashboard_url=self.dashboard_url,
            topup_url=self.topup_url,
        )

    def same_customer_as(self, other: "Account") -> bool:
        """Return whether both are one customer to the provider: the same credentials at the same place."""
        return (self.provider.name, self.base_url, self.login_base_url, self.secrets) == (
            other.provider.name,
            other.base_url,
            other.login_base_url,
            other.secrets,
        )


@dataclass(frozen=True)
class Config:
    """The running configuration.

    `missing` says by account which of its secrets could not be read when the configuration was loaded, `doubts` what
    of an account looks like a mistake and may be right all the same.
    """

    file: str
    accounts: tuple[Account, ...]
    missing: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    doubts: Mapping[str, Sequence[Problem]] = field(default_factory=dict)


def load(path: Path, *, secrets_must_be_there: bool = False) -> Config:
    """Read and check a configuration; raise `ConfigurationError` with every problem in it.

    A secret that cannot be read costs its account alone, so that it is a problem only where `secrets_must_be_there`.
    """
    try:
        source = read(path)
    except ConfigurationError as error:
        raise ConfigurationError([_where_else(path, problem) for problem in error.problems]) from None
    if not isinstance(source.data, dict):
        what = "is empty; it needs" if source.data is None else "must be a mapping with"
        raise ConfigurationError([source.problem((), f"{what} the key accounts")])
    loader = _Loader(path, source)
    config = loader.config()
    replaced = list(_placeholders(source))
    others = [*loader.problems, *(loader.missing_secrets() if secrets_must_be_there else [])]
    # What else is wrong with such a value does not help the operator.
    places = {(problem.file, problem.path) for problem in replaced}
    problems = replaced + [problem for problem in others if (problem.file, problem.path) not in places]
    if problems:
        raise ConfigurationError(problems)
    return config


def own_definitions(path: Path) -> dict[str, Path]:
    """Return the files that a configuration's `provider_files` names, by the provider's name.

    Nothing else of the configuration has to be right; raise `ConfigurationError` where it cannot be read at all.
    """
    data = read(path).data
    patterns = data.get("provider_files") if isinstance(data, dict) else None
    texts = [one for one in patterns if isinstance(one, str)] if isinstance(patterns, list) else []
    return {file.stem: file for text in texts for file in _matches(path.parent, text) or ()}


def _where_else(path: Path, problem: Problem) -> Problem:
    """Add to a problem where a missing file was looked for, and how to name another."""
    if not problem.message.endswith(os.strerror(errno.ENOENT)):
        return problem
    folder = "" if path.is_absolute() else f" in {Path.cwd()}"
    return replace(problem, message=f"{problem.message}{folder}; --config.file names another file")


def _placeholders(source: YamlDocument) -> Iterator[Problem]:
    for where, shown in placeholders(source.data):
        key = str(where[-1])
        of_account = len(where) == len(("accounts", 0, key)) and where[0] == "accounts"
        what = advice(key, credential=of_account and key not in AccountSettings.model_fields)
        told = f"holds {shown}, which is not replaced here; {what}"
        yield source.problem(where, told, at_key=bool(PLACEHOLDER.search(key)))


class _Loader:
    def __init__(self, path: Path, source: YamlDocument) -> None:
        self.path = path
        self.source = source
        self.problems: list[Problem] = []
        self.own: dict[str, Provider] = {}
        self.unusable: set[str] = set()
        self.matchless: list[str] = []
        self.missing: dict[int, list[Problem]] = {}
        self.doubts: dict[int, list[Problem]] = {}

    def missing_secrets(self) -> Iterator[Problem]:
        for problems in self.missing.values():
            yield from problems

    def config(self) -> Config:
        data = self._indented(self.source.data, (), ("defaults",), FileSettings.model_fields)
        raw = data.get("accounts")
        if isinstance(raw, dict):
            self._complain(("accounts",), "must be a list; begin each account with `- name:`")
        if isinstance(raw, list | dict):
            data["accounts"] = []
        settings, problems = validate(FileSettings, data, self.source)
        self.problems += problems
        patterns = data.get("provider_files")
        self._load_own(patterns if isinstance(patterns, list) else [])
        defaults = settings.defaults if settings else DefaultSettings()
        runway = self._check_defaults(data.get("defaults"))
        accounts = [
            self._account(index, item, defaults, runway)
            for index, item in enumerate(raw if isinstance(raw, list) else [])
        ]
        if isinstance(raw, list):
            self._refuse_doubles(raw)
        by_account = [
            {
                account.name: told[index]
                for index, account in enumerate(accounts)
                if account and told.get(index)
            }
            for told in (self.missing, self.doubts)
        ]
        return Config(str(self.path), tuple(account for account in accounts if account), *by_account)

    def _check_defaults(self, raw: Any) -> Mapping[Level, float]:
        """Check what the schema of the defaults cannot say; return the runway of accounts without their own."""
        if not isinstance(raw, dict):
            return RUNWAY
        check = AccountCheck(self.source, ("defaults",), self.path.parent, self.problems)
        check.authorities(raw)
        return check.runway(raw.get("runway"), RUNWAY)

    def _load_own(self, patterns: list[Any]) -> None:
        read: dict[str, Path] = {}
        for index, pattern in enumerate(patterns):
            if not isinstance(pattern, str):
                continue
            where: Location = ("provider_files", index)
            files = _matches(self.path.parent, pattern)
            if files is None:
                self._complain(where, f"no file matches {pattern!r}{home(pattern)}")
            elif not files:
                self.matchless.append(repr(pattern))
            for file in files or ():
                if read.setdefault(file.stem, file) is file:
                    self._load_definition(file, where)
                elif read[file.stem].resolve() != file.resolve():
                    self._complain(where, f"{file} and {read[file.stem]} have the same name; rename one")

    def _load_definition(self, file: Path, where: Location) -> None:
        if file.stem in providers.names():
            self._complain(
                where, f"{file.name} has the name of a built-in provider; give the file another name"
            )
        provider, problems = providers.load(file)
        self.problems += problems
        if provider:
            self.own[file.stem] = provider
        else:
            self.unusable.add(file.stem)

    def _refuse_doubles(self, raw: list[Any]) -> None:
        first: dict[str, int] = {}
        for index, item in enumerate(raw):
            name = item.get("name") if isinstance(item, dict) else None
            if isinstance(name, str) and first.setdefault(name, index) != index:
                self._complain(
                    ("accounts", index, "name"), f"{name!r} is already the name of accounts[{first[name]}]"
                )

    def _indented(
        self, raw: Mapping[str, Any], where: Location, mappings: Collection[str], known: Collection[str]
    ) -> dict[str, Any]:
        """Return `raw` as it was meant where keys are not indented under the one above them, and note the problem."""
        meant = dict(raw)
        for key, inner in forgotten(raw, mappings, known):
            names = ", ".join(dotted((name,)) for name in inner)
            self._complain((*where, key), f"has no value; indent what belongs to it further: {names}")
            meant[key] = {name: meant.pop(name) for name in inner}
        return meant

    def _indented_account(
        self, raw: Mapping[str, Any], where: Location, known: Collection[str]
    ) -> dict[str, Any]:
        meant = self._indented(raw, where, _MAPPINGS, known)
        by_wallet = meant.get("wallet_thresholds")
        if isinstance(by_wallet, dict):
            wallets = {name for name, levels in by_wallet.items() if isinstance(levels, dict | None)}
            meant["wallet_thresholds"] = self._indented(
                by_wallet, (*where, "wallet_thresholds"), wallets, wallets
            )
        return meant

    def _complain(self, location: Location, message: str) -> None:
        self.problems.append(self.source.problem(location, message))

    def _account(
        self, index: int, raw: Any, defaults: DefaultSettings, runway: Mapping[Level, float]
    ) -> Account | None:
        where: Location = ("accounts", index)
        if not isinstance(raw, dict):
            self._complain(where, "must be a mapping of keys to values")
            return None
        provider = self._provider(raw.get("provider"), where)
        credentials = credential_keys(provider, raw)
        known = {*AccountSettings.model_fields, *credentials}
        raw = self._indented_account(raw, where, known)
        for key in raw:
            # A broken definition does not say what its credentials are called.
            if key not in known and (
                str(raw.get("provider")) not in self.unusable or did_you_mean(key, known)
            ):
                self.problems.append(self._unknown(key, where, known, provider))
        plain = {key: value for key, value in raw.items() if key in AccountSettings.model_fields}
        settings, problems = validate(AccountSettings, plain, self.source, where)
        self.problems += problems
        check = AccountCheck(self.source, where, self.path.parent, self.problems)
        secrets = check.secrets(provider.definition, raw) if provider else {}
        self.missing[index], self.doubts[index] = check.missing, check.doubts
        params = check.params(provider.definition, raw.get("params", {})) if provider else {}
        check.thresholds(raw)
        runway = check.runway(raw.get("runway"), runway)
        check.cleartext(raw, allowed=defaults.allow_http, proxy_url=defaults.proxy_url)
        check.authorities(raw)
        if provider:
            check.currency(provider.definition, raw)
            check.base_url(provider.definition, raw)
            check.login(provider.definition, raw)
        if settings is None or provider is None:
            return None
        account = _complete(settings, provider, secrets, params, defaults, self.path.parent)
        return replace(account, runway=runway)

    def _unknown(
        self, key: str, where: Location, known: Collection[str], provider: Provider | None
    ) -> Problem:
        if provider and key in provider.definition.params:
            told = f"is a parameter of this provider; write params: {{{key}: ...}}"
            return self.source.problem((*where, key), told, at_key=True)
        return unknown_key(self.source, (*where, key), known)

    def _provider(self, name: Any, where: Location) -> Provider | None:
        if not isinstance(name, str) or name in self.unusable:
            return None
        if name in self.own:
            return self.own[name]
        if name in providers.names():
            return providers.built_in(name)
        self._complain((*where, "provider"), f"unknown provider {name!r}{self._meant(name)}")
        return None

    def _meant(self, name: str) -> str:
        if known := providers.alias(name):
            return f'; did you mean "{known}"?'
        if near := did_you_mean(name, {*providers.names(), *self.own}, providers.ALIKE):
            return near
        if self.matchless:
            return f"; no file matches {' or '.join(self.matchless)} of provider_files"
        return "; `prepaid-exporter providers` lists them"


def _matches(folder: Path, pattern: str) -> list[Path] | None:
    """List the files that a pattern names, relative to `folder` unless it is absolute; folders are not files.

    As in Prometheus' own files, a pattern may have nothing to match yet; None where a plain name has no file. As in a
    shell, a star matches nothing that begins with a dot: editors keep such files beside their own, and Kubernetes
    the folders that its links lead to.
    """
    names = glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - a path's own finds what is hidden too
    found = (folder / name for name in names)
    files = sorted(file for file in found if not file.is_dir())
    return files if files or _WILD.search(pattern) else None


def _complete(  # noqa: PLR0913 - one place puts an account together
    settings: AccountSettings,
    provider: Provider,
    secrets: Mapping[str, Secret],
    params: Mapping[str, str],
    defaults: DefaultSettings,
    folder: Path,
) -> Account:
    definition = provider.definition
    ca_file = settings.ca_file or defaults.ca_file
    return Account(
        name=settings.name,
        provider=provider,
        secrets=secrets,
        params=params,
        base_url=settings.base_url or definition.base_url,
        login_base_url=settings.login_base_url or (definition.login and definition.login.base_url) or "",
        timeout=defaults.timeout if settings.timeout is None else settings.timeout,
        min_interval=next(
            one
            for one in (settings.min_interval, defaults.min_interval, definition.min_interval, MIN_INTERVAL)
            if one is not None
        ),
        currency=settings.currency,
        thresholds=settings.thresholds,
        wallet_thresholds=settings.wallet_thresholds,
        ignore_wallets=tuple(settings.ignore_wallets),
        ca_file=str(folder / ca_file) if ca_file else None,
        proxy_url=settings.proxy_url or defaults.proxy_url,
        dashboard_url=settings.dashboard_url or definition.dashboard_url or "",
        topup_url=settings.topup_url or definition.topup_url or "",
    )
