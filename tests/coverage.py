#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of make coverage, and what is below the goals. coverage.sh calls it.

coverage.py SUMMARY PURE: gcovr's JSON summary, and what the files of the pure layer match. Run in
the checkout: a source file that the summary lacks is an error, and so is a goal that is missed.
"""
import glob
import json
import re
import sys

LINES_GOAL = 90.0           # of smbdirect/ and net/ together, percent
PURE_BRANCHES_GOAL = 100.0  # of each file of the pure layer
FILE_LINES = 90.0           # single files below it are named, and no failure


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def row(name, files):
    lines = sum(f["line_covered"] for f in files), sum(f["line_total"] for f in files)
    branches = sum(f["branch_covered"] for f in files), sum(f["branch_total"] for f in files)
    return {"name": name, "lines": lines, "branches": branches}


def text(r):
    return (f"{r['name']:32}{r['lines'][0]:6}/{r['lines'][1]:<6}{percent(*r['lines']):6.1f} %"
            f"{r['branches'][0]:8}/{r['branches'][1]:<6}{percent(*r['branches']):6.1f} %")


def main():
    with open(sys.argv[1]) as f:
        files = sorted(json.load(f)["files"], key=lambda f: f["filename"])
    pure = re.compile(f"({sys.argv[2]})$")
    # Only makes the trace points of trace.h, in which their lines count.
    known = {f["filename"] for f in files} | {"smbdirect/trace.c"}
    absent = sorted({*glob.glob("smbdirect/*.c"), *glob.glob("net/*.c")} - known)
    if absent:
        sys.exit(f"coverage.py: no data of {', '.join(absent)}")
    parts = {"pure layer": [f for f in files if pure.search(f["filename"])]}
    for directory in "smbdirect/", "net/":
        parts[directory] = [f for f in files if f["filename"].startswith(directory)]
    rows = [row(f["filename"], [f]) for f in files]
    module = row("smbdirect/ and net/", parts["smbdirect/"] + parts["net/"])
    totals = [row(name, members) for name, members in parts.items()] + [module]

    print(f"{'':32}{'lines':>13}{'':8}{'branches':>15}")
    print("\n".join(text(r) for r in rows))
    print("\n".join(text(r) for r in totals))

    def lines(r):
        return f"  {r['name']}: {percent(*r['lines']):.1f} % of the lines"

    few = [lines(r) for r in rows if percent(*r["lines"]) < FILE_LINES]
    print(f"\nFiles with less than {FILE_LINES:g} % of their lines:")
    print("\n".join(few or ["  none"]))

    missed = [lines(module)] if percent(*module["lines"]) < LINES_GOAL else []
    missed += [f"  {r['name']}: {percent(*r['branches']):.1f} % of the branches" for r in rows
               if pure.search(r["name"]) and percent(*r["branches"]) < PURE_BRANCHES_GOAL]
    print(f"\nBelow the goal (lines of all {LINES_GOAL:g} %, branches of the pure layer"
          f" {PURE_BRANCHES_GOAL:g} %):")
    print("\n".join(missed or ["  nothing"]))
    return 1 if missed else 0


sys.exit(main())
