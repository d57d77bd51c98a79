# SPDX-License-Identifier: BSD-2-Clause
"""The fixtures of the end-to-end tests. They need root, nginx and Node.

Without root or BPF the tests that need it are skipped by name; UPCLOSE_REQUIRE_BPF=1 makes that a failure.
UPCLOSE names the program to test. --no-upclose tries the harness and its faults alone.
"""
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness.client import SECRET  # noqa: E402
from harness.proc import PREFIX, eventually, marked  # noqa: E402
from harness.stage import Stage  # noqa: E402
from harness.upclose import UPCLOSE, assert_contract  # noqa: E402

MARK = "UPCLOSE_TEST_SESSION"


def pytest_addoption(parser):
    parser.addoption("--no-upclose", action="store_true", help="run the faults without upclose, to try the harness")


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures time, so that nothing else runs beside it")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--no-upclose"):
        for item in items:
            if "trace" not in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="there is no upclose"))


class NoUpclose:
    """Stands in for Upclose to try the harness alone: whoever asks it has seen the fault happen as it should."""

    def wait(self, *args, **kwargs):
        pytest.skip("the fault is as expected; there is no upclose to name it")

    all = stop = ended = wait_text = wait_stderr = wait


def missing():
    """What keeps BPF from working here, or None."""
    if os.geteuid() != 0:
        return "not root, which BPF needs"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF"
    return None


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """No process, file or namespace of this session survives it."""
    os.environ[MARK] = mark = uuid.uuid4().hex
    before = tempfile.gettempdir()
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(prefix=PREFIX)
    os.chmod(tempfile.tempdir, 0o711)  # somebody without privilege runs upclose from there
    yield
    eventually(lambda: not marked(f"{MARK}={mark}"), "all processes of the tests have ended", 5)
    left = os.listdir(tempfile.tempdir)
    shutil.rmtree(tempfile.tempdir)
    os.environ["TMPDIR"] = tempfile.tempdir = before
    assert left == []


@pytest.fixture
def bpf():
    reason = missing()
    if reason and os.environ.get("UPCLOSE_REQUIRE_BPF") == "1":
        pytest.fail(f"BPF is required: {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture
def stage(bpf):
    with Stage() as s:
        yield s


@pytest.fixture
def scratch():
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        yield Path(folder)


@pytest.fixture
def trace(request, bpf, scratch):
    """Start `upclose trace` with a recording; at the end its objects keep the contract and no secret is anywhere."""
    if request.config.getoption("--no-upclose"):
        yield lambda *args, **options: NoUpclose()
        return
    started = []

    def start(*args, **options):
        recording = scratch / f"recording-{len(started)}"
        tr = stage_.upclose(*args, "-w", recording, **options)
        tr.recording = recording
        started.append(tr)
        return tr

    with Stage() as stage_:
        yield start
        for tr in started:
            objects, summary, stderr, status = tr.stop()
            print(tr.stdout(), stderr, sep="\n")  # pytest shows it when the test fails
            assert status == 0
            for obj in objects:
                assert_contract(obj)
            if summary:
                assert summary["lost"] == 0
            assert SECRET not in tr.stdout() + stderr
            assert SECRET.encode() not in tr.recording.read_bytes()


def pytest_report_header():
    return f"upclose: {UPCLOSE}"
