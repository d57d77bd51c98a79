# SPDX-License-Identifier: BSD-2-Clause
"""The chart: what helm makes of it, or the libraries that helm is made of, and which values it takes."""
import copy
import json
import os
import shutil
import subprocess

import pytest

import root
import tree
from test_kubernetes import KUBERNETES, container, rendered

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")
CHART = KUBERNETES / "chart"
GO = shutil.which("go") or "/usr/bin/go"


@pytest.fixture(name="renderer", scope="session")
def fixture_renderer(tmp_path_factory):
    if shutil.which("helm"):
        return ["helm", "template", "--namespace", "{namespace}", "{release}", "{chart}", "--values", "{values}"]
    program = tmp_path_factory.mktemp("chart") / "render"
    root.run(GO, "build", "-o", program, tree.TOP / "tests/artifacts/render_chart.go",
             env=os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(program.parent / "cache")})
    return [program, "{release}", "{namespace}", "{chart}", "{values}"]


@pytest.fixture(name="render")
def fixture_render(renderer, tmp_path):
    def render(values=None, release="upclose"):
        file = tmp_path / "values.yaml"
        file.write_text(yaml.safe_dump(values or {}), encoding="utf-8")
        text = root.run(*(str(a).format(release=release, namespace="watch", chart=CHART, values=file) for a in renderer))
        return {o["kind"]: o for o in yaml.safe_load_all(text) if o}
    return render


def spec_of(objects):
    return objects["DaemonSet"]["spec"]["template"]["spec"]


def test_the_manifests_and_the_chart_are_one(render):
    """Rights, probes, volumes and the rest are the same, and so is the configuration."""
    ours, theirs = render(), rendered(KUBERNETES)
    assert set(ours) == {"ConfigMap", "DaemonSet"}
    assert spec_of(ours)["volumes"][0]["configMap"]["name"] == ours["ConfigMap"]["metadata"]["name"] == "upclose"
    assert all(o["metadata"]["namespace"] == "watch" for o in ours.values())
    specs = [copy.deepcopy(spec_of(objects)) for objects in (ours, theirs)]
    for spec in specs:
        spec["volumes"][0].pop("configMap")
        spec["containers"][0].pop("imagePullPolicy", None)
    assert specs[0] == specs[1]
    assert ours["DaemonSet"]["spec"]["updateStrategy"] == theirs["DaemonSet"]["spec"]["updateStrategy"]
    files = [yaml.safe_load(objects["ConfigMap"]["data"]["upclose.yaml"]) for objects in (ours, theirs)]
    assert files[0] == files[1]


def test_selected(render):
    """Of two releases each has its own pods."""
    objects = render({"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}, "podLabels": {"team": "web"}}, release="edge")
    assert {o["metadata"]["name"] for o in objects.values()} == {"edge-upclose"}
    template = objects["DaemonSet"]["spec"]["template"]
    selectors = [objects["DaemonSet"]["spec"]["selector"], objects["PodMonitor"]["spec"]["selector"]]
    for selector in selectors:
        assert selector["matchLabels"]["app.kubernetes.io/instance"] == "edge"
        assert selector["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert template["metadata"]["labels"]["team"] == "web"
    assert objects["PodMonitor"]["metadata"]["labels"]["release"] == "prometheus"
    assert objects["PodMonitor"]["spec"]["podMetricsEndpoints"][0]["port"] == container(objects)["ports"][0]["name"]


def test_configuration(render, tmp_path):
    """The program takes what the values say, at the port that the pod has; another one is another pod."""
    labels = [{"name": "cluster", "value": "eu1"}]
    values = {"port": 9600, "config": {"metrics": {"label": "workload", "series": "seen"}, "labels": labels}}
    objects, plain = render(values), render()
    file = tmp_path / "upclose.yaml"
    file.write_text(objects["ConfigMap"]["data"]["upclose.yaml"], encoding="utf-8")
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert config["metrics"] == {"listen": "0.0.0.0:9600", "page": False, "label": "workload", "series": "seen"}
    assert config["labels"] == labels and config["tracing"] == {"trust_nginx_of": [101]}
    assert container(objects)["ports"][0]["containerPort"] == 9600
    sums = [o["DaemonSet"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for o in (objects, plain)]
    assert sums[0] != sums[1]
    tree.make(tree.TOP, O=tree.O)
    checked = subprocess.run([tree.TOP / tree.O / "upclose", "daemon", "--check-config", "--config", file],
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_words(render):
    """SYS_ADMIN alone is added, and Kubernetes refuses it where privilege may not be gained."""
    rights = container(render({"words": True}))["securityContext"]
    assert rights["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "PERFMON", "SYS_PTRACE", "SYS_ADMIN"]}
    assert rights["allowPrivilegeEscalation"] and rights["readOnlyRootFilesystem"]


def test_where(render):
    values = {"image": {"repository": "registry.example/upclose", "tag": "1"}, "imagePullSecrets": [{"name": "key"}], "priorityClassName": "",
              "nodeSelector": {"ingress": "yes"}, "seccompProfile": {"type": "RuntimeDefault"}}
    objects = render(values)
    spec = spec_of(objects)
    assert container(objects)["image"] == "registry.example/upclose:1"
    assert container(objects)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["imagePullSecrets"] == [{"name": "key"}] and spec["nodeSelector"] == {"ingress": "yes"}
    assert "priorityClassName" not in spec


SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def test_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(DEFAULTS, SCHEMA)
    assert set(DEFAULTS) == set(SCHEMA["properties"]) - {"global"}


@pytest.mark.parametrize("wrong", [
    {"imgae": {}}, {"image": {"repository": ""}}, {"image": {"repository": "a", "pullPolicy": "Sometimes"}}, {"port": 0}, {"port": "9502"},
    {"config": {"metrics": {"listen": "0.0.0.0:1"}}}, {"config": {"traicng": {}}}, {"config": {"labels": [{"name": "a-b", "value": "c"}]}},
    {"words": "yes"}, {"seccompProfile": {"type": "None"}}, {"tolerations": {}}, {"podLabels": {"a": 1}}, {"podMonitor": {"enable": True}}])
def test_wrong_values(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(DEFAULTS | wrong, SCHEMA)


def test_version():
    """Of the program, in the chart as in the manifests."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    makefile = (tree.TOP / "Makefile").read_text(encoding="utf-8")
    assert f"\nVERSION := {chart['appVersion']}\n" in makefile and chart["version"] == chart["appVersion"]
