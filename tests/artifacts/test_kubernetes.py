# SPDX-License-Identifier: BSD-2-Clause
"""The manifests: what kubectl makes of them, and the daemon with the very rights and configuration that they give it."""
import shutil
import subprocess
import sys
import time
import urllib.request

import pytest

import root
import tree

yaml = pytest.importorskip("yaml")
KUBERNETES = tree.TOP / "user/share/kubernetes"


def rendered(folder):
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed, and Debian has none")
    return {o["kind"]: o for o in yaml.safe_load_all(root.run("kubectl", "kustomize", folder))}


def container(objects):
    (found,) = objects["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    return found


def test_rendered():
    objects = rendered(KUBERNETES)
    assert set(objects) == {"Namespace", "ConfigMap", "DaemonSet"}
    spec = objects["DaemonSet"]["spec"]["template"]["spec"]
    assert spec["hostPID"] and not spec["automountServiceAccountToken"]
    assert not any("hostPath" in volume for volume in spec["volumes"])
    assert next(v for v in spec["volumes"] if v["name"] == "config")["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    rights = container(objects)["securityContext"]
    assert rights["capabilities"] == {"drop": ["ALL"], "add": ["BPF", "PERFMON", "SYS_PTRACE"]}
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert container(objects)["image"] == "upclose:0.1.0"


def test_with_the_prometheus_operator(tmp_path):
    shutil.copytree(KUBERNETES, tmp_path / "k")
    with open(tmp_path / "k/kustomization.yaml", "a", encoding="utf-8") as f:
        f.write("components: [podmonitor]\n")
    objects = rendered(tmp_path / "k")
    monitor = objects["PodMonitor"]["spec"]
    labels = objects["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["podMetricsEndpoints"][0]["port"] in {p["name"] for p in container(objects)["ports"]}


def healthy(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                return answer.read() == b"ok\n"
        except OSError:
            time.sleep(0.1)
    return False


def test_the_daemon_runs_so(tmp_path, monkeypatch):
    """Its own configuration and rights, on a port that nothing else has."""
    objects = rendered(KUBERNETES)
    one = container(objects)
    config = tmp_path / "upclose.yaml"
    config.write_text(objects["ConfigMap"]["data"]["upclose.yaml"].replace("0.0.0.0:9502", "127.0.0.1:19512"), encoding="utf-8")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tree.make(tree.TOP, "static", O=tree.O)
    held = ",".join(c.lower() for c in one["securityContext"]["capabilities"]["add"])
    args = [str(config) if a == "/etc/upclose/upclose.yaml" else a for a in one["args"]]
    with subprocess.Popen([sys.executable, tree.TOP / "tests/harness/contain.py", held, tree.TOP / tree.O / "static/upclose", *args],
                          stderr=subprocess.PIPE, text=True) as daemon:
        try:
            assert healthy(19512)
        finally:
            daemon.terminate()
            said = daemon.communicate(timeout=10)[1]
    assert daemon.returncode == 0 and "tracing" in said


def test_compose_gives_the_same_rights():
    service = yaml.safe_load((tree.TOP / "user/share/compose.yaml").read_text(encoding="utf-8"))["services"]["upclose"]
    assert (service["cap_drop"], service["cap_add"]) == (["ALL"], ["BPF", "PERFMON", "SYS_PTRACE"])
    assert service["pid"] == "host" and service["read_only"]
