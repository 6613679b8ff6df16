#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench-smb: our SMB client and server beside the stock pair and TCP, on the same kernel.

smb.py [--rounds N] [--seconds N] [--out DIRECTORY]

Each round boots the release test kernel twice, once with our cifs.ko and ksmbd.ko and once with
the stock ones (they have the same names, so one kernel cannot hold both), and runs every
workload over siw and rxe; the stock boot adds TCP, and what raw verbs move when the RDMA of a
workload is all that is done. Rounds are interleaved; the table has medians.
Written to DIRECTORY: smb.txt, smb.json (every single value) and smb.svg.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
PAIRS = [("ours", "siw,rxe", ""), ("stock", "siw,rxe,tcp", "siw,rxe")]
COLUMNS = [("siw", "ours"), ("siw", "stock"), ("rxe", "ours"), ("rxe", "stock"), ("tcp", "stock")]


def boot(pair, transports, verbs, seconds):
    with tempfile.TemporaryDirectory() as out:
        env = dict(os.environ, OUT=out, SMB=f"{pair} {pair}", MEM="4G", TIMEOUT="900",
                   APPEND=f"smbdr_bench_transports={transports} smbdr_bench_seconds={seconds} "
                          f"smbdr_bench_verbs={verbs}")
        run = subprocess.run([TOP / "tests/vm/run.sh", "release", "smb_bench"], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            sys.exit(f"{run.stdout}\nsmb.py: the boot of the {pair} pair failed, see above")
        return [{"pair": pair} | json.loads(line) for line in open(f"{out}/bench")]


def collect(values, workload, transport, pair, key):
    return [v[key] for v in values
            if (v["workload"], v["transport"], v["pair"]) == (workload, transport, pair)]


def workloads_of(values):
    return list(dict.fromkeys(v["workload"] for v in values if v["pair"] != "verbs"))


def verbs_table(values):
    """How near SMB is to what the device does without it."""
    lines = ["raw verbs, the same RDMA without SMB, and the share of it that SMB has",
             f"{'':16}" + "".join(f"{t + ' verbs':>22}{'ours':>7}{'stock':>7}" for t in ("siw", "rxe"))]
    for w in dict.fromkeys(v["workload"] for v in values if v["pair"] == "verbs"):
        row = f"{w:16}"
        for t in ("siw", "rxe"):
            got = collect(values, w, t, "verbs", "value")
            row += f"{statistics.median(got):>9.0f} [{min(got):.0f}-{max(got):.0f}]".rjust(22)
            for pair in ("ours", "stock"):
                row += f"{statistics.median(collect(values, w, t, pair, 'value')) / statistics.median(got):7.2f}"
        lines.append(row)
    return lines + [""]


def table(values, rounds, seconds):
    workloads = workloads_of(values)
    lines = [f"Medians of {rounds} rounds of {seconds} s each (least and most in brackets); MB/s, for 4k IOPS.",
             "The ratio is ours to stock. TCP is the stock pair.", ""]
    head = f"{'':16}" + "".join(f"{t + ' ' + p:>22}" + (f"{'ratio':>7}" if p == "stock" and t != "tcp" else "")
                                for t, p in COLUMNS)
    for key, title in (("value", "throughput"), ("cpu", "CPU seconds per GiB")):
        lines += [title, head]
        for w in workloads:
            row = f"{w:16}"
            for t, p in COLUMNS:
                got = collect(values, w, t, p, key)
                digits = 0 if key == "value" else 2
                row += f"{statistics.median(got):>9.{digits}f} [{min(got):.{digits}f}-{max(got):.{digits}f}]".rjust(22)
                if p == "stock" and t != "tcp":
                    ours = statistics.median(collect(values, w, t, "ours", key))
                    row += f"{ours / statistics.median(got):7.2f}"
            lines.append(row)
        lines.append("")
        if key == "value":
            lines += verbs_table(values)
    return "\n".join(lines)


def plot(values, path):
    """Ratio to TCP, so that all workloads fit on one scale."""
    workloads = workloads_of(values)
    rows = []
    for w in workloads:
        tcp = statistics.median(collect(values, w, "tcp", "stock", "value"))
        rows.append(f'"{w}" ' + " ".join(
            f"{statistics.median(collect(values, w, t, p, 'value')) / tcp:.4f}" for t, p in COLUMNS[:4]))
    series = ", ".join(f"'-' using {2 + i}:xtic(1) title '{t} {p}'" for i, (t, p) in enumerate(COLUMNS[:4]))
    data = "\n".join(rows) + "\ne\n"
    script = f"""set terminal svg size 900,480 background 'white'
set output '{path}'
set title 'SMB over RDMA, throughput relative to TCP (1.0)'
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8
set yrange [0:*]
set grid y
set key outside top horizontal
plot {series}, 1 with lines lc 'black' title 'TCP'
""" + data * 4
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--seconds", type=int, default=3)
    args.add_argument("--out", type=pathlib.Path, default=TOP / "bench-results")
    args = args.parse_args()
    subprocess.run([TOP / "tests/vm/deps.sh", "bench"], check=True)
    values = []
    for n in range(args.rounds):
        for pair, *what in PAIRS if n % 2 == 0 else reversed(PAIRS):
            print(f"round {n + 1} of {args.rounds}: {pair}", flush=True)
            values += [dict(v, round=n) for v in boot(pair, *what, args.seconds)]
    args.out.mkdir(parents=True, exist_ok=True)
    text = table(values, args.rounds, args.seconds)
    (args.out / "smb.txt").write_text(text)
    (args.out / "smb.json").write_text(json.dumps(values, indent=1) + "\n")
    plot(values, args.out / "smb.svg")
    print(f"\n{text}\n{args.out}: smb.txt, smb.json, smb.svg")


main()
