#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write, sync and read back blocks of one file until told to stop, whatever the server does.

io.py FILE STOP: runs until the file STOP exists, then prints one line:

    blocks N longest_stall SECONDS errors ERRNO:COUNT,... wrong N

A block counts once fsync has returned; from then on it must read back as it was written. An
errno is noted and the operation is tried again with the file opened anew, so a mount that
fails and comes back is used again.
"""
import collections
import errno
import hashlib
import os
import sys
import time

BLOCK = 256 * 1024
BLOCKS = 128


def content(index, generation):
    seed = hashlib.sha256(f"{index} {generation}".encode()).digest()
    return seed * (BLOCK // len(seed))


class Io:
    def __init__(self, path, stop):
        self.path, self.stop = path, stop
        self.fd = -1
        self.generation = {}  # of the block as synced; absent while in doubt
        self.errors = collections.Counter()
        self.done, self.wrong, self.stall = 0, 0, 0.0
        self.since = time.monotonic()

    def open(self):
        if self.fd < 0:
            self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT)

    def failed(self, e):
        self.errors[errno.errorcode.get(e.errno, str(e.errno))] += 1
        try:
            if self.fd >= 0:
                os.close(self.fd)
        except OSError:
            pass
        self.fd = -1
        time.sleep(0.2)

    def progress(self):
        now = time.monotonic()
        self.stall = max(self.stall, now - self.since)
        self.since = now

    def check(self, index):
        if index not in self.generation:
            return
        os.posix_fadvise(self.fd, index * BLOCK, BLOCK, os.POSIX_FADV_DONTNEED)
        if os.pread(self.fd, BLOCK, index * BLOCK) != content(index, self.generation[index]):
            self.wrong += 1
            print(f"block {index} is not what was written", file=sys.stderr)

    def run(self):
        n = 0
        while not os.path.exists(self.stop):
            index, generation = n % BLOCKS, n // BLOCKS
            try:
                self.open()
                self.generation.pop(index, None)
                os.pwrite(self.fd, content(index, generation), index * BLOCK)
                os.fsync(self.fd)
                self.generation[index] = generation
                self.done += 1
                self.check((index * 7 + 3) % BLOCKS)
            except OSError as e:
                self.failed(e)
                continue
            self.progress()
            n += 1
        # A stall that goes on counts; then everything once more.
        self.progress()
        for index in range(BLOCKS):
            try:
                self.open()
                self.check(index)
            except OSError as e:
                self.failed(e)
        if self.fd >= 0:
            os.close(self.fd)
        errors = ",".join(f"{k}:{v}" for k, v in sorted(self.errors.items())) or "none"
        print(f"blocks {self.done} longest_stall {self.stall:.1f} errors {errors} wrong {self.wrong}")
        return self.wrong != 0 or self.done == 0


sys.exit(Io(sys.argv[1], sys.argv[2]).run())
