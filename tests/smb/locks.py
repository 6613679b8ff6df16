#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Byte range locks and cache breaks between two mounts of one share.

locks.py MOUNT1 MOUNT2: prints a line for each thing that is not as it has to be.
"""
import errno
import fcntl
import os
import sys
import threading
import time

bad = 0


def expect(ok, what):
    global bad
    if not ok:
        bad += 1
        print(what)


def try_lock(fd, start, length):
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        return True
    except OSError as e:
        if e.errno not in (errno.EACCES, errno.EAGAIN):
            raise
        return False


def unlock(fd, start, length):
    fcntl.lockf(fd, fcntl.LOCK_UN, length, start)


def locks(a, b):
    one = os.open(os.path.join(a, "locks"), os.O_RDWR | os.O_CREAT)
    two = os.open(os.path.join(b, "locks"), os.O_RDWR)
    expect(try_lock(one, 0, 100), "a lock that nobody else has was refused")
    expect(not try_lock(two, 50, 100), "an overlapping lock was granted to the other mount")
    expect(try_lock(two, 100, 100), "a lock beside the other one was refused")
    expect(not try_lock(one, 150, 1), "a lock was granted inside of the other mount's")
    unlock(one, 0, 100)
    expect(try_lock(two, 0, 100), "a lock was refused after it was given back")

    # Who waits gets it when the other one lets go.
    got = []

    def wait():
        fcntl.lockf(one, fcntl.LOCK_EX, 100, 0)
        got.append(time.monotonic())

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(1)
    expect(not got, "a lock was granted to who had to wait")
    given = time.monotonic()
    unlock(two, 0, 100)
    waiter.join(20)
    expect(bool(got) and got[0] >= given, "who waited for a lock did not get it")

    os.close(one)
    expect(try_lock(two, 0, 100), "closing did not give the lock back")
    os.close(two)


def caches(a, b):
    """What one mount has cached, the other one's changes break."""
    path_a, path_b = os.path.join(a, "cached"), os.path.join(b, "cached")
    for turn in range(20):
        text = f"turn {turn} ".encode() * 1000
        writer, reader = (path_a, path_b) if turn % 2 else (path_b, path_a)
        with open(writer, "wb") as w:
            w.write(text)
            w.flush()
            os.fsync(w.fileno())
            with open(reader, "rb") as r:
                expect(r.read() == text, f"turn {turn}: the other mount reads something else")
        with open(reader, "rb") as r, open(writer, "r+b") as w:
            r.read()
            w.write(b"again")
            w.flush()
            os.fsync(w.fileno())
        with open(reader, "rb") as r:
            expect(r.read(5) == b"again", f"turn {turn}: the reader has kept what was replaced")


locks(sys.argv[1], sys.argv[2])
caches(sys.argv[1], sys.argv[2])
sys.exit(bad != 0)
