# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m kernels.sysroot

The libraries of arm64, unpacked in a folder of the cache, which is printed: nothing of another architecture is installed.
"""
import re
import subprocess
import sys

from .images import CACHE, Apt, Unavailable, run

PACKAGES = ("libc6-dev", "libbpf-dev", "libelf-dev", "zlib1g-dev", "libjansson-dev", "libcyaml-dev", "libyaml-dev",
            "libmicrohttpd-dev", "libcurl4-openssl-dev", "libsystemd-dev", "libseccomp-dev")


def suite():
    with open("/etc/os-release", encoding="utf-8") as f:
        found = re.search(r"^VERSION_CODENAME=\"?(\w+)", f.read(), re.M)
    if not found:
        raise Unavailable("this system's release has no name")
    return found[1]


def prepare():
    name = suite()
    folder = CACHE.parent / "arm64" / name
    if (folder / "ready").exists():
        return folder / "root"
    folder.mkdir(parents=True, exist_ok=True)
    apt = Apt(folder / "apt", name, "-oAPT::Architecture=arm64", "-oAPT::Architectures=arm64")
    apt("apt-get", "install", "--download-only", "-y", "--no-install-recommends", *PACKAGES)
    for deb in sorted((folder / "apt/cache/archives").glob("*.deb")):
        run("dpkg-deb", "-x", deb, folder / "root")
    (folder / "ready").touch()
    return folder / "root"


if __name__ == "__main__":
    try:
        print(prepare())
    except (Unavailable, OSError, subprocess.SubprocessError) as error:
        sys.exit(f"sysroot: {error}")
