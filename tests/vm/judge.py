#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Judge the kernel log of one boot of the test bed.

    judge.py OUT RESULTS    read OUT/kmsg, append results to the file RESULTS, write OUT/dmesg

OUT/kmsg is what the guest read from /dev/kmsg: each record has a sequence number, so a lost record
shows, and the task or CPU that printed it, so the lines of two reports at once can be told apart.

A report of the kernel fails the run unless it is one of the KNOWN faults below, which are faults of
siw, rxe or User Mode Linux, and no function of ours is among its first frames. Each report that is
excused is printed as "# excuse: NAME" and counted by the runner.
"""
import collections
import pathlib
import re
import sys

START, END = 'smbdr-bed: start of tests', 'smbdr-bed: end of tests'
FIRST_FRAMES = 8

FRAME = re.compile(r'(?P<maybe>\? )?\b(?P<name>[\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+'
                   r'(?: \[(?P<module>\w+)[^]]*\])?')
# What every stack begins with: the functions that print it.
PRINTERS = re.compile(r'show_stack|dump_stack|print_|kasan_|__asan_|__kasan_|__warn|warn_slowpath|'
                      r'report_bug|handle_bug|exc_|asm_exc_|kcsan_|__tsan_|__ubsan_|ubsan_|lockdep_rcu|'
                      r'check_|mark_lock|__lock_acquire|lock_acquire|_raw_(spin|read|write)_lock')
OURS = re.compile(r'net_smbdirect|smbdr_')

# A line that must not be there, alone or as the head of a report.
BAD = re.compile(
    r'\bBUG\b|WARNING|INFO: |KASAN|UBSAN|KFENCE|KCSAN|hung task|blocked for more than|refcount_t|Oops|'
    r'possible (recursive|circular|irq|deadlock|unsafe)|sleeping function|scheduling while atomic|'
    r'suspicious|ODEBUG|Kernel panic|segfault|rcu: .*stall|Call Trace|^net_smbdirect: |'
    r'list_(add|del) corruption|Unable to handle|general protection|DMA-API:|ref_tracker|'
    r'unregister_netdevice: waiting|leaked reference|usercopy:|field-spanning|buffer overflow|'
    r'detected buffer|Poison overwritten|Redzone|Object already free|nobody cared|soft lockup|'
    r'invalid opcode|stack-protector|Bad page|bad: scheduling|Attempt to release')
# The loader's remarks about a module that is not of its tree carry our name; what kmemleak counts
# is judged by the guest.
LOADER = re.compile(r'^net_smbdirect: (loading out-of-tree module|module verification failed)|'
                    r'^kmemleak: ')
CUT, TRACE_END = '[ cut here ]', '---[ end trace'
RULER = re.compile(r'^={20,}$')

Record = collections.namedtuple('Record', 'seq usec caller text')


class Report:
    """Lines that belong together, from one caller."""
    def __init__(self, kind, usec):
        self.kind, self.usec, self.lines = kind, usec, []
        self.traced = self.done = False

    @property
    def title(self):
        for line in self.lines:
            if BAD.search(line) and 'Call Trace' not in line:
                return line
        return self.lines[0] if self.lines else ''

    def add(self, line):
        """Take the next line of the same caller; False if it is no longer part of this."""
        if self.kind == 'warn':
            self.lines.append(line)
            self.done = TRACE_END in line
            return True
        if RULER.match(line):
            # KASAN and KCSAN end with a second ruler, lockdep's last one is below its title.
            if re.search('KASAN|KCSAN', self.title):
                self.lines.append(line)
                self.done = True
                return True
            if self.traced:
                return False
        if self.traced and self.kind != 'ruled' or self.traced and not re.search('KASAN|KCSAN', self.title):
            if not FRAME.search(line) and 'Call Trace:' not in line and '</TASK>' not in line \
                    and '<TASK>' not in line:
                return False
        if self.kind == 'plain' and not self.traced and len(self.lines) > 60:
            return False
        if 'Call Trace:' in line and (self.kind == 'plain' or self.backtrace_begun()):
            self.traced = True
        self.lines.append(line)
        return True

    def backtrace_begun(self):
        return any('stack backtrace:' in line for line in self.lines) or \
            not any('lock' in line for line in self.lines[:4])

    def frames(self):
        """The first frames of the stack that the report is about, without those that print it.

        A kernel without frame pointers is certain of none; then all that it sees on the stack count.
        """
        lines = self.lines
        for n, line in enumerate(lines):
            if 'stack backtrace:' in line:
                lines = lines[n:]
                break
        begun, found, maybe = False, [], []
        for line in lines:
            if 'Call Trace:' in line:
                if found:
                    break
                begun = True
                continue
            frame = FRAME.search(line)
            if not frame:
                if begun and found:
                    break
                continue
            if not found and PRINTERS.match(frame['name']):
                continue
            # A data race has no such heading: its stacks follow the line that names the access.
            if begun or 'KCSAN' in self.title:
                (maybe if frame['maybe'] else found).append(
                    f"{frame['name']} {frame['module'] or ''}")
        return found[:FIRST_FRAMES] or maybe

    def is_ours(self):
        return any(OURS.search(frame) for frame in self.frames())


def has(report, pattern):
    return any(re.search(pattern, line) for line in report.lines)


def near(report, first, second, lines):
    """Is there a line like second within so many lines after one like first?"""
    last = None
    for n, line in enumerate(report.lines):
        if re.search(first, line):
            last = n
        if last is not None and n - last < lines and re.search(second, line):
            return True
    return False


# siw takes the callback lock of its TCP sockets for reading with softirqs enabled, TCP's listener
# for writing under a lock that softirqs take. lockdep has several reports for it; each names siw's
# function where it took that lock, or shows the stack of when it was first taken so.
def siw_callback_lock(report):
    return has(report, r'lock|irq') and has(report, r'clock-AF_INET') and (
        has(report, r'\(k?clock-AF_INET6?\).* at: siw_(cm|qp)_llp_') or
        near(report, r'which became SOFTIRQ-irq-unsafe at:|\{SOFTIRQ-ON-R\} state was registered at:|'
             r'SOFTIRQ-ON-R at:', r'siw_(cm|qp)_llp_', 15))


# rxe queues a packet for the responder, whose reference on the queue pair goes with the packet, and
# then still uses the queue pair: in rxe_resp_queue_pkt(), or, if it is inlined, rxe_xmit_packet().
def rxe_responder(report):
    return re.search(r'KASAN: .* in rxe_sched_task|WARNING: .*rxe_task\.c:', report.title) and \
        has(report, r'\brxe_(resp_queue_pkt|xmit_packet)\+')


# A TCP connection to a siw listener that goes away meanwhile has inherited its callbacks and the
# pointer to its endpoint, which is freed when TCP forgets the child.
def siw_child(report):
    return 'KASAN: slab-use-after-free in siw_cm_llp_error_report' in report.title and \
        has(report, r'\binet_child_forget\+')


# When the handler of UML's timer runs softirqs and another tick waits by then, enabling interrupts
# takes that tick and returns with interrupts off. lockdep's check in __local_bh_enable_ip() then
# says that the last to disable interrupts was um_trace_signals_off(), one event after
# handle_softirqs() enabled them.
def uml_tick(report):
    def event(pattern):
        for line in report.lines:
            found = re.search(pattern + r'.*', line) and re.search(r'\((\d+)\):', line)
            if found:
                return int(found[1])
        return None
    on = event(r'hardirqs last  enabled at .* handle_softirqs\+')
    off = event(r'hardirqs last disabled at .* um_trace_signals_off\+')
    return re.search(r'WARNING: .*kernel/softirq\.c:.* at __local_bh_enable_ip\+', report.title) and \
        has(report, r'\btimer_alarm_handler\+') and on is not None and off == on + 1


# KCSAN looks at the whole kernel. Races between others are theirs.
def foreign_race(report):
    return 'KCSAN' in report.title and not has(report, OURS.pattern)


KNOWN = {
    'siw takes the callback lock of TCP with softirqs on': siw_callback_lock,
    'rxe uses a queue pair after its last reference': rxe_responder,
    'siw leaves its callbacks to a TCP child': siw_child,
    'UML takes a tick with interrupts off': uml_tick,
    'a data race between others': foreign_race,
}


def known(report):
    if report.is_ours():
        return None
    for name, matches in KNOWN.items():
        if matches(report):
            return name
    return None


def records(text):
    for line in text.splitlines():
        head, sep, said = line.partition(';')
        fields = head.split(',')
        if not sep or line[:1] == ' ' or len(fields) < 4 or not fields[1].isdigit():
            continue
        caller = next((f[7:] for f in fields[4:] if f.startswith('caller=')), '')
        said = re.sub(r'\\x([0-9a-f]{2})', lambda m: chr(int(m[1], 16)), said)
        for part in said.split('\n'):
            yield Record(int(fields[1]), int(fields[2]), caller, part)


def reports(log):
    """Yield what must not be in the log, each report as one."""
    open_, order = {}, []

    def close(caller):
        order.append(open_.pop(caller))

    for rec in log:
        now = open_.get(rec.caller)
        if now and (rec.usec - now.usec > 5_000_000 or not now.add(rec.text)):
            close(rec.caller)
            now = None
        elif now:
            now.usec = rec.usec
            if now.done:
                close(rec.caller)
            continue
        kind = None
        if CUT in rec.text:
            kind = 'warn'
        elif RULER.match(rec.text):
            kind = 'ruled'
        elif BAD.search(rec.text) and not LOADER.search(rec.text):
            kind = 'plain'
        if kind:
            open_[rec.caller] = report = Report(kind, rec.usec)
            report.add(rec.text)
    for caller in list(open_):
        close(caller)
    return order


def judge(log, expected, lockdep_off):
    """Return results as (ok, name, details), and the excuses."""
    log = list(log)
    results, whole = [], []
    starts = [n for n, rec in enumerate(log) if rec.text.endswith(START)]
    ends = [n for n, rec in enumerate(log) if rec.text.endswith(END)]
    if not starts:
        whole.append('it does not say where the tests start')
    if not ends:
        whole.append('it does not say where the tests end')
    seqs = sorted({rec.seq for rec in log[starts[0] if starts else 0:]})
    if seqs and seqs[-1] - seqs[0] + 1 != len(seqs):
        whole.append(f'{seqs[-1] - seqs[0] + 1 - len(seqs)} records of it are lost')
    results.append((not whole, 'kernel log is whole', whole))

    bad, excuses = collections.defaultdict(list), collections.Counter()
    lockdep_why = False
    for report in reports(log[starts[0]:] if starts else log):
        # What switches lockdep off: a report of its own, or one that taints more than a WARN does.
        lockdep_why |= report.kind == 'ruled' or bool(re.search(r'\bBUG\b|Oops', report.title))
        # A single line is expected by what it says, a report by its title.
        if any(pattern.search(report.title) for pattern in expected):
            continue
        name = known(report)
        if name:
            excuses[name] += 1
        elif not re.search(r'^=+$', report.title):
            bad[report.title].append(report)
    # What there is at all comes first: the text of the reports may be cut.
    details = [f'{len(same)} x {title}' for title, same in bad.items()]
    for title, (first, *_) in bad.items():
        details += [f'the first "{title}":'] + [line for line in first.lines[:40] if line != title]
    results.append((not bad, 'kernel log clean', details[:90]))
    if lockdep_off is not None:
        wrong = []
        if lockdep_off and not lockdep_why:
            wrong = [f'it went off in {lockdep_off}, and no report says why']
        elif lockdep_off:
            excuses[f'lockdep was off for the rest of {lockdep_off}'] += 1
        results.append((not wrong, 'lockdep is on', wrong))
    return results, excuses


def main(out, ktap):
    out = pathlib.Path(out)
    text = (out / 'kmsg').read_text(errors='replace') if (out / 'kmsg').exists() else ''
    log = list(records(text))
    with open(out / 'dmesg', 'w') as dmesg:
        for rec in log:
            dmesg.write(f'[{rec.usec / 1e6:12.6f}][{rec.caller:>6}] {rec.text}\n')
    expected = out / 'log-expected'
    expected = [re.compile(line) for line in expected.read_text().splitlines()] if expected.exists() else []
    lockdep = out / 'lockdep'
    lockdep_off = lockdep.read_text().strip() if lockdep.exists() else None
    results, excuses = judge(log, expected, lockdep_off)
    if (out / 'excuses').exists():
        excuses.update((out / 'excuses').read_text().splitlines())
    with open(ktap, 'a') as ktap:
        for name, count in excuses.items():
            ktap.write(f'# excuse: {count} x {name}\n')
        for ok, name, details in results:
            ktap.write(f"{'ok' if ok else 'not ok'} - bed: {name}\n")
            ktap.writelines(f'# {line}\n' for line in details)


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
