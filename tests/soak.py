#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make soak: what make check does in short, for hours; the last line is the total.

Every step is a boot with one kind of stress, the last two many boots. From the environment: FUZZ
(seconds for each driver, 3600), ROUNDS (of the storm, for each driver, 1000), FRAMES (each way, on
the bad networks, 500000), SEED (where fuzzers and storm begin, by default the time), ONLY (run the
steps whose names match, with * and ?), BOOTS (kernels at a time, 3).
"""
import fnmatch
import os
import sys
import time

import check
import steps as runner


def main():
    os.chdir(check.TOP)
    fuzz = int(os.environ.get('FUZZ') or 3600)
    rounds = int(os.environ.get('ROUNDS') or 1000)
    frames = int(os.environ.get('FRAMES') or 500000)
    seed = int(os.environ.get('SEED') or time.time() % 32768)
    only = os.environ.pop('ONLY', '') or '*'
    steps = check.prepare()
    if steps is None:
        return 1
    print(f'seed {seed}', flush=True)

    def boot(kernel, seconds, append, group):
        name = f"{kernel}: {group}{' (' + append + ')' if append else ''}"
        if not fnmatch.fnmatchcase(name, only):
            return
        env = {'TIMEOUT': str(seconds), 'APPEND': append}
        if kernel.startswith('qemu-'):
            env['BED'] = 'qemu'
        steps.add(name, ['tests/vm/run.sh', kernel.removeprefix('qemu-'), group], env, seconds)

    boot('kasan', 2 * fuzz + 600, f'smbdr_fuzz_seed={seed} smbdr_fuzz_seconds={fuzz}', 'fuzz')
    for kernel in 'kasan', 'lockdep':
        boot(kernel, rounds * 30 + 600, f'smbdr_storm_seed={seed} smbdr_storm_rounds={rounds}', 'storm')
    boot('release', frames // 50 + 600, f'smbdr_noise_frames={frames}', 'noise')
    for kernel in 'qemu-kcsan', 'qemu-kasan':
        boot(kernel, fuzz + 3600, f'smbdr_fuzz_seed={seed} smbdr_fuzz_seconds={fuzz // 2}', 'fuzz')
        boot(kernel, rounds * 30 + 3600,
             f'smbdr_storm_seed={seed} smbdr_storm_rounds={rounds // 10}', 'storm')
    for name, argv, env in (('check on qemu', ['tests/check.py'], {'BED': 'qemu'}),
                            ('SMB, all pairs', ['tests/check_smb.sh'], {})):
        if fnmatch.fnmatchcase(name, only):
            steps.add(name, argv, env, boots=False)
    return 0 if steps.run() else 1


if __name__ == '__main__':
    sys.exit(main())
