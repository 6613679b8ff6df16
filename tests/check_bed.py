#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prove that every checker of the test bed is awake.

check_bed.py [list]

For each entry of tests/plants/table, build the module with the fault that the entry plants,
run the groups that it names with the judge that always judges, and expect a failure, by the
checker that it names. Then run the same groups without a fault and expect success. With "list",
print the table for reading and run nothing.

Environment: ONLY (a pattern with * and ?: only plants whose name matches; several are separated
by spaces), FULL=1 (also those that take long, on the second bed), GREEN=0 (leave out the runs
without a fault).

The checkout is copied into the cache and the fault is planted in the copy, so the product here
is never touched, and only one file is compiled anew for each plant.
"""
import dataclasses
import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
TABLE = TOP / "tests" / "plants" / "table"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
WORK = CACHE / "net_smbdirect" / "plant" / hashlib.sha256(str(TOP).encode()).hexdigest()[:8]
COPY = WORK / "tree"
TIMEOUT = "240"     # seconds for a boot that an entry sets no other time for


class TableError(Exception):
    """The table does not fit the source, or contradicts itself."""


@dataclasses.dataclass
class Change:
    """Replace text that occurs once in a file, or make a file if there is no such text."""
    file: str
    before: list = dataclasses.field(default_factory=list)
    after: list = dataclasses.field(default_factory=list)

    def apply(self, tree):
        path = tree / self.file
        old, new = ("".join(line + "\n" for line in lines)
                    for lines in (self.before, self.after))
        if not old:
            if path.exists():
                raise TableError(f"{self.file} exists already")
            path.write_text(new)
            return
        text = path.read_text() if path.exists() else ""
        # Whole lines: the text begins the file or follows a line break.
        if ("\n" + text).count("\n" + old) != 1:
            raise TableError(f"the text to change is not in {self.file} exactly once")
        path.write_text(("\n" + text).replace("\n" + old, "\n" + new)[1:])


@dataclasses.dataclass
class Plant:
    """An entry of the table; see its head."""
    name: str
    what: str = ""
    kernel: str = ""
    groups: str = ""
    env: str = ""
    full: str = ""
    found: str = ""
    shows: list = dataclasses.field(default_factory=list)
    console: list = dataclasses.field(default_factory=list)
    changes: list = dataclasses.field(default_factory=list)

    def environ(self):
        # Words of the form NAME=value; a + in a value stands for a space.
        return {k: v.replace("+", " ") for k, v in
                (word.split("=", 1) for word in self.env.split())}


def read_table():
    plants = []
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        where = f"{TABLE.name}:{number}"
        if line.startswith("["):
            plants.append(Plant(line.strip("[]")))
        elif plants and plants[-1].changes and line[:1] in " +-":
            change = plants[-1].changes[-1]
            if line[:1] != "+":
                change.before.append(line[1:])
            if line[:1] != "-":
                change.after.append(line[1:])
        elif not line or line.startswith("#"):
            continue
        else:
            key, _, value = line.partition(": ")
            entry = plants[-1] if plants else None
            if key == "change":
                entry.changes.append(Change(value))
            elif isinstance(getattr(entry, key, None), list):
                getattr(entry, key).append(value)
            elif isinstance(getattr(entry, key, None), str):
                setattr(entry, key, value)
            else:
                raise TableError(f"{where}: what is {key}?")
    for p in plants:
        # An empty line ends an entry; inside of one it is context.
        for change in p.changes:
            while change.after and not change.after[-1] and change.before[-1:] == [""]:
                change.before.pop()
                change.after.pop()
        if not (p.what and p.kernel and p.groups and p.found and p.changes):
            raise TableError(f"{p.name}: something is missing")
    return plants


def copy_checkout():
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run(["rsync", "-rl", "--checksum", "--delete", "--perms", "--exclude=.git",
                    "--exclude=*.o", "--exclude=*.ko", f"{TOP}/", f"{COPY}/"], check=True)


def run(name, kernel, groups, env):
    """Run groups in the copy. Returns run.sh's status, where its results are, and what it said."""
    out = WORK / "out" / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    # ONLY chooses plants for us, and cases for run.sh.
    outer = {k: v for k, v in os.environ.items() if k != "ONLY"}
    with open(out / "said", "w+", errors="replace") as said:
        status = subprocess.run([COPY / "tests/vm/run.sh", kernel, *groups.split()],
                                env={**outer, "TIMEOUT": TIMEOUT, **env, "OUT": str(out)},
                                stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                check=False).returncode
        said.seek(0)
        return status, out, said.read()


def read(path):
    return path.read_text(errors="replace") if path.exists() else ""


def failures(out):
    """The results that failed, each with the lines that explain it."""
    blocks = re.split(r"^(?=(?:not )?ok\b)", read(out / "results.ktap"), flags=re.M)
    return [block for block in blocks if block.startswith("not ok")]


def missed(plant, status, out):
    """Why the plant does not count as found; empty if it does."""
    mine = [b for b in failures(out) if re.search(plant.found, b.splitlines()[0])]
    if not mine:
        return f"nothing that failed matches '{plant.found}'"
    if status == 0:
        return "run.sh says that all is well"
    for where, text, wanted in (("the result", "".join(mine), plant.shows),
                                ("the console", read(out / "console"), plant.console)):
        for regex in wanted:
            if not re.search(regex, text):
                return f"{where} does not show '{regex}'"
    return ""


class Results:
    """One line for each run, and the total."""

    def __init__(self):
        self.count = {True: 0, False: 0}
        self.start = 0

    def begin(self):
        self.start = time.monotonic()

    def line(self, ok, text, said=""):
        self.count[ok] += 1
        print(f"{'ok' if ok else 'not ok'} {sum(self.count.values())} - {text} "
              f"({time.monotonic() - self.start:.0f} s)", flush=True)
        if not ok:
            print("".join(f"# {line}\n" for line in said.splitlines()[-60:]), end="", flush=True)

    def end(self):
        print(f"{self.count[True]} passed, {self.count[False]} failed")
        return self.count[True] > 0 and self.count[False] == 0


def try_plant(plant, results):
    results.begin()
    copy_checkout()
    try:
        for change in plant.changes:
            change.apply(COPY)
    except TableError as err:
        results.line(False, f"{plant.name}: {err}")
        return
    status, out, said = run(plant.name, plant.kernel, plant.groups, plant.environ())
    why = missed(plant, status, out)
    found = ", ".join([plant.found, *plant.shows, *plant.console])
    results.line(not why, f"{plant.name}: {why or 'found by ' + found}", f"{said}\nresults: {out}")


def try_green(plants, results):
    """The same groups without a fault: once for each kernel and environment."""
    runs = {}
    for p in plants:
        # A group that is itself the plant does not exist without it.
        made = {pathlib.Path(c.file).stem for c in p.changes if not c.before}
        env = {k: v for k, v in p.environ().items()
               if k in ("SMB", "BED", "ONLY", "DEVICES")}
        groups = runs.setdefault((p.kernel, tuple(env.items())), {})
        groups.update(dict.fromkeys(g for g in p.groups.split() if g not in made))
    for (kernel, env), groups in runs.items():
        if not groups:
            continue
        results.begin()
        copy_checkout()
        name = " ".join([kernel, *(f"{k}='{v}'" for k, v in env), *groups])
        status, out, said = run(f"green-{kernel}", kernel, " ".join(groups),
                                {"TIMEOUT": "1200", **dict(env)})
        results.line(status == 0, f"without a fault: {name}", f"{said}\nresults: {out}")


def try_judge(only, results):
    """What no kernel can be made to show on purpose: logs that are made up."""
    sys.path.insert(0, str(TOP / "tests" / "plants"))
    import judge_cases
    results.begin()
    for name, wrong in judge_cases.run():
        if any(fnmatch.fnmatch(f"judge: {name}", o) for o in only):
            results.line(not wrong, f"judge: {name}", wrong)


def main():
    plants = read_table()
    if sys.argv[1:] == ["list"]:
        print(".. list-table::\n   :header-rows: 1\n")
        rows = [("Fault", "Planted as", "Kernel, group", "Found by")]
        rows += [(p.what, f"``{p.name}``", f"{p.kernel}, {p.groups}",
                  " ".join(f"``{r}``" for r in [p.found, *p.shows, *p.console])) for p in plants]
        for row in rows:
            print("   * - " + "\n     - ".join(row))
        return True
    only = os.environ.get("ONLY", "*").split()
    full = os.environ.get("FULL", "0") != "0"
    wanted = [p for p in plants if any(fnmatch.fnmatch(p.name, o) for o in only)]
    for p in [p for p in wanted if p.full and not full]:
        print(f"# {p.name}: left out, {p.full}: FULL=1 runs it")
        wanted.remove(p)
    results = Results()
    try_judge(only, results)
    for p in wanted:
        try_plant(p, results)
    if os.environ.get("GREEN", "1") != "0":
        try_green(wanted, results)
    return results.end()


if __name__ == "__main__":
    try:
        sys.exit(0 if main() else 1)
    except TableError as problem:
        print(f"not ok 1 - tests/plants/table: {problem}\n0 passed, 1 failed")
        sys.exit(1)
