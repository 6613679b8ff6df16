#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A mount between two guests, one of which is killed: no goodbye, its kernel is just gone.

pair.py siw|rxe [CLIENT SERVER]: whose SMB modules they use, each ours (default) or stock.

The guests' networks are the two ends of a socket pair. First the client is killed with I/O
running, and the server has to notice. Then, with I/O running from a new client, the server is
killed and after five seconds a new one has the same share and address; I/O has to go on, and
nothing that was synced may be lost. The last line is the total.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BOOT = 60        # seconds until a guest has done what it does first
NOTICE = 300     # the idle timer of a server is 120 s, see Documentation/networking/smbdirect.rst
RESUME = 120


class Guest:
    """One guest and the directory by which it is told what to do."""

    def __init__(self, bed, smb, role, name):
        self.name = name
        self.out = bed.work / name
        self.end = bed.ends[role]
        env = dict(os.environ, OUT=str(self.out), SMB=" ".join(smb), MEM="2G", TIMEOUT="900",
                   NET_FD=str(self.end.fileno()),
                   APPEND=f"smbdr_devices={bed.type} smbdr_share={bed.share} smbdr_file={name}")
        self.log = open(bed.work / f"{name}.log", "w+")
        self.run = subprocess.Popen([TOP / "tests/vm/run.sh", "release", f"pair_{role}"], env=env,
                                    pass_fds=[self.end.fileno()], stdout=self.log,
                                    stderr=subprocess.STDOUT, start_new_session=True)

    def wait(self, file, seconds):
        """Until the guest has made that file."""
        return wait_for(lambda: (self.out / file).exists(), seconds, self)

    def tell(self, file):
        (self.out / file).touch()

    def kill(self):
        # run.sh kills the kernel with SIGKILL when it is told to end.
        self.run.send_signal(signal.SIGTERM)
        self.run.wait()
        self.drain()

    def drain(self):
        """What was on the wire is for nobody."""
        try:
            while True:
                self.end.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass

    def total(self):
        self.run.wait()
        self.log.seek(0)
        lines = self.log.read().splitlines()
        words = lines[-1].replace(",", "").split() if lines else []
        if len(words) < 4 or words[1] != "passed" or words[0] == "0":
            words = ["0", "", "1"]  # something died
        if words[2] != "0":
            print(*lines, sep="\n")
        return int(words[0]), int(words[2])


def wait_for(condition, seconds, guest):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end or guest.run.poll() is not None:
            return False
        time.sleep(0.1)
    return True


class Bed:
    def __init__(self, kind, work):
        self.type = kind
        self.work = work
        self.share = work / "share"
        self.share.mkdir()
        self.share.chmod(0o777)
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ends = {"server": ends[0], "client": ends[1]}

    def changed(self, seconds, guest):
        """Is the client's file written (again)?"""
        file = self.share / guest.name
        at = file.stat().st_mtime_ns if file.exists() else 0
        return wait_for(lambda: file.exists() and file.stat().st_mtime_ns != at, seconds, guest)


def play(bed, smb, check):
    guests = []

    def start(role, name):
        guests.append(Guest(bed, smb, role, name))
        return guests[-1]

    try:
        server = start("server", "server1")
        if not check(server.wait("ready", 600), "the server is up"):
            return []
        client = start("client", "client1")
        if not check(bed.changed(BOOT, client), "I/O runs"):
            return []
        time.sleep(2)
        client.kill()
        server.tell("client_gone")
        if not check(server.wait("noticed", NOTICE), "the server is asked for its client"):
            return []
        noticed = (server.out / "noticed").read_text().strip()
        # The stock server does not always, with a stock client; the table at the end tells.
        if smb[1] == "ours":
            check(noticed.startswith("after"), "the server notices that its client is gone")
        client = start("client", "client2")
        if not check(bed.changed(BOOT, client), "I/O runs from a new client"):
            return []
        time.sleep(2)
        server.kill()
        time.sleep(5)
        server = start("server", "server2")
        check(server.wait("ready", BOOT), "a new server is up")
        check(bed.changed(RESUME, client), "I/O goes on")
        time.sleep(3)
        client.tell("stop")
        check(client.wait("said", RESUME), "I/O ends")
        print(f"fault {bed.type} v4 guest: {(client.out / 'said').read_text().strip()}; "
              f"the server noticed a dead client {noticed}")
        result = [client.total()]
        server.tell("stop")
        return result + [server.total()]
    finally:
        for guest in guests:
            if guest.run.poll() is None:
                guest.kill()


def main():
    if len(sys.argv) not in (2, 4) or sys.argv[1] not in ("siw", "rxe"):
        sys.exit(__doc__.split("\n\n")[1])
    smb = sys.argv[2:] or ["ours", "ours"]
    passed = failed = 0

    def check(ok, what):
        nonlocal passed, failed
        print("ok" if ok else "not ok", "-", what, flush=True)
        passed, failed = passed + bool(ok), failed + (not ok)
        return ok

    work = pathlib.Path(tempfile.mkdtemp(prefix="smbdr-pair."))
    for ok, bad in play(Bed(sys.argv[1], work), smb, check):
        passed, failed = passed + ok, failed + bad
    if failed:
        for log in sorted(work.glob("*.log")):
            print(f"--- {log.stem}", *log.read_text().splitlines()[-40:], sep="\n")
        print(f"--- full logs: {work}")
    else:
        shutil.rmtree(work)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed != 0)


main()
