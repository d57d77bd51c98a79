# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernels: fetched by the machine's own package client, kept and unpacked outside the tree.

UPCLOSE_KERNELS names the folder; $XDG_CACHE_HOME/upclose/kernels otherwise.
"""
import fcntl
import os
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(os.environ.get("UPCLOSE_KERNELS") or
             Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upclose" / "kernels")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# setup_header of Documentation/x86/boot.rst
SETUP_SECTORS, PAYLOAD = 0x1F1, 0x248
UNPACK = {b"\x1f\x8b": ["gzip", "-dc"], b"\xfd7zXZ\0": ["xz", "-dc"], b"\x28\xb5\x2f\xfd": ["zstd", "-dc"],
          b"\x02\x21\x4c\x18": ["lz4", "-dc"]}


class Unavailable(Exception):
    """The kernel cannot be had from here; the message says why."""


@dataclass(frozen=True)
class Kernel:
    name: str
    suite: str
    required: bool = False
    arch: str = "amd64"
    refused: tuple = ()  # plans that it has all types for and yet cannot do

    @property
    def folder(self):
        return CACHE / self.name

    @property
    def image(self):
        """What qemu boots; of amd64 the ELF file with the kernel's BTF."""
        return self.folder / "vmlinux"

    @property
    def release(self):
        return (self.folder / "release").read_text(encoding="ascii").strip()


KERNELS = (
    Kernel("5.10", "bullseye-security"),
    Kernel("6.1", "bookworm-security", required=True),
    Kernel("6.12", "trixie-security", required=True),
    Kernel("newest", "trixie-backports"),
    # trampolines of arm64 attach to functions since 6.4
    Kernel("6.1-arm64", "bookworm-security", arch="arm64", refused=("fentry",)),
    Kernel("6.12-arm64", "trixie-security", arch="arm64"),
)


def run(*argv, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, check=False, **options)
    if done.returncode:
        raise Unavailable(f"{argv[0]}: {done.stderr.decode(errors='replace').strip()[-300:] or done.returncode}")
    return done.stdout


def mirror(suite):
    """The archive that this machine's apt is set up for, which has every suite."""
    uris = sorted(set(run("apt-get", "indextargets", "--format", "$(REPO_URI)").decode().split()))
    security = [u for u in uris if "security" in u]
    main = [u for u in uris if "security" not in u]
    found = security if suite.endswith("-security") else main
    if not found:
        raise Unavailable(f"apt has no archive for {suite}")
    return found[0]


class Apt:
    """apt's client with lists and state of its own: the machine's configuration is not touched."""

    def __init__(self, folder, suite, arch):
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror(suite)} {suite} main\n", encoding="ascii")
        self.options = ["-qq", f"-oDir::State::Lists={folder}/lists", f"-oDir::State::status={folder}/status",
                        f"-oDir::Cache={folder}/cache", f"-oDir::Etc::sourcelist={folder}/sources.list",
                        "-oDir::Etc::sourceparts=/dev/null", "-oAcquire::Languages=none", "-oAPT::Sandbox::User=root",
                        f"-oAPT::Architecture={arch}", f"-oAPT::Architectures={arch}"]
        self("apt-get", "update")

    def __call__(self, tool, *args, **options):
        return run(tool, *self.options, *args, **options)

    def depends(self, package, pattern):
        text = self("apt-cache", "depends", "--no-recommends", "--no-suggests", package).decode()
        return [p for p in re.findall(r"Depends: (\S+)", text) if re.match(pattern, p)]


def download(kernel, folder):
    apt = Apt(folder / "apt", kernel.suite, kernel.arch)
    meta = f"linux-image-cloud-{kernel.arch}"
    images = apt.depends(meta, r"linux-image-[0-9]")
    if not images:
        raise Unavailable(f"{kernel.suite} has no {meta}")
    # since 6.19 image and modules are packages of their own
    parts = apt.depends(images[0], r"linux-(binary|modules)-[0-9]") or images[:1]
    apt("apt-get", "download", *parts, cwd=folder)


def elf_of(image):
    """The ELF file within a bzImage: it boots faster, and its BTF can be read."""
    data = image.read_bytes()
    offset, size = struct.unpack_from("<II", data, PAYLOAD)
    start = ((data[SETUP_SECTORS] or 4) + 1) * 512 + offset
    payload = data[start:start + size]
    command = next((c for magic, c in UNPACK.items() if payload.startswith(magic)), None)
    if not command:
        raise Unavailable(f"{image.name} is packed in an unknown way")
    # all but gzip have the unpacked size behind them, which their tools take for garbage
    done = subprocess.run(command, input=payload if command[0] == "gzip" else payload[:-4], capture_output=True, check=False)
    if not done.stdout.startswith(b"\x7fELF"):
        raise Unavailable(f"{image.name}: {command[0]} found no kernel: {done.stderr.decode()[-200:]}")
    return done.stdout


def unpack(kernel):
    folder = kernel.folder
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for deb in sorted(folder.glob("*.deb")):
        run("dpkg-deb", "-x", deb, tree)
    (image,) = [p for p in tree.rglob("vmlinuz*") if p.is_file()][:1]
    (modules,) = (p for p in tree.glob("**/lib/modules/*") if p.is_dir())
    if not (tree / "lib").exists():
        (tree / "lib").symlink_to("usr/lib")
    run("depmod", "-b", tree, modules.name)
    # arm64's Image is not packed
    kernel.image.write_bytes(elf_of(image) if kernel.arch == "amd64" else image.read_bytes())
    (folder / "release").write_text(modules.name + "\n", encoding="ascii")


def prepare(kernel):
    """Fetch and unpack, unless that was done before; Unavailable says why not."""
    folder = kernel.folder
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "ready").exists():
            return
        if not list(folder.glob("*.deb")):
            download(kernel, folder)
        unpack(kernel)
        (folder / "ready").touch()
