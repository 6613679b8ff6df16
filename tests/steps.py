# SPDX-License-Identifier: GPL-2.0-or-later
"""Run steps beside each other and add up what they say: for check.py and soak.py.

A step is a command. Its last line "N passed, N failed[, N skipped]" counts, else its exit status
counts as one test. Lines like "ok 3 - NAME # SKIP reason", "# excuse: N x NAME" and "# rerun: WHAT" in
its output, or in results.ktap of its output directory for a boot, are collected for the closing lines.
"""
import collections
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

TOTAL = re.compile(r'^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$')
RESULT = re.compile(r'^(not )?ok\b(?: \d+)?(?: -)? (.*)$')
# What a case is run with is not part of its name.
TRANSPORT = re.compile(r'\b(siw|rxe|tcp)( v[46]|0)?\b')
# A driver that loses what it should repeat may cost a case a second try, this often in a run.
RERUNS = 5


class Step:
    """
    One command, and what came of it. It waits for the kernels it needs; builds names the one that it
    makes; boots says that it has an output directory.
    """
    def __init__(self, name, argv, env=None, cost=0, kernels=(), boots=True, builds=None):
        self.name, self.argv, self.env = name, argv, env or {}
        self.cost, self.kernels, self.boots, self.builds = cost, set(kernels), boots, builds
        self.passed = self.failed = self.skipped = self.seconds = 0
        self.lines, self.skip = [], None


class Steps:
    """The steps of one run. work: a directory for what they print."""
    def __init__(self, work, beside=3, deadline=None, slow=100):
        self.work, self.beside, self.deadline, self.slow = pathlib.Path(work), beside, deadline, slow
        self.work.mkdir(parents=True, exist_ok=True)
        self.steps, self.ready, self.missing = [], set(), {}
        self.lock = threading.Condition()
        self.print_lock = threading.Lock()
        self.children, self.running, self.stopped = set(), set(), False
        self.start = time.monotonic()

    def add(self, *args, **kwargs):
        self.steps.append(Step(*args, **kwargs))

    def say(self, text):
        with self.print_lock:
            print(text, flush=True)

    def kernel_is(self, kernel, reason=None):
        """The kernel is built, or, with a reason, cannot be had."""
        with self.lock:
            if reason is None:
                self.ready.add(kernel)
            else:
                self.missing[kernel] = reason
            self.lock.notify_all()

    def _child(self, argv, env):
        child = subprocess.Popen(argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 errors='replace', start_new_session=True)
        self.children.add(child)
        return child

    def command(self, argv, env=None, prefix=''):
        """Run a command and show its output; return (status, lines)."""
        child = self._child(argv, env or {})
        lines = []
        for line in child.stdout:
            lines.append(line.rstrip('\n'))
            self.say(prefix + lines[-1])
        status = child.wait()
        self.children.discard(child)
        return status, lines

    def _run(self, n, step):
        began = time.monotonic()
        self.say(f'{n}| == {step.name}')
        out = self.work / f'{n}'
        status, said = self.command(step.argv, {**step.env, 'OUT': str(out)} if step.boots else step.env,
                                    f'{n}| ')
        (self.work / f'{n}.log').write_text('\n'.join(said) + '\n')
        results = out / 'results.ktap'
        step.lines = results.read_text(errors='replace').splitlines() if results.exists() else said
        last = next((line for line in reversed(said) if not line.startswith('make')), '')
        total = TOTAL.match(last)
        if total:
            step.passed, step.failed, step.skipped = (int(x or 0) for x in total.groups())
            # Totals without a failure and a bad status do not fit: something died.
            if status and not step.failed:
                step.failed = 1
        elif status == 0:
            step.passed = 0 if step.builds else 1
        else:
            step.failed = 1
        if step.builds:
            self.kernel_is(step.builds, 'its kernel does not build' if status else None)
        step.seconds = time.monotonic() - began
        if status:
            self.say(f'{n}| FAILED: {step.name}')
        self.say(f'{n}|    ({step.seconds:.0f} s)')

    def _next(self, waiting):
        """The next step that can run now; drop those that cannot any more."""
        for step in list(waiting):
            gone = next((self.missing[k] for k in step.kernels if k in self.missing), None)
            left = None if self.deadline is None else self.deadline - time.monotonic()
            if gone and not step.builds:
                step.skip = gone
            elif left is not None and left < step.cost * self.slow / 100:
                step.skip = f'{max(0, left) / 60:.0f} minutes of CHECK_MINUTES are left, it needs ' \
                            f'{step.cost * self.slow / 6000:.0f}'
            else:
                # Kernels are built one after the other, each with all CPUs.
                if step.builds and any(s.builds for s in self.running):
                    continue
                if step.kernels <= self.ready:
                    return step
                continue
            waiting.remove(step)
            if step.builds:
                self.missing[step.builds] = step.skip
        return None

    def _worker(self, waiting):
        while True:
            with self.lock:
                step = self._next(waiting)
                while step is None and waiting and not self.stopped:
                    self.lock.wait(5)
                    step = self._next(waiting)
                if step is None or self.stopped:
                    return
                waiting.remove(step)
                self.running.add(step)
            self._run(self.steps.index(step) + 1, step)
            with self.lock:
                self.running.discard(step)
                self.lock.notify_all()

    def stop(self, *_):
        self.stopped = True
        for child in list(self.children):
            try:
                os.killpg(child.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        os._exit(130)

    def run(self, remark=''):
        """Run all; return whether nothing failed. The remark is said with the totals."""
        signal.signal(signal.SIGINT, self.stop)
        signal.signal(signal.SIGTERM, self.stop)
        waiting = list(self.steps)
        workers = [threading.Thread(target=self._worker, args=(waiting,), daemon=True)
                   for _ in range(self.beside)]
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(0.5)
        return self._close(remark)

    def _close(self, remark):
        cases, excuses = set(), collections.Counter()
        failures, skips, reruns = [], collections.Counter(), []
        for n, step in enumerate(self.steps, 1):
            if step.skip:
                step.skipped = 1
                skips[f'{step.name} # {step.skip}'] += 1
            for line in step.lines:
                excuse = re.match(r'# excuse: (\d+) x (.*)', line)
                result = RESULT.match(line)
                if excuse:
                    excuses[excuse[2]] += int(excuse[1])
                elif line.startswith('# rerun: '):
                    reruns.append(f'{step.name}: {line[9:]}')
                elif result:
                    name, _, skip = result[2].partition(' # SKIP')
                    cases.add(TRANSPORT.sub('', name))
                    if skip:
                        skips[f'{TRANSPORT.sub("*", name)} #{skip}'] += 1
                    if result[1]:
                        failures.append(f'{n}| {line[:300]}')
        self.say('== passed, failed, skipped, seconds of each step')
        for n, step in enumerate(self.steps, 1):
            mark = ' FAILED' if step.failed else ' skipped' if step.skip else ''
            self.say(f'{step.passed:6} {step.failed:4} {step.skipped:4} {step.seconds:6.0f}  {n} {step.name}{mark}')
        passed = sum(s.passed for s in self.steps)
        failed = sum(s.failed for s in self.steps)
        skipped = sum(s.skipped for s in self.steps)
        if len(reruns) > RERUNS:
            failed += 1
            failures.append(f'not ok - {len(reruns)} reruns, more than {RERUNS}')
        for title, lines in (('what failed', failures),
                             ('skipped', [f'{count} x {name}' for name, count in skips.items()]),
                             ('excused', [f'{count} x {name}' for name, count in excuses.items()]),
                             ('run again', reruns)):
            if lines:
                self.say(f'== {title}')
                self.say('\n'.join(lines[:60]))
        if failed:
            self.say(f'full logs: {self.work}')
        if remark:
            self.say(remark)
        minutes = (time.monotonic() - self.start) / 60
        self.say(f'{len(cases)} cases, {passed + failed} combinations of case, transport and kernel, '
                 f'{sum(excuses.values())} excuses, {len(reruns)} reruns, {minutes:.1f} minutes')
        self.say(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
        return not failed and passed > 0
