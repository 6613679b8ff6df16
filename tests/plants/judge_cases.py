#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up kernel logs for tests/vm/judge.py, and what it has to say of them.

check_bed.py runs the cases. A log is a list of lines; those of another task than T1 begin with
the name of the task or CPU and a bar. A case says which results have to fail, and what they have
to show.
"""
import importlib.util
import pathlib
import re
import sys

_path = pathlib.Path(__file__).resolve().parent.parent / "vm" / "judge.py"
_spec = importlib.util.spec_from_file_location("judge", _path)
judge = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(judge)

WHOLE, CLEAN, LOCKDEP = "kernel log is whole", "kernel log clean", "lockdep is on"
RULER = "=" * 66


def stack(*functions):
    return ["Call Trace:", *(f" {f}+0x12/0x34" for f in functions)]


def kasan(where, *functions):
    return [RULER, f"BUG: KASAN: slab-use-after-free in {where}+0x10/0x20",
            "Read of size 8 at addr 0000000060001000 by task kworker/1", "",
            *stack("dump_stack_lvl", "print_report", "kasan_report", where, *functions),
            "", "Allocated by task 7:", " kasan_save_stack+0x12/0x34", RULER]


def warn(where, *functions):
    return ["------------[ cut here ]------------", f"WARNING: CPU: 0 PID: 7 at {where}",
            *stack(*functions), "---[ end trace 0000000000000000 ]---"]


def lockdep(*details):
    return [RULER.replace("=" * 6, "", 1), "WARNING: possible circular locking dependency detected",
            "7.3.4 #1 Not tainted", "-" * 54, "kworker/1 is trying to acquire lock:", *details,
            "stack backtrace:", *stack("dump_stack_lvl", "check_noncircular", "lock_acquire_x")]


def other_caller(caller, lines):
    return [f"{caller}|{line}" for line in lines]


def interleave(one, other):
    longer = max(len(one), len(other))
    return [lines[n] for n in range(longer) for lines in (one, other) if n < len(lines)]


RXE = kasan("rxe_sched_task", "rxe_xmit_packet", "rxe_requester", "do_work")
RXE_WARN = warn("drivers/infiniband/sw/rxe/rxe_task.c:1 at rxe_sched_task+0x1/0x2",
                "rxe_sched_task", "rxe_resp_queue_pkt", "rxe_rcv")
OURS = kasan("smbdr_wc_recv", "__ib_process_cq", "ib_cq_poll_work")
SIW_LOCK = lockdep("60002000 (clock-AF_INET){++.?}-{3:3}, at: siw_cm_llp_data_ready+0x1/0x2")
DEEP = [f"function_{n}" for n in range(5)]

# name: (log, results that fail, what they show); a fourth member is passed on to judge().
CASES = {
    "nothing": ([], {}),
    "a known fault of rxe is excused": (RXE, {}),
    "a report about us": (OURS, {CLEAN: "smbdr_wc_recv"}),
    "the known fault with a function of ours in the eighth frame": (
        kasan("rxe_sched_task", "rxe_xmit_packet", *DEEP, "smbdr_tx_one"),
        {CLEAN: "rxe_sched_task"}),
    "the known fault with a function of ours in the ninth frame": (
        kasan("rxe_sched_task", "rxe_xmit_packet", *DEEP, "work", "smbdr_tx_one"), {}),
    "the place of the known fault on another way": (
        kasan("rxe_sched_task", "rxe_destroy"), {CLEAN: "rxe_sched_task"}),
    "two reports line by line": (
        interleave(RXE, other_caller("C0", OURS)), {CLEAN: "smbdr_wc_recv"}),
    "a report about us behind a known one": (RXE + OURS, {CLEAN: "smbdr_wc_recv"}),
    "a report about us in front of a known one": (OURS + RXE, {CLEAN: "smbdr_wc_recv"}),
    "a line of ours inside of a known report": (
        RXE[:3] + ["T2|net_smbdirect: lost"] + RXE[3:], {CLEAN: "net_smbdirect: lost"}),
    "a bad line behind a known report": (
        RXE + ["refcount_t: underflow; use-after-free."], {CLEAN: "refcount_t"}),
    "many reports of one kind, and one of another": (
        [line for n in range(30) for line in kasan("smbdr_wc_recv", f"f{n}")] +
        kasan("smbdr_tx_one", "f"), {CLEAN: "in smbdr_tx_one"}),
    "a WARN": (warn("net/socket.c:1", "sock_release"), {CLEAN: "net/socket.c"}),
    "rxe's WARN": (RXE_WARN, {}),
    "rxe's WARN, sent by us": (warn("drivers/infiniband/sw/rxe/rxe_task.c:1 at rxe_sched_task",
                                    "rxe_sched_task", "rxe_resp_queue_pkt", "smbdr_tx_one"),
                               {CLEAN: "rxe_task"}),
    "rxe's WARN, sent by us, in a kernel without frame pointers": (
        [line.replace(" rxe_", " ? rxe_") for line in RXE_WARN[:-1]] +
        [" ? f+0x1/0x2"] * 9 + [" ? smbdr_tx_one+0x1/0x2", RXE_WARN[-1]], {CLEAN: "rxe_task"}),
    "siw's lock is excused": (SIW_LOCK, {}),
    "siw's lock, and we call": (SIW_LOCK + [" smbdr_conn_abort+0x1/0x2"], {CLEAN: "circular"}),
    "another lock": (lockdep("0000000060002000 (&conn->lock){+.+.}-{3:3}, at: f+0x1/0x2"),
                     {CLEAN: "circular"}),
    "a race between others": (
        [RULER, "BUG: KCSAN: data-race in tick_sched+0x1/0x2 / timer+0x1/0x2", "",
         "read to 0x1 of 4 bytes by task 1 on cpu 0:", " tick_sched+0x1/0x2", RULER], {}),
    "a race with us": (
        [RULER, "BUG: KCSAN: data-race in smbdr_a+0x1/0x2 / timer+0x1/0x2", "",
         "read to 0x1 of 4 bytes by task 1 on cpu 0:", " smbdr_a+0x1/0x2 [net_smbdirect]", RULER],
        {CLEAN: "KCSAN"}),
    "lockdep is off, and nobody knows why": ([], {LOCKDEP: "off"}, "close"),
    "lockdep is off after a report of its own": (SIW_LOCK, {}, "close"),
    "lockdep is off after a report that is no WARN": (RXE, {}, "close"),
    "lockdep is off after a WARN, which does not do that": (RXE_WARN, {LOCKDEP: "off"}, "close"),
    "no start mark": (None, {WHOLE: "start"}),
    "no end mark": (None, {WHOLE: "end"}),
    "a record is lost": (None, {WHOLE: "lost"}),
    "no log": (None, {WHOLE: "start"}),
}
# Each of these lines fails a run.
LINES = (
    "net_smbdirect: connected",
    "BUG: sleeping function called from invalid context at a.c:1",
    "BUG: scheduling while atomic: insmod/1/0x2",
    "INFO: task insmod:1 blocked for more than 60 seconds.",
    "WARNING: suspicious RCU usage",
    "UBSAN: shift-out-of-bounds in a.c:1",
    "UBSAN: array-index-out-of-bounds in a.c:1",
    "refcount_t: underflow; use-after-free.",
    "list_del corruption, 1->next is LIST_POISON1 (2)",
    "memcpy: detected field-spanning write (size 4)",
    "usercopy: Kernel memory exposure attempt detected",
    "BUG kmalloc-64 (Not tainted): Poison overwritten",
    "BUG: Bad page state in process a pfn:1",
    "unregister_netdevice: waiting for a to become free.",
    "ref_tracker: net notrefcnt@1 has 1/1 users at",
    "rcu: INFO: rcu_sched self-detected stall on CPU",
    "ODEBUG: free active (active state 0) object: 1 object type: timer_list",
    "Kernel panic - not syncing: a",
    "Attempt to release TCP socket in state 1 0000000060001000",
    "BUG: KFENCE: memory corruption in a",
    "DMA-API: device driver frees DMA memory with wrong function",
    "watchdog: BUG: soft lockup - CPU#0 stuck",
)


def records(lines, name=""):
    """The log as /dev/kmsg has it, with marks and numbers unless the case is about these."""
    lines = [judge.START, *lines, "last", judge.END]
    if name == "no start mark":
        del lines[0]
    elif name == "no end mark":
        del lines[-1]
    text = ""
    for seq, line in enumerate(lines, 100):
        caller, bar, rest = line.partition("|")
        if not bar or " " in caller:
            caller, rest = "T1", line
        if not (name == "a record is lost" and rest == "last"):
            text += f"6,{seq},{seq * 100},-,caller={caller};{rest}\n"
    return judge.records("" if name == "no log" else text)


def run():
    """Yield (name, what is wrong) of each case."""
    for name, (lines, fails, *lockdep_off) in CASES.items():
        yield name, wrong(records(lines or [], name), fails, *(lockdep_off or [""]))
    for line in LINES:
        yield f"the line {line[:40]}", wrong(records([line]), {CLEAN: re.escape(line[:12])}, "")
    expected = [re.compile("net_smbdirect: connected")]
    yield "an expected line", wrong(records([LINES[0]]), {}, "", expected)
    early = [*judge.records("6,1,1,-,caller=T1;BUG: at boot\n"), *records([])]
    yield "a report before the tests", wrong(
        [early[0]._replace(seq=99), *early[1:]], {}, "")


def wrong(log, fails, lockdep_off, expected=()):
    results, _ = judge.judge(log, expected, lockdep_off)
    said = []
    for ok, name, details in results:
        if ok != (name not in fails):
            said.append(f"'{name}' is {'ok' if ok else 'not ok: ' + '; '.join(details[:3])}")
        elif not ok and not re.search(fails[name], "\n".join(details)):
            said.append(f"'{name}' does not show {fails[name]}")
    said += [f"no result '{name}'" for name in fails if name not in [r[1] for r in results]]
    return "; ".join(said)


if __name__ == "__main__":
    results = list(run())
    for case, why in results:
        print(f"{'not ok' if why else 'ok'} - judge: {case}{' # ' + why if why else ''}")
    failed = sum(bool(why) for _, why in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(failed != 0)
