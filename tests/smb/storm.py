#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Create, rename, overwrite and unlink in one directory from several processes at once.

storm.py DIRECTORY PROCESSES OPERATIONS SEED

Each process has names of its own and remembers what its files must contain. At the end the
directory must hold exactly that. Reproducible by its seed but for the interleaving.
"""
import multiprocessing
import os
import random
import sys


def work(directory, who, operations, seed):
    rng = random.Random(f"{seed}-{who}")
    files = {}
    for n in range(operations):
        name = f"p{who}-{rng.randrange(64)}"
        path = os.path.join(directory, name)
        what = rng.randrange(4)
        if what == 0 or name not in files:
            content = f"{who} {n} ".encode() * rng.randrange(1, 400)
            with open(path, "wb") as f:
                f.write(content)
            files[name] = content
        elif what == 1:
            os.unlink(path)
            del files[name]
        elif what == 2:
            to = f"p{who}-{rng.randrange(64)}"
            os.rename(path, os.path.join(directory, to))
            files[to] = files[name]
            if to != name:
                del files[name]
        else:
            with open(path, "rb") as f:
                got = f.read()
            if got != files[name]:
                sys.exit(f"{path}: wrong content after {n} operations")
    for name, content in files.items():
        with open(os.path.join(directory, name), "rb") as f:
            if f.read() != content:
                sys.exit(f"{name}: wrong content at the end")
    mine = {x for x in os.listdir(directory) if x.startswith(f"p{who}-")}
    if mine != set(files):
        sys.exit(f"process {who}: {sorted(mine ^ set(files))} should not differ")


def main():
    directory, processes, operations, seed = sys.argv[1], *map(int, sys.argv[2:5])
    os.makedirs(directory, exist_ok=True)
    workers = [
        multiprocessing.Process(target=work, args=(directory, who, operations, seed))
        for who in range(processes)
    ]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    sys.exit(max(abs(w.exitcode) for w in workers))


if __name__ == "__main__":
    main()
