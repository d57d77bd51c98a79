# SPDX-License-Identifier: BSD-2-Clause
"""usage: python3 -m kernels run|readme|fetch [KERNEL...]

  run     the scenarios in a guest of each kernel, two at a time; one result a line, and KERNELS_OUT/table.md at the end
  readme  writes that table into tests/kernels/README.md, between its markers
  fetch   only downloads the kernels, and prints where each image is
UPCLOSE=build/upclose, UPCLOSE_ARM64=build/toolchains/arm64/static/upclose, KERNELS_OUT=build/kernels,
UPCLOSE_KERNELS=~/.cache/upclose/kernels, UPCLOSE_KVM=1 where there is KVM (amd64)
"""
import concurrent.futures
import json
import os
import shlex
import shutil
import sys
import threading
import time
from pathlib import Path

from .guest import QEMU, GuestError, boot
from .images import KERNELS, Unavailable, prepare
from .inside import possible_by_types
from .report import results, table

TOP = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("KERNELS_OUT", TOP / "build" / "kernels")).resolve()
UPCLOSE = {"amd64": Path(os.environ.get("UPCLOSE", TOP / "build" / "upclose")).resolve(),
           "arm64": Path(os.environ.get("UPCLOSE_ARM64", TOP / "build" / "toolchains" / "arm64" / "static" / "upclose")).resolve()}
SECONDS = 420  # a guest
START, END = "<!-- kernels: begin -->\n", "<!-- kernels: end -->\n"
talking = threading.Lock()


def say(words):
    with talking:
        print(words, flush=True)


def measure(kernel):
    """The report of this kernel's guest, or why there is none."""
    out = OUT / kernel.name
    out.mkdir(parents=True, exist_ok=True)
    report = out / "report.json"
    report.unlink(missing_ok=True)
    upclose = UPCLOSE[kernel.arch]
    env = f"UPCLOSE={shlex.quote(str(upclose))} UPCLOSE_PATIENCE=6 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests"
    command = f"{env} exec python3 -m kernels.inside {shlex.quote(str(report))}"
    began = time.monotonic()
    try:
        for program in (upclose, QEMU[kernel.arch][0]):
            if not shutil.which(program):
                raise Unavailable(f"there is no {program}")
        prepare(kernel)
        status = boot(kernel, command, TOP, out, timeout=SECONDS)
    except Unavailable as error:
        return {"unavailable": str(error)}
    except GuestError as error:
        return {"error": str(error)}
    if status:
        text = (out / "output").read_text(encoding="utf-8", errors="replace")
        return {"error": f"exit status {status}: {text[-1500:]}"}
    say(f"kernels: {kernel.name} ({kernel.release}) took {time.monotonic() - began:.0f} s")
    told = json.loads(report.read_text(encoding="utf-8"))
    if kernel.arch == "amd64":  # what runs here can tell without a guest
        told["types"] = possible_by_types(upclose, kernel.image)
    return told


def run(kernels):
    # the downloads first, so that two guests begin together
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        reports = dict(zip((k.name for k in kernels), pool.map(measure, kernels)))
    lines = list(results(kernels, reports))
    for line in lines:
        say(line)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "table.md").write_text(table(kernels, reports), encoding="utf-8")
    return 1 if any(line.startswith("not ok") for line in lines) else 0


def readme():
    file = Path(__file__).resolve().parent / "README.md"
    text = file.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    file.write_text(head + START + (OUT / "table.md").read_text(encoding="utf-8") + END + tail, encoding="utf-8")
    return 0


def fetch(kernels):
    status = 0
    for kernel in kernels:
        try:
            prepare(kernel)
            say(f"{kernel.name} {kernel.release} {kernel.image}")
        except Unavailable as error:
            say(f"{kernel.name}: {error}")
            status = 1
    return status


def main(args):
    if not args or args[0] not in ("run", "readme", "fetch"):
        print(__doc__, file=sys.stderr)
        return 2
    kernels = [k for k in KERNELS if k.name in args[1:] or not args[1:]]
    return {"run": lambda: run(kernels), "readme": readme, "fetch": lambda: fetch(kernels)}[args[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
