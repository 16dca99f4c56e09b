"""A secret is found in an answer however it is written there."""

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from exporter.extract.echoes import contains_secret

SECRETS = ("k", "my-long-key-1", "Zq7/+ =&%s'\"<key>\\")

ODD = SECRETS[2]


@pytest.mark.parametrize(
    ("text", "echoed"),
    [
        ("wallet", False),
        ("K", True),
        ("my-long-key-1 is here", True),
        ("MY-LONG-KEY-1", True),
        ("my-long-key", False),
        ("a & b, 100 % \\ + more", False),
        ("&amp;#x6d;y-long-key-1", True),
        pytest.param(html.escape(ODD), True, id="HTML"),
        pytest.param(html.escape(html.escape(ODD)), True, id="HTML twice"),
        pytest.param("".join(f"&#{ord(sign)};" for sign in ODD), True, id="HTML by number"),
        pytest.param("".join(f"&#X{ord(sign):X};" for sign in ODD), True, id="HTML by hexadecimal number"),
        pytest.param(json.dumps(ODD), True, id="JSON"),
        pytest.param(json.dumps(json.dumps(ODD)), True, id="JSON twice"),
        pytest.param("".join(f"\\u{ord(sign):04x}" for sign in ODD), True, id="JSON by number"),
        pytest.param("".join(f"\\x{ord(sign):02X}" for sign in ODD), True, id="JavaScript"),
        pytest.param(ODD.replace("/", "\\/"), True, id="PHP's JSON"),
        pytest.param(quote(ODD, safe=""), True, id="a URL"),
        pytest.param(quote_plus(ODD).lower(), True, id="a form"),
        pytest.param(html.escape(json.dumps(quote(ODD))), True, id="a URL in JSON in HTML"),
    ],
)
def test_an_echoed_key_is_found_however_it_is_spelt(text: str, echoed: bool) -> None:
    assert contains_secret(text, SECRETS) is echoed


def test_a_trials_short_key_is_not_found_in_every_word() -> None:
    assert not contains_secret("wallet k", ("k",))
    assert contains_secret("K", ("k",))
