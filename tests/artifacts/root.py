# SPDX-License-Identifier: BSD-2-Clause
"""A minimal system of this machine's release, made once and kept in the cache; a test works in a layer above it."""
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upclose" / "roots"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INCLUDE = ("ca-certificates", "nginx-light", "python3-minimal", "libpython3-stdlib")


def run(*argv, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **options)
    assert not done.returncode, f"{argv}: {(done.stdout + done.stderr)[-3000:]}"
    return done.stdout


def minimal():
    """The folder of the system."""
    suite = re.search(r"^VERSION_CODENAME=\"?(\w+)", Path("/etc/os-release").read_text(encoding="utf-8"), re.M)[1]
    folder = CACHE / suite
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "ready").exists() and (folder / "ready").read_text(encoding="ascii").split() == list(INCLUDE):
            return folder / "root"
        shutil.rmtree(folder / "root", ignore_errors=True)
        mirror = next(u for u in run("apt-get", "indextargets", "--format", "$(REPO_URI)").split() if u.endswith("/debian/"))
        run("debootstrap", "--variant=minbase", f"--include={','.join(INCLUDE)}", f"--keyring={KEYRING}", suite, folder / "root", mirror)
        (folder / "ready").write_text(" ".join(INCLUDE), encoding="ascii")
    return folder / "root"


class Root:
    """Changes stay in the layer. .run() runs a command in it, with /proc, /sys and the network of this host."""

    def __init__(self, path):
        self.path = path

    def run(self, *argv):
        return run("unshare", "-m", "sh", "-c", 'mount --rbind /proc "$0/proc" && mount --rbind /sys "$0/sys" && '
                   'mount --bind /dev "$0/dev" && exec chroot "$0" "$@"', self.path, *argv,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})


@contextlib.contextmanager
def layer(folder):
    lower = minimal()
    # not on an overlay itself, as a container's /tmp may be
    run("mount", "-t", "tmpfs", "none", folder)
    try:
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work", folder / "root")
        shutil.copy("/etc/resolv.conf", folder / "root/etc/resolv.conf")
        shutil.copy("/etc/hosts", folder / "root/etc/hosts")
        yield Root(folder / "root")
    finally:
        subprocess.run(["umount", "-l", folder / "root"], check=False, capture_output=True)
        run("umount", "-l", folder)
