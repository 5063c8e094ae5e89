"""Inputs that once made a reader fail otherwise than it should; found by fuzzing.

Name of the reader in ``readers.READERS``, and the bytes, or a change of its valid ones.
"""

from __future__ import annotations

import json


def _latent(change):
    def alter(content):
        known = json.loads(content)
        change(known)
        return json.dumps(known).encode()

    return alter


def _vast(known):
    known["source"]["affine"][0][0] = 1e300


def _far(known):
    known["source"]["affine"][0][3] = 1e300


FINDINGS = [
    ("checkpoint", b"G"),  # struct.error
    ("checkpoint", b"\x80\x04."),  # IndexError
    ("checkpoint", b"a" * 999),  # IndexError
    ("settings", b"seed: 1\noptimis {.inf{epochs: 3}\n"),  # KeyError
    ("settings", b"a.b: 1"),  # KeyError
    ("preset", b"? [a]\n: b"),  # TypeError
    ("preset", b"model: 2020-99-99"),  # ValueError without the file's name
    ("table", b"path\n" + b"a" * 200_000),  # csv.Error
    ("datalist", b"[" * 100_000),  # RecursionError
    ("sidecar", b"[" * 100_000),  # RecursionError
    ("latent", _latent(_vast)),  # HeaderDataError
    ("latent", _latent(lambda c: c["placement"].update(native_shape=[9, 1e999, 9]))),
    ("latent", _latent(_far)),  # HeaderDataError
    ("latent", _latent(lambda c: c["placement"].update(native_affine=[[0] * 4] * 4))),
    ("latent", _latent(lambda c: c["source"].update(axcodes=["X", "Y", "Z"]))),
]
