# SPDX-License-Identifier: BSD-2-Clause
"""Two builds in two folders are the same bytes, and nothing built tells where it was built."""
import subprocess
from pathlib import Path

import pytest

import tree

BUILT = ("build/upclose", "build/upclose-net", "build/upclose.bpf.o", "build/legacy.bpf.o")


@pytest.fixture(name="folders", scope="module")
def fixture_folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("paths")
    return [tree.copy(base / name) for name in ("a", "another/of-a-longer-name")]


def given_away(folder):
    """All that is in build/dist but what tells of the machine."""
    return sorted(str(p.relative_to(folder)) for p in (folder / "build/dist").rglob("*")
                  if p.is_file() and p.suffix not in (".buildinfo", ".changes"))


def test_two_folders_give_the_same_bytes(folders):
    for folder in folders:
        tree.make(folder, "all", "tarball", "image")
        tree.make(folder, "deb")
    packed = given_away(folders[0])
    assert packed == given_away(folders[1]) and {".gz", ".deb"} <= {Path(name).suffix for name in packed}
    names = [*BUILT, "build/static/upclose", *packed]
    assert tree.sums(folders[0], *names) == tree.sums(folders[1], *names)


def test_no_trace_of_the_folder(folders):
    for name in BUILT:
        assert str(folders[0]).encode() not in (folders[0] / name).read_bytes(), name


@pytest.mark.parametrize("chosen", ["CFLAGS=-O2 -g -D_FORTIFY_SOURCE=3", "CPPFLAGS=-D_FORTIFY_SOURCE=3",
                                    "CC=cc -D_FORTIFY_SOURCE=3"])
def test_a_distribution_s_fortify_level_stays(folders, chosen):
    """The program's objects are compiled with the level asked for, and nothing after it lowers it."""
    told = subprocess.run(["make", "-nB", "V=1", "build/host/user/base/text.o", chosen], cwd=folders[0], capture_output=True,
                          text=True, check=True).stdout
    line = next(l for l in told.splitlines() if "-c user/base/text.c" in l)
    assert "_FORTIFY_SOURCE=2" not in line and "-U_FORTIFY_SOURCE" not in line
    assert "_FORTIFY_SOURCE=3" in line
