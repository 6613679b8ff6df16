#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""seeds.py DIR: write the first inputs of the fuzzers, from the test vectors, to DIR/wire and
DIR/reasm."""
import os
import struct
import sys

REQUEST, RESPONSE, DATA, PRIVATE = range(4)


def data(length, remaining=0, granted=1, requested=255, flags=0, offset=None):
    if offset is None:
        offset = 24 if length else 0
    hdr = struct.pack('<HHHHIII', requested, granted, flags, 0, remaining, offset, length)
    return hdr + (bytes(4) + bytes(i * 7 & 255 for i in range(length)) if length else b'')


def message(total, part):
    """A whole upper layer message in fragments of part bytes."""
    left, out = total, []
    while left:
        n = min(part, left)
        left -= n
        out.append(data(n, left))
    return out


wire = {
    'request-example': (REQUEST, '00010001 00000a00 00040000 00040000 00000200'),
    'request-windows': (REQUEST, '00010001 0000ff00 54050000 00200000 00001000'),
    'request-linux': (REQUEST, '00010001 0000ff00 54050000 54050000 56a70200'),
    'request-version': (REQUEST, '0101ffff 00000a00 00040000 00040000 00000200'),
    'request-no-credits': (REQUEST, '00010001 00000000 00040000 00040000 00000200'),
    'request-short': (REQUEST, '00010001 00000a00 00040000 00040000 000002'),
    'response-example': (RESPONSE, '00010001 00010000 0a000a00 00000000 00001000 00040000'
                                   '00040000 00000200'),
    'response-refused': (RESPONSE, '00010001 00000000 00000000 bb0000c0' + '00' * 16),
    'response-windows': (RESPONSE, '00010001 00010000 ff00ff00 00000000 00008000 54050000'
                                   '54050000 00001000'),
    'private-linux': (PRIVATE, '00000020 00000001'),
    'private-old': (PRIVATE, '20000000 01000000'),
}
wire = {name: bytes([kind]) + bytes.fromhex(text) for name, (kind, text) in wire.items()}
for name, msg in {
        'data-500': data(500), 'keepalive': data(0, granted=0, flags=1), 'answer': data(0),
        'grant': data(0, granted=10, requested=10), 'announces': data(0, 65536),
        'middle': data(0, 1000, offset=24) + bytes(4), 'no-credits': bytes(20),
        'offset-23': data(500, offset=23), 'offset-32': data(500, offset=32),
        'offset-wraps': data(500, offset=0xfffffff8)}.items():
    wire['data-' + name] = bytes([DATA]) + msg

reasm = {
    'one': [data(100)],
    'fragments': message(4096, 1000),
    'bytes': message(40, 1),
    'two': message(300, 104) + [data(0)] + message(200, 104),
    'announced': [data(0, 200), data(100, 100), data(0, 100), data(100)],
    'grant-between': message(300, 100)[:1] + [data(0)],
    'too-large': [data(1, 4096)],
    'early-end': message(300, 100)[:1] + [data(100)],
    'wraps': [data(500, 0xffffff00)],
}
reasm = {name: b''.join(struct.pack('<H', len(m)) + m for m in msgs)
         for name, msgs in reasm.items()}

for kind, seeds in (('wire', wire), ('reasm', reasm)):
    where = os.path.join(sys.argv[1], kind)
    os.makedirs(where, exist_ok=True)
    for name, content in seeds.items():
        with open(os.path.join(where, name), 'wb') as f:
            f.write(content)
