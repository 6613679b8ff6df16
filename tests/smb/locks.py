#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Byte range locks and breaks of what is cached, between two mounts of one share.

locks.py MOUNT1 MOUNT2: prints a line for each thing that is not as it has to be. The mounts must
have connections of their own (nosharesock), or the kernel settles it among them, and actimeo=0,
so that what a mount knows of a file comes from its lease and not from a timer.

Each mount is used by a process of its own, which does one thing after the other as it is told.
"""
import fcntl
import multiprocessing
import os
import sys
import time

WAIT = 20  # seconds for what should happen at once
bad = 0


def expect(ok, what):
    global bad
    if not ok:
        bad += 1
        print(what, flush=True)


class User:
    """The process that uses one mount: user.open(name) and so on run there."""

    def __init__(self, mount):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.serve, args=(theirs, mount), daemon=True)
        self.process.start()

    def serve(self, pipe, mount):
        os.chdir(mount)
        while True:
            what, args = pipe.recv()
            try:
                pipe.send(getattr(Actions, what)(*args))
            except OSError as e:
                pipe.send(e)

    def start(self, what, *args):
        self.pipe.send((what, args))

    def done(self, seconds):
        return self.pipe.poll(seconds)

    def end(self):
        if not self.done(WAIT):
            raise SystemExit("nothing came back")
        return self.pipe.recv()

    def __getattr__(self, what):
        def call(*args):
            self.start(what, *args)
            result = self.end()
            if isinstance(result, OSError):
                raise result
            return result
        return call


class Actions:
    """What the process of a mount can do."""
    files = {}

    @classmethod
    def open(cls, name):
        cls.files[name] = os.open(name, os.O_RDWR | os.O_CREAT)

    @classmethod
    def close(cls, name):
        os.close(cls.files.pop(name))

    @classmethod
    def try_lock(cls, name, start, length):
        try:
            fcntl.lockf(cls.files[name], fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
            return True
        except (BlockingIOError, PermissionError):
            return False

    @classmethod
    def lock(cls, name, start, length):
        fcntl.lockf(cls.files[name], fcntl.LOCK_EX, length, start)
        return True

    @classmethod
    def unlock(cls, name, start, length):
        fcntl.lockf(cls.files[name], fcntl.LOCK_UN, length, start)

    @classmethod
    def read(cls, name, length, offset):
        return os.pread(cls.files[name], length, offset)

    @classmethod
    def write(cls, name, data, offset):
        return os.pwrite(cls.files[name], data, offset)

    @classmethod
    def sync(cls, name):
        os.fsync(cls.files[name])


def locks(a, b):
    a.open("locks")
    b.open("locks")
    expect(a.try_lock("locks", 0, 100), "a lock that nobody else has was refused")
    expect(not b.try_lock("locks", 50, 100), "an overlapping lock was granted to the other mount")
    expect(b.try_lock("locks", 100, 100), "a lock beside the other one was refused")
    expect(not a.try_lock("locks", 150, 1), "a lock was granted inside of the other mount's")
    a.unlock("locks", 0, 100)
    expect(b.try_lock("locks", 0, 100), "a lock was refused after it was given back")
    # Who waits gets it when the other one lets go, not before.
    a.start("lock", "locks", 0, 100)
    expect(not a.done(1), "a lock was granted to who had to wait")
    b.unlock("locks", 0, 100)
    if a.done(WAIT):
        expect(a.end() is True, "waiting for a lock failed")
    else:
        expect(False, "who waited for a lock did not get it")
        raise SystemExit(1)
    a.close("locks")
    expect(b.try_lock("locks", 0, 100), "closing did not give the lock back")
    b.close("locks")


def reads(user, what, offset):
    """Does it read that, at once or soon?

    Not always at once: giving up the right to write but not the right to read, cifs starts to write
    what it has but answers without waiting for the end, so the other open may be quicker.
    """
    deadline = time.monotonic() + WAIT
    while user.read("cached", len(what), offset) != what:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def caches(a, b):
    """What one mount has cached, the other one's changes break."""
    for turn in range(10):
        writer, reader = (a, b) if turn % 2 else (b, a)
        text = f"turn {turn}: ".encode() * 1000
        # The writer is alone and may keep all of it to itself.
        writer.open("cached")
        writer.write("cached", text, 0)
        # The reader's open has to bring it out.
        reader.open("cached")
        expect(reads(reader, text, 0), f"turn {turn}: not what was written")
        # Now the reader has a copy, and the writer changes the middle.
        writer.write("cached", b"again", 5000)
        writer.sync("cached")
        expect(reads(reader, b"again", 5000), f"turn {turn}: the reader kept its copy")
        reader.close("cached")
        writer.close("cached")


if __name__ == "__main__":
    users = [User(mount) for mount in sys.argv[1:3]]
    locks(*users)
    caches(*users)
    sys.exit(bad != 0)
