"""What selects the pods, or the service, finds those of its own release and no others."""

from collections.abc import Callable
from typing import Any

import pytest

Values = dict[str, Any]
Render = Callable[..., list[dict[str, Any]]]

SELECTORS: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {
    "Deployment": lambda spec: spec["selector"]["matchLabels"],
    "Service": lambda spec: spec["selector"],
    "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
    "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
}


@pytest.mark.parametrize(
    "values", [{}, {"nameOverride": "wallets"}, {"fullnameOverride": "balances"}], ids=str
)
def test_every_selector_finds_the_release_s_own_objects_and_no_others(render: Render, values: Values) -> None:
    on = {key: {"enabled": True} for key in ("networkPolicy", "podDisruptionBudget", "serviceMonitor")}
    own, other = ({m["kind"]: m for m in render({**on, **values}, name=name)} for name in ("first", "second"))
    for kind, selector in SELECTORS.items():
        chosen = selector(own[kind]["spec"]).items()
        assert chosen, kind
        assert chosen <= own["Deployment"]["spec"]["template"]["metadata"]["labels"].items(), kind
        assert not chosen <= other["Deployment"]["spec"]["template"]["metadata"]["labels"].items(), kind
    chosen = own["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
    assert chosen <= own["Service"]["metadata"]["labels"].items()
    assert not chosen <= other["Service"]["metadata"]["labels"].items()
