"""The way that requests go: which authorities are trusted, through which proxy, over which kept connections."""

import ssl
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from urllib3.connection import port_by_scheme

from exporter.config.authorities import authorities
from exporter.schema.fields import is_loopback
from exporter.upstream.connection import POOLS

_KEPT_CONNECTIONS = 1024
_HOSTS = 1024


def environment_proxy(url: str) -> str | None:
    """Give the proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY mean for a URL; None for loopback hosts."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(f"{host}:{parts.port or port_by_scheme[parts.scheme]}"):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def pools(ca_file: str | None, proxy_url: str | None) -> urllib3.PoolManager:
    """Make the pools of one way; `ca_file` None trusts the public authorities.

    Raises OSError when the file cannot be read, and the library's error for a proxy that is none.
    """
    # Loading the authorities for each connection would be slow.
    own = {"cadata": authorities(Path(ca_file))} if ca_file else {"cafile": certifi.where()}
    context = ssl.create_default_context(**own)  # type: ignore[arg-type] # each key has its own type
    if proxy_url is None:
        made = urllib3.PoolManager(_HOSTS, ssl_context=context, maxsize=_KEPT_CONNECTIONS)
    else:
        proxy = urllib3.util.parse_url(proxy_url if "://" in proxy_url else f"http://{proxy_url}")
        user = urllib3.util.make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else None
        made = urllib3.ProxyManager(
            proxy._replace(auth=None).url,
            _HOSTS,
            proxy_headers=user,
            proxy_ssl_context=context,
            ssl_context=context,
            maxsize=_KEPT_CONNECTIONS,
        )
    made.pool_classes_by_scheme = POOLS
    return made
