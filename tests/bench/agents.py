# SPDX-License-Identifier: BSD-2-Clause
"""upclose, and what people would use otherwise, each looking at one upstream port of this host."""
import os
import shutil
import signal
import subprocess

from harness.proc import Child, eventually
from harness.upclose import UPCLOSE

from . import meters

# Tools that look for tracefs find it, in a mount namespace of their own.
WITH_TRACEFS = ["unshare", "--mount", "sh", "-c",
                'mount -t tracefs none /sys/kernel/tracing && mount -t debugfs none /sys/kernel/debug; exec "$@"', "sh"]

# The events that upclose looks at, streamed: when, who, which connection, how much.
BPFTRACE = """
tracepoint:sock:sock_send_length, tracepoint:sock:sock_recv_length {{
	$sk = (struct sock *)args->sk;
	$port = $sk->__sk_common.skc_dport;
	if ($port == {swapped} || $sk->__sk_common.skc_num == {port}) {{
		printf("%llu %s %d %s %d %d %d\\n", nsecs, probe, pid, comm, $sk->__sk_common.skc_num, $port, args->ret);
	}}
}}
tracepoint:sock:inet_sock_set_state {{
	if (args->dport == {port} || args->sport == {port}) {{
		printf("%llu %d %s %d %d %d %d\\n", nsecs, pid, comm, args->sport, args->dport, args->oldstate, args->newstate);
	}}
}}
tracepoint:tcp:tcp_receive_reset {{
	if (args->dport == {port} || args->sport == {port}) {{
		printf("%llu %d %s %d %d reset\\n", nsecs, pid, comm, args->sport, args->dport);
	}}
}}
"""


class Agent(Child):
    """A running tool. probes: how many kernel hooks it holds when it is ready."""

    def __init__(self, argv, probes, **popen):
        # a file: nobody has to drain a pipe, and what a tool says is there when it fails
        self.log = os.memfd_create("agent")
        super().__init__(argv, stdout=subprocess.DEVNULL, stderr=self.log, **popen)
        try:
            eventually(lambda: self.ready(probes), f"{argv[0]} is ready: {self.said()}", 60)
        except BaseException:
            self.stop()
            raise

    def said(self):
        return os.pread(self.log, 4096, 0).decode("utf-8", "replace")

    def ready(self, probes):
        if not self.alive():
            raise RuntimeError(f"{self.argv} ended: {self.said()}")
        return meters.holds(self.pid, "perf_event", "bpf_link") >= probes if probes else "listening on" in self.said()

    def stop(self):
        self.kill(signal.SIGINT)
        try:
            status = self.wait(20)
        except subprocess.TimeoutExpired:
            status = super().stop()
        os.close(self.log)
        return status


class UpcloseAgent(Agent):
    def ready(self, probes):
        if not self.alive():
            raise RuntimeError(f"{self.argv} ended: {self.said()}")
        return "tracing" in self.said()


def upclose(port, *args):
    return UpcloseAgent([UPCLOSE, "trace", "-o", "json", *(["-p", port] if port else []), *args], 0)


def tcpdump(port):
    return Agent(["tcpdump", "-i", "lo", "-n", "-s", "600", "-w", "/dev/null", f"tcp port {port}"], 0)


def bpftrace(port):
    swapped = (port & 0xff) << 8 | port >> 8
    return Agent([*WITH_TRACEFS, "bpftrace", "-o", "/dev/null", "-e", BPFTRACE.format(port=port, swapped=swapped)], 4)


def bcc_core(name):
    """bcc's tool as built by libbpf-tools: the same program without a compiler at run time."""
    return lambda port: Agent([*WITH_TRACEFS, f"/usr/sbin/{name}"], 1)


def bcc_python(name):
    return lambda port: Agent([*WITH_TRACEFS, f"/usr/sbin/{name}-bpfcc"], 1)


# In the order of the table.
AGENTS = {
    "upclose": upclose,
    "tcpdump": tcpdump,
    "bpftrace": bpftrace,
    "tcpstates": bcc_core("tcpstates"),
    "tcplife": bcc_core("tcplife"),
    "tcpstates-bpfcc": bcc_python("tcpstates"),
    "tcplife-bpfcc": bcc_python("tcplife"),
}


def refused(name, port):
    """Why this tool does not run here, or None."""
    program = {"upclose": UPCLOSE, "tcpstates": "/usr/sbin/tcpstates", "tcplife": "/usr/sbin/tcplife"}.get(name, name)
    if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
        return f"{name} is not installed"
    if name.endswith("-bpfcc") and not os.path.exists(f"/lib/modules/{os.uname().release}/build") \
            and not os.path.exists("/sys/kernel/kheaders.tar.xz"):
        return "it compiles at run time, and this kernel's headers are not here"
    try:
        AGENTS[name](port).stop()
    except (RuntimeError, TimeoutError, OSError) as e:
        return str(e).splitlines()[-1][-200:]
    return None
