# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces joined by a link with a delay: two TUN devices and a relay between them.

usage: delaylink.py DELAY_MS [--remote BEHAVIOUR]

Side a has 10.77.0.1 and fd77::1, side b 10.77.0.2 and fd77::2. The namespaces have no names: they are reached as
/proc/PID/fd/N (printed in the first line) and vanish with the last process that uses them. Commands on stdin:
`delay MS`, `drop` (lose every packet from a to b), `pass`. Ends when its stdin closes.

With --remote there is no kernel on side b: a few lines of TCP answer there, like a host that upclose cannot look into.
They answer the first segment with data (and every new connection) by what BEHAVIOUR says:
  fin         acknowledge it, then FIN          rst        acknowledge it, then reset
  fin_unacked FIN without acknowledging it      rst_unacked reset without acknowledging it
  reply_REST  answer 200, then treat the next request as REST says
  silent      never answer at all, not even the SYN
"""
import argparse
import collections
import ctypes
import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

libc = ctypes.CDLL(None, use_errno=True)


def ip(*args):
    subprocess.run(["ip", *args], check=True)


def side(number):
    """A new namespace with a TUN device; its file and the device's."""
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    ns = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    ip("link", "set", "lo", "up")
    ip("addr", "add", f"10.77.0.{number}/24", "dev", "tun0")
    ip("link", "set", "dev", "tun0", "up", "mtu", "1500")
    ip("addr", "add", f"fd77::{number}/64", "dev", "tun0", "nodad")
    return ns, tun


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Remote:
    """Just enough TCP over IPv4 to be a server that ends connections in a chosen way."""

    def __init__(self, behaviour):
        self.behaviour = behaviour
        self.left = {}  # behaviour of each connection

    def segment(self, packet, flags, seq, ack, data=b""):
        src, dst = packet[16:20], packet[12:16]
        sport, dport = packet[22:24], packet[20:22]
        tcp = sport + dport + struct.pack("!IIBBHHH", seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags, 65535, 0, 0) + data
        total = checksum(src + dst + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + src + dst
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + tcp

    def answer(self, packet):
        """The packets to send back."""
        if self.behaviour == "silent" or packet[0] != 0x45 or packet[9] != 6:
            return []
        seq, ack = struct.unpack("!II", packet[24:32])
        data = packet[20 + (packet[32] >> 4) * 4 : struct.unpack("!H", packet[2:4])[0]]
        flags = packet[33]
        port = packet[20:22]
        if flags & SYN:
            self.left[port] = self.behaviour
            return [self.segment(packet, SYN | ACK, 1000, seq + 1)]
        if flags & RST or port not in self.left:
            return []
        if flags & FIN and not data:
            return [self.segment(packet, FIN | ACK, ack, seq + 1)]
        if not data:
            return []
        after = seq + len(data)
        todo = self.left[port]
        if todo.startswith("reply_"):
            self.left[port] = todo[len("reply_"):]
            return [self.segment(packet, ACK | PSH, ack, after, REPLY)]
        if todo == "fin":
            return [self.segment(packet, ACK, ack, after), self.segment(packet, FIN | ACK, ack, after)]
        if todo == "fin_unacked":
            return [self.segment(packet, FIN | ACK, ack, seq)]
        if todo == "rst":
            return [self.segment(packet, ACK, ack, after), self.segment(packet, RST | ACK, ack, after)]
        if todo == "rst_unacked":
            return [self.segment(packet, RST | ACK, ack, seq)]
        raise ValueError(todo)


class Link:
    def __init__(self, delay, tuns, remote=None):
        self.delay = delay
        self.drop = False
        self.tuns = tuns
        self.remote = remote
        self.flying = collections.deque()  # (when due, device, packet), in order as the delay is the same for all

    def send(self, tun, packet):
        self.flying.append((time.monotonic() + self.delay, tun, packet))

    def receive(self, tun):
        a, b = self.tuns
        try:
            packet = os.read(tun, 65536)
        except BlockingIOError:
            return
        if tun == a and self.drop:
            return
        if self.remote:
            for answer in self.remote.answer(packet):
                self.send(a, answer)
        else:
            self.send(b if tun == a else a, packet)

    def deliver(self):
        """Write what is due; the time to the next one."""
        while self.flying:
            wait = self.flying[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, tun, packet = self.flying.popleft()
            try:
                os.write(tun, packet)
            except OSError:
                pass  # the device's queue is full: packets may be lost on any link
        return None

    def command(self, words):
        if words[0] == "delay":
            self.delay = int(words[1]) / 1000
        elif words[0] == "drop":
            self.drop = True
        elif words[0] == "pass":
            self.drop = False
        print(json.dumps({"event": "done", "command": words[0]}), flush=True)

    def run(self):
        pending = b""
        while True:
            ready, _, _ = select.select([0, *filter(None, self.tuns)], [], [], self.deliver())
            for fd in ready:
                if fd:
                    self.receive(fd)
                    continue
                data = os.read(0, 4096)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.command(line.decode().split())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("delay", type=float)
    parser.add_argument("--remote")
    args = parser.parse_args()
    ns_a, tun_a = side(1)
    ns_b, tun_b = (None, None) if args.remote else side(2)
    proc = f"/proc/{os.getpid()}/fd/"
    print(json.dumps({"event": "ready", "a": f"{proc}{ns_a}", "b": ns_b and f"{proc}{ns_b}"}), flush=True)
    Link(args.delay / 1000, (tun_a, tun_b), args.remote and Remote(args.remote)).run()


if __name__ == "__main__":
    sys.exit(main())
