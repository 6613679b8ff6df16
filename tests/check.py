#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make check: every test, here and in test kernels; the last line is the total.

What runs where is in tests/groups.table. From the environment:

ONLY            run what matches, and nothing else, by name with * and ?: a group ("close"), a case
                ("smbdr_stream.*tiny*"), a scenario of the raw peer ("peer.client_basic"), or one of
                the other steps ("style"); more than one with spaces between
DEVICES         siw, rxe, tcp: use these only
KERNELS         release, kasan, lockdep, 6.12, host: use these only
BED             qemu: the second bed in place of User Mode Linux
BOOTS           how many kernels run at a time (3)
CHECK_MINUTES   skip, by name, what would not end in this time
"""
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import time

import steps as runner

TOP = pathlib.Path(__file__).resolve().parent.parent
TABLE = TOP / 'tests' / 'groups.table'
# Steps that are no boots, and the kernels whose build they use.
HOST = {
    'unit': (['make', '-s', '-C', 'tests/unit', 'check'], []),
    'judge': (['tests/plants/judge_cases.py'], []),
    'style': (['tests/style.sh'], ['kasan']),
    'pure_fuzz': (['make', '-s', '-C', 'tests/fuzz', 'check'], []),
    'intree': (['tests/intree.sh'], ['release']),
    'compile': (['tests/compile.sh'], []),
    'commands': (['tests/commands.sh'], ['release']),
}
SMB_PAIR = re.compile(r'(ours|stock)-(ours|stock)$')
# Groups that need a boot of their own, with what it has beside them.
ALONE = {'demo': {'APPEND': 'smbdr_demo_ms=100'}}
# Groups of about so many seconds share a boot.
BOOT_SECONDS = 240
KERNEL_SECONDS = 480    # to build one


class Place:
    """A group in a kernel: one entry of the table."""
    def __init__(self, row, group, spec):
        where, seconds = spec.split('=')
        self.kernel, *variants = where.split('/')
        self.row, self.group, self.seconds = row, group, int(seconds)
        self.smb = next((v for v in variants if SMB_PAIR.match(v)), None)
        self.mtu = next((v[3:] for v in variants if v.startswith('mtu')), None)
        self.spec = '/'.join([group] + [v for v in variants if v in ('v6', 'tcp')])


def read_table():
    places = []
    for row, line in enumerate(TABLE.read_text().splitlines()):
        words = line.split('#')[0].split()
        places += [Place(row, words[0], spec) for spec in words[1:]]
    return places


def suites_of(group):
    """The KUnit suites that a group runs."""
    names = set()
    for source in (TOP / 'tests' / 'consumer').glob('*.c'):
        names |= set(re.findall(r'\.name = "(smbdr_\w+)"', source.read_text()))
    script = TOP / 'tests' / 'groups' / f'{group}.sh'
    return sorted(names & set(re.findall(r'\bsmbdr_\w+', script.read_text()))) if script.exists() else []


def select(places, only):
    """The places that match, as (place, case or None)."""
    chosen = []
    for pattern in only.split():
        # What is neither a group nor has a suite in front of it is a scenario, or the peer says that
        # there is none.
        if '.' not in pattern and not any(fnmatch.fnmatchcase(place.group, pattern) for place in places):
            pattern = f'peer.{pattern}'
        suite, dot, _ = pattern.partition('.')
        found = []
        for place in places:
            if fnmatch.fnmatchcase(place.group, pattern):
                found.append((place, None))
            elif dot and place.group == suite == 'peer':
                found.append((place, pattern))
            elif dot and any(fnmatch.fnmatchcase(name, suite) for name in suites_of(place.group)):
                found.append((place, pattern))
        if not found:
            sys.exit(f'check.py: nothing matches ONLY={pattern}\n0 passed, 1 failed')
        chosen += found
    return chosen


def cannot_boot(kernel):
    """Why this machine cannot run a kernel: there is no source of its series; or None."""
    series = re.match(r'\d+\.\d+', kernel)
    if not series:
        return None
    have = subprocess.run(['tests/vm/kernel.sh', 'have', series[0]], capture_output=True, text=True, check=False)
    return have.stderr.strip().splitlines()[-1] if have.returncode else None


def kernel_argv(kernel):
    flavour = kernel.removeprefix('qemu-')
    series = subprocess.run(['tests/vm/kernel.sh', 'series'], capture_output=True, text=True, check=True).stdout.strip()
    if flavour[0].isdigit():
        series, _, flavour = flavour.partition('-')
    return ['tests/vm/kernel.sh', 'build', series, flavour or 'release']


def add_boot(steps, kernel, places, case=None):
    env = dict(ALONE.get(places[0].group, {}))
    seconds = sum(place.seconds for place in places)
    if kernel.startswith('qemu-'):
        env['BED'] = 'qemu'
    if places[0].smb:
        env['SMB'] = places[0].smb.replace('-', ' ')
    if places[0].mtu:
        env['MTU'] = places[0].mtu
    if case:
        env['ONLY'] = case
    # Four times what it takes is a hang.
    env['GROUP_TIMEOUT'] = str(120 + 4 * max(place.seconds for place in places))
    env['TIMEOUT'] = str(240 + 4 * seconds)
    groups = ' '.join(place.group for place in places)
    beside = ''.join(f', {name} {value}' for name, value in (('SMB', places[0].smb), ('MTU', places[0].mtu)) if value)
    name = f'{kernel}{beside}: {case or groups}'
    # A case alone needs its suite only.
    specs = [place.spec if not case or place.group == 'peer' else re.sub('^[^/]*', 'only', place.spec)
             for place in places]
    steps.add(name, ['tests/vm/run.sh', kernel.removeprefix('qemu-'), *specs], env, seconds, [kernel])
    return min(place.row for place in places)


def plan(steps, chosen):
    """Turn places into steps, the most important first."""
    order = []

    def added(row):
        order.append((row, steps.steps.pop()))

    sharing = {}
    for place, case in chosen:
        if place.kernel == 'host':
            argv, kernels = HOST[place.group]
            steps.add(place.group, argv, {}, place.seconds, kernels, boots=False)
            added(place.row)
        elif case or place.smb or place.mtu or place.group in ALONE:
            added(add_boot(steps, place.kernel, [place], case))
        else:
            sharing.setdefault(place.kernel, []).append(place)
    for kernel, places in sharing.items():
        boot = []
        for place in places:
            if boot and sum(p.seconds for p in boot) + place.seconds > BOOT_SECONDS:
                added(add_boot(steps, kernel, boot))
                boot = []
            boot.append(place)
        added(add_boot(steps, kernel, boot))
    order.sort(key=lambda entry: entry[0])
    for kernel in dict.fromkeys(k for _, step in order for k in sorted(step.kernels)):
        reason = cannot_boot(kernel)
        if reason:
            steps.kernel_is(kernel, reason)
            continue
        env = {'BED': 'qemu'} if kernel.startswith('qemu-') else {}
        steps.add(f'kernel {kernel}', kernel_argv(kernel), env, KERNEL_SECONDS, boots=False, builds=kernel)
    # The longest first, so that none is left alone at the end, unless the time may not suffice.
    if steps.deadline is None:
        order.sort(key=lambda entry: -entry[1].cost)
    steps.steps += [step for _, step in order]


def prepare(deadline=None):
    """Tools, the speed of this machine, a place for logs; the steps that are to be added to, or None."""
    os.chdir(TOP)
    if subprocess.run(['tests/vm/deps.sh'], check=False).returncode:
        print('0 passed, 1 failed')
        return None
    os.environ['SMBDR_DEPS'] = 'have'   # no need to look again in every step
    slow = subprocess.run(['tests/vm/speed.sh'], capture_output=True, text=True, check=True).stdout.strip()
    os.environ['SMBDR_SLOW'] = slow
    cache = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache')
    work = cache / 'net_smbdirect' / 'out' / f"check-{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"
    boots = int(os.environ.get('BOOTS') or (1 if os.environ.get('BED') == 'qemu' else 3))
    print(f'speed {slow} %, logs in {work}', flush=True)
    return runner.Steps(work, boots, deadline, int(slow))


def main():
    env = {name: os.environ.pop(name, '') for name in ('ONLY', 'DEVICES', 'KERNELS', 'CHECK_MINUTES')}
    qemu = os.environ.get('BED') == 'qemu'
    minutes = env.pop('CHECK_MINUTES')
    steps = prepare(time.monotonic() + 60 * float(minutes) if minutes else None)
    if steps is None:
        return 1
    os.environ.pop('BED', None)
    if env['DEVICES']:
        os.environ['DEVICES'] = env['DEVICES'].replace(',', ' ')
    kernels = env['KERNELS'].replace(',', ' ').split()
    places = [place for place in read_table() if place.kernel.startswith('qemu-') == qemu and
              (not kernels or place.kernel.removeprefix('qemu-') in kernels)]
    plan(steps, select(places, env['ONLY']) if env['ONLY'] else [(place, None) for place in places])
    part = ' '.join(f'{name}={value}' for name, value in env.items() if value)
    ok = steps.run(f'only a part: {part}' if part else '')
    return 0 if ok else 1


if __name__ == '__main__':
    sys.exit(main())
