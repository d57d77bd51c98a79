# SPDX-License-Identifier: BSD-2-Clause
"""Node of several major versions, as npm has it: the versions and their hashes stand in node/package-lock.json.

    python3 tests/harness/node_versions.py missing   name the versions that are not there; status 1 if any
    python3 tests/harness/node_versions.py install   fetch them with npm

They are kept outside the tree, in $UPCLOSE_NODE_DIR or else ${XDG_CACHE_HOME:-~/.cache}/upclose/node: one folder for each
version, with bin/node in it.
"""
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path(__file__).resolve().parent / "node" / "package-lock.json"
ARCH = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())


def store():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("UPCLOSE_NODE_DIR") or Path(cache) / "upclose" / "node")


def _packages():
    """Major version -> (folder of the package, exact version)."""
    found = {}
    for folder, package in json.loads(LOCK.read_text(encoding="ascii"))["packages"].items():
        if package.get("cpu") in (ARCH, [ARCH]):
            found[int(package["version"].partition(".")[0])] = (folder, package["version"])
    return dict(sorted(found.items()))


VERSIONS = {major: version for major, (_, version) in _packages().items()}


def node(major):
    """The program of this major version, or None where it is not installed."""
    binary = store() / VERSIONS[major] / "bin" / "node"
    return binary if os.access(binary, os.X_OK) else None


def missing():
    return [major for major in VERSIONS if not node(major)]


def install():
    """npm verifies each package against its hash, and runs no script of any."""
    store().mkdir(parents=True, exist_ok=True)
    with open(store() / ".lock", "w", encoding="ascii") as lock, tempfile.TemporaryDirectory(dir=store(), prefix=".new-") as new:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = missing()
        if not wanted:
            return
        for name in ("package.json", LOCK.name):
            shutil.copy(LOCK.with_name(name), new)
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")
        subprocess.run(["npm", "ci", *options, f"--cache={new}/cache"], cwd=new, check=True, stdout=sys.stderr)
        for major in wanted:
            folder, version = _packages()[major]
            if not (Path(new) / folder).exists():  # npm goes on without a package that it cannot fetch
                raise FileNotFoundError(f"npm has not fetched Node {version}")
            made = Path(new) / f"v{version}" / "bin"
            made.mkdir(parents=True)
            shutil.move(Path(new) / folder / "bin" / "node", made)
            said = subprocess.run([made / "node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
            if said != f"v{version}":
                raise SystemExit(f"node_versions: {folder} says that it is {said}, not v{version}")
            os.rename(made.parent, store() / version)


def main(argv):
    if argv == ["missing"]:
        for major in missing():
            print(major, VERSIONS[major])
        return 1 if missing() else 0
    if argv == ["install"]:
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as e:
            print(f"node_versions: {e}", file=sys.stderr)
        return 1 if missing() else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
