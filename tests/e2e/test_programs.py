# SPDX-License-Identifier: BSD-2-Clause
"""Two programs: upclose, and upclose-net, which 'upclose daemon' and 'upclose probe' run."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.upclose import UPCLOSE, run

NET = Path(f"{Path(UPCLOSE).resolve()}-net")
# of HTTP, TLS and systemd
HEAVY = re.compile(r"lib(?:curl|microhttpd|gnutls|ssl|crypto|systemd|ldap|krb5|ssh2|rtmp)\b")


def loads(program):
    return subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout


def test_what_runs_in_an_incident_loads_little():
    assert HEAVY.search(loads(NET))
    assert not HEAVY.search(loads(UPCLOSE))


@pytest.mark.parametrize("command", ["daemon", "probe"])
def test_the_other_is_found_beside_it(scratch, command):
    """Through a link in another folder, too, and by whatever name it is called."""
    link = scratch / "tell"
    link.symlink_to(Path(UPCLOSE).resolve())
    done = subprocess.run(["tell", command, "--help"], executable=link, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(f"Usage: upclose {command} ")


def test_its_status_is_the_commands():
    assert run("probe").returncode == 2


def test_alone_it_says_what_is_missing(scratch):
    program = shutil.copy(UPCLOSE, scratch / "upclose")
    installed = re.search(rb"/[^\0]*/upclose-net\0", Path(UPCLOSE).read_bytes())[0][:-1].decode()
    if Path(installed).exists():
        pytest.skip(f"{installed} is installed here")
    done = subprocess.run([program, "probe", "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"upclose: cannot run {installed}: No such file or directory; install upclose again\n"


@pytest.mark.parametrize("args", [(), ("trace",), ("--help",)])
def test_the_other_is_no_command(args):
    done = subprocess.run([NET, *args], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and "run 'upclose daemon' or 'upclose probe'" in done.stderr
