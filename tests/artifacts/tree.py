# SPDX-License-Identifier: BSD-2-Clause
"""The tree as a stranger gets it: copies of what is committed, in folders of any name."""
import hashlib
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
O = os.environ.get("O", "build")


def copy(folder):
    listed = subprocess.run(["git", "-c", f"safe.directory={TOP}", "ls-files", "-co", "-z", "--exclude-standard"], cwd=TOP,
                            capture_output=True, check=True).stdout
    for name in map(os.fsdecode, listed.split(b"\0")):
        if name and (TOP / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, folder / name)
    return folder


def make(folder, *goals, **variables):
    """A compiler's cache would answer for the second build with what it has of the first."""
    words = [f"{name}={value}" for name, value in variables.items()]
    done = subprocess.run(["make", "-s", f"-j{os.cpu_count()}", *goals, *words], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "MAKEFLAGS": "", "CCACHE_DISABLE": "1"}, check=False)
    assert not done.returncode, (done.stdout + done.stderr)[-4000:]


def sums(folder, *names):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
