#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure the workloads of make bench-smb on one mounted share, in the guest.

workloads.py DIRECTORY TRANSPORT SECONDS: prints a JSON object a line:
transport, workload, value, unit, cpu (seconds of CPU time per GiB, of the whole guest).
"""
import json
import os
import subprocess
import sys

# name, fio's rw, block size, threads
WORKLOADS = [
    ("write 1M", "write", "1m", 4),
    ("read 1M", "read", "1m", 4),
    ("write 64k", "write", "64k", 4),
    ("read 64k", "read", "64k", 4),
    ("randread 4k x4", "randread", "4k", 4),
    ("randread 4k x1", "randread", "4k", 1),
]


def busy():
    """Seconds that the processors were not idle since boot."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (sum(v[:8]) - v[3] - v[4]) / os.sysconf("SC_CLK_TCK")


def fio(directory, rw, bs, jobs, seconds):
    said = subprocess.run(
        ["fio", "--name=b", f"--directory={directory}", "--thread", "--direct=1",
         "--ioengine=psync", "--size=64m", f"--rw={rw}", f"--bs={bs}", f"--numjobs={jobs}",
         "--group_reporting", "--time_based", f"--runtime={seconds}", "--output-format=json"],
        check=True, capture_output=True, text=True, timeout=60 + 10 * seconds).stdout
    job = json.loads(said[said.index("{"):])["jobs"][0]
    return job["read" if "read" in rw else "write"]


def main():
    directory, transport, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    fio(directory, "write", "1m", 4, 1)     # the files, and warm
    for name, rw, bs, jobs in WORKLOADS:
        before = busy()
        r = fio(directory, rw, bs, jobs, seconds)
        cpu = (busy() - before) / (r["io_bytes"] / 2**30)
        small = bs == "4k"
        print(json.dumps({
            "transport": transport, "workload": name,
            "value": r["iops"] if small else r["bw_bytes"] / 1e6,
            "unit": "IOPS" if small else "MB/s", "cpu": cpu,
        }), flush=True)


main()
