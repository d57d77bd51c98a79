# SPDX-License-Identifier: BSD-2-Clause
"""One command in a guest on another kernel, by qemu's emulation: no KVM is needed, and about ten times slower.

The guest sees this machine's root, or one of its own architecture, with a scratch layer above it, and the folder
`share` for reading and writing at its own path; of the network only loopback. Its first process is a shell, or systemd
without the services of this machine.
"""
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import sysroot

HERE = Path(__file__).resolve().parent
# the file systems that the guest's root is made of, and TUN for links with a delay
MODULES = ("virtio_pci", "fuse", "virtiofs", "overlay", "tun")
MEMORY_MIB = 1536
QEMU = {
    "amd64": ["qemu-system-x86_64", "-machine", "pc,memory-backend=mem,usb=off,vmport=off"],
    "arm64": ["qemu-system-aarch64", "-machine", "virt,memory-backend=mem", "-cpu", "cortex-a57"],
}
CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}
UNPACK = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-qdc"], ".gz": ["gzip", "-dc"]}


class GuestError(Exception):
    """The guest died, or took too long; the message has the end of its console."""


def newc(files):
    """An initramfs out of (path, mode, bytes): Documentation/driver-api/early-userspace/buffer-format.rst."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*files, ("TRAILER!!!", 0, b"")]):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def module_files(kernel):
    """(name, bytes) of the modules in the order in which they are loaded."""
    files = {}
    for module in MODULES:
        # what is built in is no module, and not shown
        shown = subprocess.run(["modprobe", "-d", kernel.folder / "tree", "-S", kernel.release, "--show-depends", module],
                               capture_output=True, text=True, check=False).stdout
        for line in shown.splitlines():
            word, _, path = line.strip().partition(" ")
            if word == "insmod":
                path = Path(path.split()[0])
                data = path.read_bytes()
                if path.suffix in UNPACK:
                    data = subprocess.run(UNPACK[path.suffix], input=data, capture_output=True, check=True).stdout
                files.setdefault(path.name.partition(".ko")[0] + ".ko", data)
    return list(files.items())


def guest_root(kernel):
    return Path("/") if kernel.arch == "amd64" else sysroot.guest_root()


def initramfs(kernel, root, job):
    folder, executable, plain = 0o040755, 0o100755, 0o100644
    modules = module_files(kernel)
    busybox = (root / "bin/busybox").read_bytes()
    order = "".join(f"{name}\n" for name, _ in modules).encode()
    return newc([("bin", folder, b""), ("modules", folder, b""), ("bin/busybox", executable, busybox),
                 ("init", executable, (HERE / "init.sh").read_bytes()), ("run.sh", plain, (HERE / "run.sh").read_bytes()),
                 ("guest.service", plain, (HERE / "guest.service").read_bytes()),
                 ("job", plain, job.encode()), ("modules/order", plain, order),
                 *((f"modules/{name}", plain, data) for name, data in modules)])


def virtiofsd():
    for path in ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"):
        if os.access(path, os.X_OK):
            return path
    raise GuestError("there is no virtiofsd")


@contextlib.contextmanager
def served(folder, socket, cache):
    """A folder for the guest, by either of the two virtiofsd that Debian has had."""
    program = virtiofsd()
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    if "--shared-dir" in shown.stdout + shown.stderr:
        options = [f"--shared-dir={folder}", f"--cache={cache}", "--sandbox=chroot"]
    else:
        options = ["-o", f"source={folder},sandbox=chroot,cache={cache}"]
    child = subprocess.Popen([program, f"--socket-path={socket}", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while not os.path.exists(socket):
            if child.poll() is not None or time.monotonic() > end:
                raise GuestError(f"{program} did not start")
            time.sleep(0.02)
        yield
    finally:
        child.terminate()
        child.wait()


def qemu(kernel, scratch, smp):
    console = f"console={CONSOLE[kernel.arch]} quiet panic=-1 oops=panic mitigations=off random.trust_cpu=on tsc=unstable"
    accel = "kvm" if os.environ.get("UPCLOSE_KVM") == "1" and kernel.arch == "amd64" else "tcg,tb-size=256"
    argv = [*QEMU[kernel.arch], "-accel", accel, "-smp", str(smp), "-m", str(MEMORY_MIB), "-nodefaults",
            "-no-user-config", "-icount", "shift=2", "-display", "none", "-nic", "none", "-no-reboot", "-rtc", "base=utc",
            "-object", f"memory-backend-memfd,id=mem,size={MEMORY_MIB}M,share=on",
            "-kernel", str(kernel.image), "-initrd", f"{scratch}/initramfs", "-append", console,
            "-chardev", f"file,id=console,path={scratch}/console", "-serial", "chardev:console",
            "-device", "virtio-rng-pci"]
    for tag in ("root", "share"):
        argv += ["-chardev", f"socket,id={tag},path={scratch}/{tag}.sock",
                 "-device", f"vhost-user-fs-pci,queue-size=256,chardev={tag},tag={tag}"]
    return argv


def boot_once(kernel, command, share, out, smp, timeout, systemd):
    for name in ("begun", "status", "output"):
        (out / name).unlink(missing_ok=True)
    job = f"SHARE={shlex.quote(str(share))}\nOUT={shlex.quote(str(out))}\nRUN={shlex.quote(command)}\nSYSTEMD={int(systemd)}\n"
    root = guest_root(kernel)
    with tempfile.TemporaryDirectory(prefix="upclose-guest-") as scratch:
        (Path(scratch) / "initramfs").write_bytes(initramfs(kernel, root, job))
        with served(root, f"{scratch}/root.sock", "always"), served(share, f"{scratch}/share.sock", "auto"):
            argv = ["setpriv", "--pdeathsig", "TERM", *qemu(kernel, scratch, smp)]
            with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
                try:
                    _, errors = child.communicate(timeout=timeout)
                except subprocess.TimeoutExpired:
                    child.kill()
                    _, errors = child.communicate()
                    errors = f"not done within {timeout} s".encode() + errors
        if (out / "status").exists():
            return int((out / "status").read_text(encoding="ascii"))
        console = Path(f"{scratch}/console")
        text = console.read_text(encoding="utf-8", errors="replace")[-1500:] if console.exists() else ""
        raise GuestError(f"{kernel.name} {kernel.release}: {errors.decode(errors='replace').strip()}\n{text}")


def boot(kernel, command, share, out, smp=1, timeout=300, systemd=False):
    """Run a line of shell; its exit status, and its output in out/output. out lies within share."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        return boot_once(kernel, command, share, out, smp, timeout, systemd)
    except GuestError as error:
        # about one emulated boot in 160 panics before it gets this far
        if (out / "begun").exists():
            raise
        print(f"guest: {error}\nguest: its command never began; once more", file=sys.stderr)
        return boot_once(kernel, command, share, out, smp, timeout, systemd)
