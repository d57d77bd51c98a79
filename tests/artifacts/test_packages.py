# SPDX-License-Identifier: BSD-2-Clause
"""Tarball, deb and rpm: what is in them, and their life in a minimal system."""
import json
import re
import shutil
import subprocess

import pytest

import root
import tree


@pytest.fixture(name="dist", scope="module")
def fixture_dist():
    folder = tree.TOP / tree.O / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    for goal in "tarball", "deb", "rpm":
        tree.make(tree.TOP, goal, O=tree.O)
    return folder


def only(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


def test_arm64(tmp_path):
    """Both packages hold the cross-built program, need no library, and say what they are for."""
    for goal in "deb-arm64", "rpm-arm64":
        tree.make(tree.TOP, goal, O=tree.O, DIST=tmp_path / "dist")
    deb, rpm = only(tmp_path / "dist", "*_arm64.deb"), only(tmp_path / "dist", "*.aarch64.rpm")
    assert root.run("dpkg-deb", "-f", deb, "Architecture").strip() == "arm64" and "lib" not in root.run("dpkg-deb", "-f", deb, "Depends")
    assert root.run("rpm", "-qp", "--queryformat", "%{ARCH}", rpm) == "aarch64"
    assert not [need for need in root.run("rpm", "-qp", "--requires", rpm).splitlines() if ".so" in need]
    subprocess.run(["dpkg-deb", "-x", deb, tmp_path / "deb"], check=True)
    (tmp_path / "rpm").mkdir()
    root.run("rpm", "--root", tmp_path / "rpm", "--initdb")
    root.run("rpm", "--root", tmp_path / "rpm", "-i", "--nodeps", "--noscripts", "--ignorearch", rpm)
    for folder in "deb", "rpm":
        program = tmp_path / folder / "usr/sbin/upclose"
        assert int.from_bytes(program.read_bytes()[18:20], "little") == 183  # EM_AARCH64
        assert root.run("qemu-aarch64-static", program, "--version").startswith("upclose ")


def test_tarball(dist, tmp_path):
    tarball = only(dist, "*-linux-*.tar.gz")
    subprocess.run(["tar", "-xzf", tarball, "-C", tmp_path], check=True)
    (folder,) = tmp_path.iterdir()
    assert tarball.name.startswith(folder.name)
    root.run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=folder)
    summed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines()}
    assert summed == {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    said = root.run(folder / "sbin/upclose", "--version").split()
    assert folder.name == "-".join(said)
    for name in ("share/man/man8/upclose.8", "share/bash-completion/completions/upclose", "lib/systemd/system/upclose.service"):
        assert (folder / name).stat().st_size


def test_bill_of_materials(dist, tmp_path):
    subprocess.run(["tar", "-xzf", only(dist, "*-linux-*.tar.gz"), "-C", tmp_path, "--strip-components=1"], check=True)
    doc = json.loads((tmp_path / "share/doc/upclose/upclose.spdx.json").read_text(encoding="utf-8"))
    assert doc["spdxVersion"] == "SPDX-2.3"
    packages = {p["SPDXID"]: p for p in doc["packages"]}
    own = packages["SPDXRef-upclose"]
    assert own["checksums"][0]["checksumValue"] == root.run("sha256sum", tmp_path / "sbin/upclose").split()[0]
    assert {"SPDXRef-libbpf", "SPDXRef-libgnutls", "SPDXRef-libcurl", "SPDXRef-libmicrohttpd", "SPDXRef-libc"} <= set(packages)
    assert all(p["versionInfo"] and p["licenseDeclared"] for p in packages.values())
    linked = {r["relatedSpdxElement"] for r in doc["relationships"] if r["relationshipType"] == "STATIC_LINK"}
    assert linked == set(packages) - {"SPDXRef-upclose"}


def test_lintian(dist):
    root.run("lintian", "--allow-root", "--fail-on", "error,warning", only(dist, "*.changes"))


def older(deb, folder):
    """The same package, as if it were of an earlier version."""
    subprocess.run(["dpkg-deb", "-R", deb, folder / "older"], check=True)
    control = folder / "older/DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 0.0.1", control.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", folder / "older", folder / "older.deb"], check=True, stdout=subprocess.DEVNULL)
    return folder / "older.deb"


def test_deb(dist, tmp_path):
    """Installed, used on a real fault, upgraded with a changed configuration, purged."""
    deb = only(dist, "upclose_*.deb")
    (tmp_path / "layer").mkdir()
    before = older(deb, tmp_path)
    with root.layer(tmp_path / "layer") as system:
        shutil.copy(before, system.path / "tmp/older.deb")
        shutil.copy(deb, system.path / "tmp/upclose.deb")
        shutil.copy(tree.TOP / "user/share/packaging/debian/tests/smoke", system.path / "tmp/smoke")
        system.run("apt-get", "-qq", "update")
        system.run("apt-get", "-qqy", "--no-install-recommends", "install", "/tmp/older.deb")
        assert system.run("id", "-un", "upclose").strip() == "upclose"
        assert '"verdict":"upstream_closed"' in system.run("sh", "/tmp/smoke")

        config = system.path / "etc/upclose/upclose.yaml"
        changed = config.read_text(encoding="utf-8") + "\n# changed\n"
        config.write_text(changed, encoding="utf-8")
        (system.path / "var/lib/upclose").mkdir(exist_ok=True)
        system.run("apt-get", "-qqy", "install", "/tmp/upclose.deb")
        assert "0.0.1" not in system.run("dpkg-query", "-W", "upclose")
        assert config.read_text(encoding="utf-8") == changed

        system.run("apt-get", "-qqy", "purge", "upclose")
        left = [p for d in ("etc", "usr", "lib", "var/lib/upclose") for p in (system.path / d).rglob("*upclose*")]
        assert left == [] and not (system.path / "var/lib/upclose").exists()


def test_rpm(dist, tmp_path):
    """As far as it goes on Debian: what it holds and needs, its scripts, and its program in a root of its own."""
    rpm = only(dist, "*.rpm")
    listed = root.run("rpm", "-qpl", rpm).splitlines()
    assert {"/usr/sbin/upclose", "/usr/share/man/man8/upclose.8", "/usr/lib/systemd/system/upclose.service",
            "/etc/upclose/upclose.yaml"} <= set(listed)
    assert root.run("rpm", "-qpc", rpm).split() == ["/etc/upclose/upclose.yaml"]
    # nothing of the distribution that it was built on
    assert not [need for need in root.run("rpm", "-qp", "--requires", rpm).splitlines() if ".so" in need]
    for script in root.run("rpm", "-qp", "--scripts", rpm).split("scriptlet (using /bin/sh):\n")[1:]:
        subprocess.run(["sh", "-n"], input=script.rpartition("\n")[0] if "scriptlet" in script else script, text=True, check=True)
    system = tmp_path / "root"
    system.mkdir()
    root.run("rpm", "--root", system, "--initdb")
    root.run("rpm", "--root", system, "-i", "--nodeps", "--noscripts", "--ignorearch", rpm)
    assert root.run("chroot", system, "/usr/sbin/upclose", "--version").startswith("upclose ")
    root.run("rpm", "--root", system, "-e", "--nodeps", "--noscripts", "upclose")
    assert not list(system.rglob("usr/sbin/upclose"))
