"""The chart, loaded once and rendered by Helm's own engine; manifests are read as strictly as by clusters."""

import json
import pickle
import subprocess
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils as schemas

FOLDER = "/etc/prepaid-exporter"
Manifest = dict[str, Any]


class Render(Protocol):
    """Renders the chart with values."""

    def __call__(self, values: dict[str, Any], *, name: str = "demo") -> list[Manifest]: ...


class _StrictLoader(yaml.CSafeLoader):
    """Refuses a key that stands twice in a mapping, as the API server does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubles = {key for key in keys if keys.count(key) > 1}
        assert not doubles, f"{doubles} stands twice in the mapping{node.start_mark}"
        return super().construct_mapping(node, deep=deep)


@pytest.fixture(scope="session")
def chart_path(root: Path) -> Path:
    return root / "helm" / "prepaid-exporter"


@pytest.fixture(scope="session")
def chart(chart_path: Path) -> Iterator[helm.Chart]:
    with helm.Chart.load(chart_path) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def render(chart: helm.Chart) -> Render:
    @cache
    def rendered(values: str, name: str) -> bytes:
        texts = chart.render(json.loads(values), name=name, namespace="monitoring")
        manifests = [
            manifest
            for file, text in texts.items()
            if not file.endswith("NOTES.txt")
            for manifest in yaml.load_all(text, Loader=_StrictLoader)
            if manifest
        ]
        return pickle.dumps(manifests)

    def fresh(values: dict[str, Any], *, name: str = "demo") -> list[Manifest]:
        """Return manifests that the test may change, of values that are rendered once for all tests."""
        manifests: list[Manifest] = pickle.loads(rendered(json.dumps(values), name))  # noqa: S301 - our own
        return manifests

    return fresh


@pytest.fixture(scope="session")
def accept_as_kubernetes() -> Iterator[Callable[[Manifest, str], None]]:
    """Demand that Kubernetes of a version takes a manifest; one that was looked at before is not looked at again."""

    @cache
    def look(manifest: str, version: str) -> None:
        kubernetes_validate.validate(json.loads(manifest), version, strict=True)

    with pytest.MonkeyPatch.context() as patch:
        # Else it would read a schema anew for each manifest.
        patch.setattr(schemas, "schema_contents", cache(schemas.schema_contents))
        yield lambda manifest, version: look(json.dumps(manifest, sort_keys=True), version)


@pytest.fixture(scope="session")
def kind(render: Render) -> Callable[..., Manifest]:
    """Return the one manifest of a kind that the chart renders with values."""

    def only(wanted: str, values: dict[str, Any], **options: str) -> Manifest:
        found = [manifest for manifest in render(values, **options) if manifest["kind"] == wanted]
        assert len(found) == 1, f"{len(found)} manifests of kind {wanted}"
        return found[0]

    return only


@pytest.fixture(
    params=sorted((Path(__file__).parents[2] / "helm/prepaid-exporter/ci").glob("*-values.yaml")),
    ids=lambda path: path.name.removesuffix("-values.yaml"),
)
def ci_values(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return each of the values files that the chart is tried with."""
    values: dict[str, Any] = helm.values_from_yaml(request.param.read_text(encoding="utf-8"))
    return values


@pytest.fixture
def mount(render: Render, tmp_path: Path) -> Callable[..., Path]:
    """Fill a folder as the kubelet fills the configuration volume; every secret holds the same key.

    Secrets that `missing` names as SECRET/ENTRY do not exist. Paths in the configuration lead to the folder.
    """

    def mounted(values: Manifest, missing: frozenset[str] = frozenset()) -> Path:
        manifests = render(values)
        (deployment,) = [m for m in manifests if m["kind"] == "Deployment"]
        (volume,) = [v for v in deployment["spec"]["template"]["spec"]["volumes"] if v["name"] == "config"]
        data = {m["metadata"]["name"]: m.get("data", {}) for m in manifests if m["kind"] == "ConfigMap"}
        for source in volume["projected"]["sources"]:
            for item in next(iter(source.values()))["items"]:
                if "secret" in source and f"{source['secret']['name']}/{item['key']}" in missing:
                    continue
                text = "canary-key" if "secret" in source else data[source["configMap"]["name"]][item["key"]]
                file = tmp_path / item["path"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text.replace(FOLDER, str(tmp_path)), encoding="utf-8")
        return tmp_path / "prepaid.yml"

    return mounted


@pytest.fixture
def discovered(tool: Callable[[str], str], tmp_path: Path) -> Callable[[Manifest], list[dict[str, str]]]:
    """Return the labels of the targets that Prometheus makes of a scrape configuration of static targets."""

    def found(scrape: Manifest) -> list[dict[str, str]]:
        names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
        rules = [{names.get(key, key): value for key, value in r.items()} for r in scrape["relabel_configs"]]
        file = tmp_path / "prometheus.yml"
        config = {"scrape_configs": [{**scrape, "relabel_configs": rules}]}
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [tool("promtool"), "check", "service-discovery", str(file), str(scrape["job_name"])]
        # It takes all the time that it is given, and finds what it found by then.
        for seconds in (1, 5, 60):
            given = [*command, f"--timeout={seconds}s"]
            result = subprocess.run(given, capture_output=True, text=True, check=True)
            if targets := yaml.safe_load(result.stdout):
                return [target["labels"] for target in targets]
        return []

    return found
