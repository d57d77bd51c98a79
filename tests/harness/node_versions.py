# SPDX-License-Identifier: BSD-2-Clause
"""Node of several versions, as npm has it: the versions and their hashes stand in node/package-lock.json. node-22 is the newest
22; node-22.8 and node-22.9 are there because a default changed between them.

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
    """"22" or "22.8" -> (folder of the package, exact version)."""
    found = {}
    for folder, package in json.loads(LOCK.read_text(encoding="ascii"))["packages"].items():
        if package.get("cpu") in (ARCH, [ARCH]):
            found[folder.split("/")[-1].split("-")[1]] = (folder, package["version"])
    return dict(sorted(found.items(), key=lambda item: float(item[0])))


PACKAGES = _packages()
VERSIONS = {int(name): version for name, (_, version) in PACKAGES.items() if "." not in name}
MINORS = [name for name in PACKAGES if "." in name]


def node(name):
    """The program of a major version or of "22.8", or None where it is not installed."""
    binary = store() / PACKAGES[str(name)][1] / "bin" / "node"
    return binary if os.access(binary, os.X_OK) else None


def missing():
    return [name for name in PACKAGES if not node(name)]


def install():
    """npm verifies each package against its hash, and runs no script of any."""
    store().mkdir(parents=True, exist_ok=True)
    with open(store() / ".lock", "w", encoding="ascii") as lock, tempfile.TemporaryDirectory(dir=store(), prefix=".new-") as new:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = missing()
        if not wanted:
            return
        for file in ("package.json", LOCK.name):
            shutil.copy(LOCK.with_name(file), new)
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")
        subprocess.run(["npm", "ci", *options, f"--cache={new}/cache"], cwd=new, check=True, stdout=sys.stderr)
        for name in wanted:
            folder, version = PACKAGES[name]
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
        for name in missing():
            print(name, PACKAGES[name][1])
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
