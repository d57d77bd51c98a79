# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m kernels.sysroot

Debian for arm64, unpacked in folders of the cache: what upclose is cross-built with, and the root of the guests.
Nothing of another architecture is installed. Prints the folder to build with.
"""
import fcntl
import re
import shutil
import subprocess
import sys

from .images import CACHE, Apt, Unavailable, run

BUILD = ("libc6-dev", "libbpf-dev", "libelf-dev", "zlib1g-dev", "libjansson-dev", "libcyaml-dev", "libyaml-dev",
         "libmicrohttpd-dev", "libcurl4-gnutls-dev", "libseccomp-dev",
         "libcap-ng-dev")
GUEST = ("base-files", "base-passwd", "bpftool", "busybox-static", "coreutils", "dash", "iproute2", "libbpf1", "libc-bin",
         "libcap-ng0", "libcurl3-gnutls", "libcyaml1", "libelf1", "libjansson4", "libmicrohttpd12", "libseccomp2", "nginx", "nodejs", "python3",
         "util-linux")
# Debian's packages before 13 have files in both of each pair
MERGED = ("bin", "sbin", "lib")


def suite():
    with open("/etc/os-release", encoding="utf-8") as f:
        found = re.search(r"^VERSION_CODENAME=\"?(\w+)", f.read(), re.M)
    if not found:
        raise Unavailable("this system's release has no name")
    return found[1]


def unpack(packages, root):
    """As they are: no script of any is run."""
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for deb in packages:
        tar = run("dpkg-deb", "--fsys-tarfile", deb)
        run("tar", "-x", "--keep-directory-symlink", "-C", root, input=tar)


def prepare(name, packages):
    """The folder with these packages and all that they depend on; unpacked unless that was done before."""
    folder = CACHE.parent / "arm64" / suite() / name
    folder.mkdir(parents=True, exist_ok=True)
    root, ready = folder / "root", folder / "ready"
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists() and ready.read_text(encoding="ascii").split() == list(packages):
            return root
        ready.unlink(missing_ok=True)
        for part in (root, folder / "apt"):
            shutil.rmtree(part, ignore_errors=True)
        apt = Apt(folder / "apt", suite(), "arm64")
        apt("apt-get", "install", "--download-only", "-y", "--no-install-recommends", *packages)
        unpack(sorted((folder / "apt/cache/archives").glob("*.deb")), root)
        ready.write_text(" ".join(packages), encoding="ascii")
    return root


def build_root():
    return prepare("build", BUILD)


def guest_root():
    root = prepare("guest", GUEST)
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    return root


if __name__ == "__main__":
    try:
        print(build_root())
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"sysroot: {error}")
