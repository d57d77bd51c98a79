# SPDX-License-Identifier: BSD-2-Clause
"""The image: what it says of itself, and its program as a container has it, with three capabilities and nothing to write to."""
import json
import os
import subprocess
import sys

import pytest

import root
import tree

@pytest.fixture(name="image", scope="module")
def fixture_image():
    tree.make(tree.TOP, "image-all", O=tree.O)
    return tree.TOP / tree.O / "dist/image"


@pytest.fixture(name="unpacked", scope="module")
def fixture_unpacked(image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    os.chmod(folder, 0o755)
    root.run("skopeo", "copy", "--override-arch", "amd64", f"oci:{image}", f"oci:{folder}/one:amd64")
    root.run("umoci", "unpack", "--image", f"{folder}/one:amd64", folder / "bundle")
    return folder / "bundle"


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_what_it_says(image, arch):
    said = json.loads(root.run("skopeo", "inspect", "--override-arch", arch, f"oci:{image}"))
    assert said["Architecture"] == arch and said["Labels"]["org.opencontainers.image.title"] == "upclose"
    assert len(said["Layers"]) == 1
    config = json.loads(root.run("skopeo", "inspect", "--config", "--override-arch", arch, f"oci:{image}"))
    assert config["config"]["Entrypoint"] == ["/upclose"]


def test_it_holds_nothing_else(unpacked):
    files = {str(p.relative_to(unpacked / "rootfs")) for p in (unpacked / "rootfs").rglob("*") if p.is_file()}
    assert files == {"upclose", "etc/passwd", "etc/group", "etc/upclose/upclose.yaml"}


def test_arm64_runs(image, tmp_path):
    """By emulation: recordings are judged as on any other machine."""
    program = tree.TOP / tree.O / "arm64/static/upclose"
    assert "AArch64" in root.run("readelf", "-h", program)
    run = tmp_path / "upclose"
    run.write_text(f'#!/bin/sh\nexec qemu-aarch64-static {program} "$@"\n', encoding="ascii")
    run.chmod(0o755)
    root.run("tests/replay/run.sh", run, cwd=tree.TOP)


def test_three_capabilities_and_nothing_to_write_to(unpacked, tmp_path):
    """The unpacked image as a read-only root: verdicts, and the daemon's metrics."""
    run = tmp_path / "upclose"
    contain = tree.TOP / "tests/harness/contain.py"
    run.write_text(f'#!/bin/sh\nexec {sys.executable} {contain} --root {unpacked}/rootfs bpf,perfmon,sys_ptrace /upclose "$@"\n',
                   encoding="ascii")
    run.chmod(0o755)
    # the run time of BPF programs is what CAP_SYS_ADMIN is for
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "tests/e2e/test_daemon_metrics.py",
                           "tests/e2e/test_translation.py", "-k", "not agent_metrics"], cwd=tree.TOP, capture_output=True, text=True,
                          env={**os.environ, "UPCLOSE": str(run)}, check=False)
    assert not done.returncode, done.stdout[-6000:]
