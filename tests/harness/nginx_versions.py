# SPDX-License-Identifier: BSD-2-Clause
"""nginx of other versions, as other releases of Debian have it, beside the one that is installed.

    python3 -m harness.nginx_versions missing   name the versions that are not there; status 1 if any (in tests/)
    python3 -m harness.nginx_versions install   fetch them with apt

Each is unpacked with its own C library in $UPCLOSE_NGINX_DIR or else ${XDG_CACHE_HOME:-~/.cache}/upclose/nginx, and its
program names its own loader, so that it is called nginx wherever that counts; nothing of them is installed.
"""
import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kernels.images import Apt, Unavailable, run

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
STORE = Path(os.environ.get("UPCLOSE_NGINX_DIR") or CACHE / "upclose" / "nginx")


@dataclass(frozen=True)
class Version:
    name: str
    suite: str
    packages: tuple

    @property
    def program(self):
        return STORE / self.name / "usr" / "sbin" / "nginx"


# 1.18 is before 1.19.10, which raised keepalive_requests and brought keepalive_time; 1.30 has keep-alive by default.
VERSIONS = {v.name: v for v in (
    Version("1.18", "bullseye", ("nginx-light", "libc6", "libcrypt1", "libpcre3", "libssl1.1", "zlib1g")),
    Version("1.30", "forky", ("nginx", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "libzstd1", "zlib1g")),
)}


def nginx(name):
    """The program of this version, or None where it is not there."""
    program = VERSIONS[name].program
    return program if os.access(program, os.X_OK) else None


def missing():
    return [name for name in VERSIONS if not nginx(name)]


def said(program):
    done = subprocess.run([program, "-v"], check=True, capture_output=True, text=True)
    return done.stderr.strip()


def unpack(version, folder):
    apt = Apt(folder / "apt", version.suite, run("dpkg", "--print-architecture").decode().strip())
    apt("apt-get", "download", *version.packages, cwd=folder)
    root = folder / "root"
    for deb in sorted(folder.glob("*.deb")):
        run("dpkg-deb", "-x", deb, root)
    machine = platform.machine()
    libraries = [version.program.parents[2] / part / f"{machine}-linux-gnu" for part in ("usr/lib", "lib")]
    (loader,) = {p.resolve() for p in root.glob(f"**/{machine}-linux-gnu/ld-linux-*.so.*")}
    loader = version.program.parents[2] / loader.relative_to(root.resolve())
    run("patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", ":".join(map(str, libraries)), root / "usr/sbin/nginx")
    shutil.rmtree(STORE / version.name, ignore_errors=True)
    os.rename(root, STORE / version.name)
    if not said(version.program).startswith(f"nginx version: nginx/{version.name}."):
        shutil.rmtree(STORE / version.name)
        raise Unavailable(f"{version.suite} has another version of nginx")


def install():
    """What can be had; the first reason why something cannot."""
    STORE.mkdir(parents=True, exist_ok=True)
    failure = None
    with open(STORE / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in missing():
            with tempfile.TemporaryDirectory(dir=STORE, prefix=".new-") as new:
                try:
                    unpack(VERSIONS[name], Path(new))
                except (Unavailable, OSError, ValueError, subprocess.SubprocessError) as e:
                    failure = failure or f"nginx {name}: {e}"
    return failure


def main(argv):
    if argv == ["missing"]:
        print("\n".join(missing()))
        return 1 if missing() else 0
    if argv == ["install"]:
        failure = install()
        if failure:
            print(f"nginx_versions: {failure}", file=sys.stderr)
        return 1 if failure else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
