#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: our socket beside the in-tree smbdirect.ko, TCP and raw verbs, in one kernel.

bench.py			table, JSON and plots
bench.py compare A B		the module of two revisions (a name, or . for the checkout as it is), as
				the first of CONTENDERS: ours, or ours1364
bench.py profile BED WORKLOAD CONTENDER
				where the CPU time goes, by the host's perf
bench.py count			allocations, runs of completion queues and wake-ups for each frame or
				transfer, of the whole kernel, counted by trace events

The release test kernel runs every workload over every contender, round after round; what comes
first changes with the round. The table has medians with least and most, and the ratios that have
a goal. Memory is taken in boots of its own, once.

Environment: ROUNDS (5), SECONDS_EACH (1, for one measurement), BEDS, CONTENDERS, WORKLOADS (comma
separated, see below), CONNS (1000, for memory), CPUS (2, of the guest), OUT (bench-results).
Written to OUT: bench.txt, bench.json (every single value) and bench-*.svg; compare.txt, compare.json; count.txt.
Documentation/networking/smbdirect-performance.rst tells what the numbers mean.
"""
import bisect
import collections
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "net_smbdirect"
OUT = pathlib.Path(os.environ.get("OUT", TOP / "bench-results"))
ROUNDS = int(os.environ.get("ROUNDS", 5))
SECONDS = float(os.environ.get("SECONDS_EACH", 1))
CONNS = int(os.environ.get("CONNS", 1000))


def listed(name, default):
    return os.environ.get(name, default).split(",")


BEDS = listed("BEDS", "siw,rxe")
CONTENDERS = listed("CONTENDERS", "ours,intree,verbs,tcp,ours1364,verbs1364,intree8192,verbs1m")
STREAMS = [f"{way}-{size}" for way in ("oneway", "twoway") for size in ("1k", "64k", "1m")]
TALKS = ["pingpong-64", "pingpong-4k", "pipelined-4k"]
RDMA = [f"{way}-{size}-{depth}" for way in ("read", "write") for size in ("64k", "1m", "8m")
        for depth in (1, 8)]
WORKLOADS = listed("WORKLOADS", ",".join(STREAMS + TALKS + RDMA + ["connects", "memory", "memory-idle"]))

# What is told of a measurement: title, unit, whether more is better, digits, and how.
METRICS = {
    "rate": ("throughput", "MB/s", True, 0, lambda v: v["bytes"] * 1e3 / v["ns"]),
    "frames": ("requests", "1/s", True, 0, lambda v: v["frames"] * 1e9 / v["ns"]),
    "median": ("round trip, median", "us", False, 1, lambda v: v["median_ns"] / 1e3),
    "p99": ("round trip, 99th percentile", "us", False, 1, lambda v: v["p99_ns"] / 1e3),
    "cpu": ("CPU time per GiB", "s", False, 2, lambda v: v["cpu_ns"] / 1e9 / (v["bytes"] / 2**30)),
    "connects": ("connections", "1/s", True, 0, lambda v: v["connects"] * 1e9 / v["ns"]),
    "idle": ("memory of an idle connection", "KiB", False, 0, lambda v: v["idle_bytes"] / 1024),
    "burst": ("memory of one after a burst", "KiB", False, 0, lambda v: v["burst_bytes"] / 1024),
}


def metrics_of(workload):
    what = workload.split("-")[0]
    return {"pingpong": ["median", "p99"], "pipelined": ["frames", "cpu"], "connects": ["connects"],
            "memory": ["idle", "burst"]}.get(what, ["rate", "cpu"])


# Metric, workload, ours, the other one, the goal for the ratio; None: told without a goal.
GOALS = [
    ("rate", "oneway-1m", "ours", "intree", 3.0),
    ("rate", "oneway-1m", "ours1364", "intree", 1.3),
    ("rate", "oneway-1m", "verbs", "intree", None),
    ("rate", "oneway-1m", "verbs1364", "intree", None),
    ("rate", "oneway-1m", "ours", "intree8192", None),
    ("frames", "pipelined-4k", "ours", "intree", 2.0),
    ("frames", "pipelined-4k", "ours", "intree8192", None),
    ("median", "pingpong-64", "ours", "intree", 0.8),
    ("median", "pingpong-64", "verbs", "intree", None),
    ("p99", "pingpong-64", "ours", "intree", 1.0),
    ("rate", "write-1m-8", "ours", "verbs", 0.95),
    ("rate", "read-1m-8", "ours", "verbs", 0.95),
    ("rate", "write-1m-8", "ours", "intree", 1.0),
    ("rate", "read-1m-8", "ours", "intree", 1.0),
    ("rate", "oneway-1m", "ours", "verbs", 0.8),
    ("rate", "oneway-1m", "ours", "verbs1m", None),
] + [("cpu", w, "ours", "intree", 0.7) for w in STREAMS + ["pipelined-4k"]
     ] + [("cpu", w, "ours", "intree", 1.0) for w in RDMA
          ] + [
    ("connects", "connects", "ours", "intree", None),
    ("idle", "memory", "ours", "intree", 0.25),
    ("burst", "memory", "ours", "intree", None),
]


def say(text):
    print(text, flush=True)


def boot(what, contenders, workloads, rounds, beds=None, mem="3G", conns=CONNS, top=TOP, beside=None,
         may_fail=False, **more):
    """Run the group once; the values. Who fails ends everything, but for MAY_FAIL: then there are none.
    BESIDE is called now and then."""
    count = rounds * len(beds or BEDS) * len(workloads) * len(contenders)
    per = 120 if any(w.startswith("memory") for w in workloads) else SECONDS + 4
    with tempfile.TemporaryDirectory() as out:
        words = {"beds": ",".join(beds or BEDS), "contenders": ",".join(contenders),
                 "workloads": ",".join(workloads), "rounds": rounds, "ms": int(SECONDS * 1000),
                 "conns": conns, **more}
        env = dict(os.environ, OUT=out, MEM=mem, TIMEOUT=str(int(300 + count * per)),
                   APPEND=" ".join(f"smbdr_bench_{k}={v}" for k, v in words.items()))
        log = open(f"{out}.log", "w+")
        run = subprocess.Popen([top / "tests/vm/run.sh", "release", "bench"], env=env, text=True,
                               stdout=log, stderr=subprocess.STDOUT)
        lines, said, start = [], 0, time.monotonic()
        try:
            while True:
                ended = run.poll() is not None
                if os.path.exists(f"{out}/bench"):
                    lines = [l for l in open(f"{out}/bench") if l.endswith("\n")]
                if len(lines) > said and (ended or time.monotonic() - start > 15):
                    last, said, start = json.loads(lines[-1]), len(lines), time.monotonic()
                    say(f"  {what}: {said} done, round {last['round'] + 1} of {rounds}, "
                        f"{last['bed']} {last['workload']} {last['contender']}")
                if beside:
                    beside(out)
                if ended:
                    break
                time.sleep(0.5)
        finally:
            if run.poll() is None:
                run.terminate()
                run.wait()
        log.seek(0)
        text = log.read()
        log.close()
        os.unlink(f"{out}.log")
        if run.returncode:
            kept = pathlib.Path(tempfile.mkdtemp(prefix="smbdr-bench."))
            shutil.copytree(out, kept / "out", ignore=shutil.ignore_patterns("modroot"))
            said = f"{text}\nbench.py: {what} failed, see above; logs: {kept}/out"
            if not may_fail:
                sys.exit(said)
            say(said)
            return []
        return [json.loads(l) for l in lines]


def collect(values, bed, workload, contender, metric):
    """The values of a metric by round."""
    how = METRICS[metric][4]
    return {v["round"]: how(v) for v in values
            if (v["bed"], v["workload"], v["contender"]) == (bed, workload, contender)}


def short(x, digits):
    return f"{x:.{digits}f}"


def spread(got, digits):
    got = list(got.values())
    return f"{short(statistics.median(got), digits)} [{short(min(got), digits)}-{short(max(got), digits)}]"


def ratios(values, bed, metric, workload, ours, other):
    """Ratio of the medians, and the least and the most of single rounds; None without values."""
    a, b = (collect(values, bed, workload, c, metric) for c in (ours, other))
    rounds = [r for r in a if b.get(r)]
    if not rounds:
        return None
    single = [a[r] / b[r] for r in rounds]
    base = statistics.median(b.values())
    return (statistics.median(a.values()) / base if base else 0), min(single), max(single)


def goal_lines(values):
    lines = ["Goals: ratio of the medians; in brackets that of single rounds",
             f"{'':62}{'bed':>5}{'ratio':>8}{'':>15}{'goal':>9}"]
    for metric, workload, ours, other, goal in GOALS:
        title, _, more, _, _ = METRICS[metric]
        for bed in BEDS:
            got = ratios(values, bed, metric, workload, ours, other)
            if not got:
                continue
            what = "" if workload in ("connects", "memory") else f"{workload} "
            line = f"{f'{what}{title}: {ours}/{other}':<62}{bed:>5}{got[0]:>8.2f}{f'[{got[1]:.2f}-{got[2]:.2f}]':>15}"
            if goal is not None:
                met = got[0] >= goal if more else got[0] <= goal
                line += f"{('>= ' if more else '<= ') + str(goal):>9}  {'met' if met else 'MISSED'}"
            lines.append(line)
    return lines


def table(values, small):
    lines = [f"Medians of {ROUNDS} rounds of {SECONDS:g} s for each value, least and most in brackets.", ""]
    for metric, (title, unit, _, digits, _) in METRICS.items():
        workloads = [w for w in WORKLOADS if metric in metrics_of(w)]
        for bed in BEDS:
            rows = []
            for w in workloads:
                cells = [collect(values, bed, w, c, metric) for c in CONTENDERS]
                if any(cells):
                    rows.append(f"{w:<14}" + "".join(f"{spread(c, digits) if c else '-':>27}" for c in cells))
            if rows:
                lines += [f"{title}, {unit}, {bed}", f"{'':14}" + "".join(f"{c:>27}" for c in CONTENDERS)]
                lines += rows + [""]
    lines += goal_lines(values)
    for bed, got in small.items():
        lines.append(f"{CONNS} idle connections in a guest of 512 MiB, {bed}: "
                     + (f"{got[0]['idle_bytes'] / 1024:.0f} KiB each  met" if got else "MISSED"))
    return "\n".join(lines) + "\n"


def plot(values, name, title, metric, workloads, log=False):
    """A picture with the beds one above the other: groups of bars, with least and most."""
    workloads = [w for w in workloads if any(v["workload"] == w for v in values)]
    contenders = [c for c in CONTENDERS if any(v["contender"] == c and v["workload"] in workloads for v in values)]
    if not workloads or not contenders:
        return
    script = [f"set terminal svg size 1100,{420 * len(BEDS)} background 'white'",
              f"set output '{OUT}/bench-{name}.svg'", f"set multiplot layout {len(BEDS)},1",
              "set style data histograms", "set style histogram errorbars gap 1 lw 1",
              "set style fill solid 0.8", "set grid y", "set key outside top horizontal",
              "set bars 0.5", "set logscale y" if log else "set yrange [0:*]",
              f"set ylabel '{METRICS[metric][1]}'"]
    for n, bed in enumerate(BEDS):
        rows = []
        for w in workloads:
            row = f'"{w}"'
            for c in contenders:
                got = list(collect(values, bed, w, c, metric).values())
                row += f" {statistics.median(got)} {min(got)} {max(got)}" if got else " NaN NaN NaN"
            rows.append(row)
        script += [f"$data{n} << EOD"] + rows + ["EOD", f"set title '{title}, {bed}'"]
        script.append("plot " + ", ".join(
            f"$data{n} using {2 + 3 * i}:{3 + 3 * i}:{4 + 3 * i}:xtic(1) title '{c}'"
            for i, c in enumerate(contenders)))
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def report(values, small):
    """Write what there is, and return the table."""
    OUT.mkdir(parents=True, exist_ok=True)
    text = table(values, small)
    (OUT / "bench.txt").write_text(text)
    (OUT / "bench.json").write_text(json.dumps(
        {"rounds": ROUNDS, "seconds": SECONDS, "values": values, "small_guest": small}, indent=1) + "\n")
    plot(values, "streams", "Streams", "rate", STREAMS, log=True)
    plot(values, "rdma", "RDMA", "rate", RDMA, log=True)
    plot(values, "roundtrip", "Round trip, median", "median", ["pingpong-64", "pingpong-4k"])
    plot(values, "cpu", "CPU time per GiB", "cpu", STREAMS + RDMA, log=True)
    plot(values, "memory", "Memory of an idle connection", "idle", ["memory"])
    return text


def bench():
    subprocess.run([TOP / "tests/vm/deps.sh", "bench"], check=True)
    # The machine is built before anything is timed, also when several boots follow.
    subprocess.run([TOP / "tests/vm/modules.sh", "release"], check=True, stdout=subprocess.DEVNULL)
    values, small = [], {}
    timed = [w for w in WORKLOADS if not w.startswith("memory")]
    if timed:
        values += boot("workloads", CONTENDERS, timed, ROUNDS)
        report(values, small)	# should a later boot fail
    if "memory" in WORKLOADS:
        values += boot("memory", CONTENDERS, ["memory"], 1, mem="8G")
    if "memory-idle" in WORKLOADS and "ours" in CONTENDERS:
        for bed in BEDS:
            small[bed] = boot(f"{CONNS} connections in 512 MiB", ["ours"], ["memory-idle"], 1, [bed],
                              mem="512M", may_fail=True)
    text = report(values, small)
    say(f"\n{text}\n{OUT}: bench.txt, bench.json, bench-*.svg")


# ----- two revisions -----

def tree(name, rev):
    """The checkout as of a revision, with the benchmark of this one."""
    if rev == ".":
        return TOP
    where = CACHE / "compare" / name
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", TOP, "archive", rev], stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", where], input=archive.stdout, check=True)
    for part in ("tests/bench", "tests/lib", "tests/vm"):
        shutil.rmtree(where / part, ignore_errors=True)
        shutil.copytree(TOP / part, where / part)
    for part in ("tests/groups/bench.sh", "tests/consumer/consumer.sh"):
        shutil.copy(TOP / part, where / part)
    # Its own test modules may not fit this library: only the benchmark is built.
    kbuild = where / "Kbuild"
    tests = "ifeq ($(NET_SMBDIRECT_TESTS),1)\n"
    kbuild.write_text(kbuild.read_text().split(tests)[0] + tests
                      + "include $(src)/tests/bench/bench.mk\nendif\n")
    return where


def compare(a, b):
    revs = {"A": tree("a", a), "B": tree("b", b)}
    workloads = [w for w in WORKLOADS if not w.startswith("memory")]
    values = []
    for top in revs.values():
        subprocess.run([top / "tests/vm/modules.sh", "release"], check=True, stdout=subprocess.DEVNULL)
    for n in range(ROUNDS):
        for name in ("A", "B") if n % 2 == 0 else ("B", "A"):
            got = boot(f"round {n + 1} of {ROUNDS}, {name}", CONTENDERS[:1], workloads, 1, top=revs[name])
            values += [dict(v, round=n, contender=name) for v in got]
    lines = [f"A is {a}, B is {b}, {CONTENDERS[0]}: medians of {ROUNDS} rounds of {SECONDS:g} s, a boot each; "
             "the ratio is B/A, in brackets that of single rounds.", ""]
    for metric, (title, unit, more, digits, _) in METRICS.items():
        for bed in BEDS:
            rows = []
            for w in workloads:
                if metric not in metrics_of(w):
                    continue
                if not collect(values, bed, w, "A", metric):
                    continue	# the contender has none
                cells = [spread(collect(values, bed, w, c, metric), digits) for c in ("A", "B")]
                got = ratios(values, bed, metric, w, "B", "A")
                rows.append(f"{w:<14}{cells[0]:>26}{cells[1]:>26}{got[0]:>8.2f} [{got[1]:.2f}-{got[2]:.2f}]")
            if rows:
                lines += [f"{title}, {unit}, {bed} ({'more' if more else 'less'} is better)",
                          f"{'':14}{'A':>26}{'B':>26}{'ratio':>8}"] + rows + [""]
    OUT.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines)
    (OUT / "compare.txt").write_text(text)
    (OUT / "compare.json").write_text(json.dumps({"A": a, "B": b, "values": values}, indent=1) + "\n")
    say(f"\n{text}\n{OUT}: compare.txt, compare.json")


# ----- events -----

EVENTS = {
    "kmem/kmalloc": "allocations by size",
    "kmem/kmem_cache_alloc": "allocations from caches",
    "kmem/mm_page_alloc": "allocations of pages",
    "rdma_core/cq_process": "runs of a completion queue",
    "sched/sched_wakeup": "wake-ups",
    "sched/sched_switch": "thread switches",
}


def count():
    """Events are those of client, server, driver and network stack; the setup counts as well."""
    contenders = [c for c in CONTENDERS if c in ("ours", "intree", "verbs", "tcp")]
    workloads = [w for w in WORKLOADS if w.split("-")[0] not in ("connects", "memory")]
    values = boot("events", contenders, workloads, 1, events=",".join(EVENTS))
    lines = [f"For each frame or transfer, {SECONDS:g} s each:", ""]
    for bed in BEDS:
        for w in workloads:
            got = {v["contender"]: v for v in values if (v["bed"], v["workload"]) == (bed, w)}
            lines.append(f"{f'{w}, {bed}':<28}" + "".join(f"{c:>12}" for c in got))
            for event, title in EVENTS.items():
                lines.append(f"{title:<28}" + "".join(
                    f"{v[event.split('/')[1]] / max(v.get('frames', v.get('transfers')), 1):>12.2f}"
                    for v in got.values()))
            lines.append("")
    OUT.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines)
    (OUT / "count.txt").write_text(text)
    say(f"\n{text}\n{OUT}: count.txt")


# ----- a profile -----

class Profile:
    """perf on the host beside one measurement. The guest's kallsyms say what the addresses are."""

    def __init__(self):
        self.data = tempfile.NamedTemporaryFile(prefix="smbdr-perf.")
        self.perf, self.symbols = None, []

    def __call__(self, out):
        if not self.symbols and os.path.exists(f"{out}/measuring"):
            for line in open(f"{out}/kallsyms"):
                words = line.split()
                if words[1] in "tTwW":
                    self.symbols.append((int(words[0], 16), words[2], words[3] if len(words) > 3 else ""))
            self.symbols.sort()
        if self.symbols and not self.perf:
            pids = [p.name for p in pathlib.Path("/proc").glob("[0-9]*") if self.ours(p, out)]
            self.perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-o", self.data.name,
                                          "-p", ",".join(pids), "--", "sleep", str(SECONDS)])

    @staticmethod
    def ours(proc, out):
        try:
            words = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return words[0].endswith(b"/linux") and f"smbdr_out={out}".encode() in words

    def report(self):
        if not self.perf:
            sys.exit("bench.py: it was over before perf could start")
        self.perf.wait()
        script = subprocess.run(["perf", "script", "-i", self.data.name, "-F", "ip"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        starts = [s[0] for s in self.symbols]
        names, parts, total = collections.Counter(), collections.Counter(), 0
        for line in script.stdout.split():
            # Above: the host's kernel. Below it, its libraries, such as the clock.
            ip, name, part = int(line, 16), "", "the host"
            if ip < 1 << 47:
                part = "libraries of the host"
            if ip < 1 << 46:
                n = bisect.bisect(starts, ip) - 1
                _, name, part = self.symbols[n] if n >= 0 else (0, "?", "")
                part = part or "kernel"
            names[f"{name} {part if part != 'kernel' else ''}".strip()] += 1
            parts[part] += 1
            total += 1
        say(f"\n{total} samples")
        for count in (parts, names):
            say("")
            for what, n in count.most_common(45):
                say(f"{100 * n / total:6.1f} %  {what}")


def profile(bed, workload, contender):
    run = Profile()
    for v in boot("profile", [contender], [workload], 1, [bed], beside=run):
        for metric in metrics_of(workload):
            title, unit, _, digits, how = METRICS[metric]
            say(f"{title}: {how(v):.{digits}f} {unit}")
    run.report()


def main():
    args = sys.argv[1:]
    if not args:
        bench()
    elif len(args) == 3 and args[0] == "compare" and args[1] and args[2]:
        compare(args[1], args[2])
    elif args == ["count"]:
        count()
    elif len(args) == 4 and args[0] == "profile":
        profile(*args[1:])
    else:
        sys.exit(__doc__)


main()
