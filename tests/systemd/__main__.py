# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m systemd OUT ROOT

Boots a guest whose first process is systemd, puts into it what `make install DESTDIR=ROOT` has put into ROOT, and runs
the tests beside this file there. OUT, which lies within the tree, gets pytest's report and its output.
"""
import shlex
import sys
from pathlib import Path

from kernels.guest import GuestError, boot
from kernels.images import KERNELS, Unavailable, prepare

TOP = Path(__file__).resolve().parents[2]
KERNEL = "6.1"  # that of the Debian whose systemd it is
SECONDS = 300


def main(out, root):
    out, root = Path(out).resolve(), Path(root).resolve()
    (kernel,) = (k for k in KERNELS if k.name == KERNEL)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.xml").unlink(missing_ok=True)
    env = "UPCLOSE_PATIENCE=6 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests"
    pytest = f"pytest -p no:cacheprovider --color=no -v --tb=short --durations=0 -o junit_family=xunit2 " \
             f"--junitxml={shlex.quote(str(out / 'report.xml'))} tests/systemd"
    # tar: what the guest has already stays as it is
    install = f"tar -C {shlex.quote(str(root))} -cf - . | tar -C / --no-overwrite-dir -xf -"
    try:
        prepare(kernel)
        status = boot(kernel, f"{install} && {env} exec /usr/bin/python3 -m {pytest}", TOP, out, timeout=SECONDS, systemd=True)
    except (Unavailable, GuestError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.write((out / "output").read_text(encoding="utf-8", errors="replace"))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
