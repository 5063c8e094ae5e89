"""Inputs that once made a reader fail otherwise than it should; found by fuzzing.

Name of the reader in ``readers.READERS``, and the bytes, or a change of its valid ones.
"""

from __future__ import annotations

import json

from scan_bytes import patched


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


def _scores(labels):
    scores = [[[1.0, 0.0], [0.2, 0.8]]]
    probe = {"subjects": ["a", "b"], "labels": labels, "scores": scores}
    return json.dumps({"rows": {}, "probe": probe}).encode()


def _quarter_precision():
    """Tensors of eight bits, which numpy has no name for."""
    told = {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}
    header = json.dumps({"centre": told}).encode()
    return len(header).to_bytes(8, "little") + header + b"\0"


FINDINGS = [
    ("axes", _quarter_precision()),  # AttributeError
    ("checkpoint", b"G"),  # struct.error
    ("checkpoint", b"\x80\x04."),  # IndexError
    ("checkpoint", b"a" * 999),  # IndexError
    ("checkpoint", b"X\xff\xff\xff\xef" + b"a" * 99),  # MemoryError
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
    ("latent", _latent(lambda c: c["placement"]["grid_affine"][3].__setitem__(3, 0))),
    ("latent", _latent(lambda c: c["source"].update(axcodes=["X", "Y", "Z"]))),
    ("scan-mgz", lambda content: content[:20] + b"\0\0\0c" + content[24:]),  # KeyError
    ("scan-mgz", lambda content: content[:4] + bytes(4) + content[8:]),  # MGHError
    ("scan-mgz", lambda content: content[:20]),  # TypeError
    ("vectors", b""),  # EOFError
    ("vectors", b"PK\x03\x04"),  # BadZipFile
    ("vectors", lambda content: content.replace(b"<f4", b"<4), ")),  # SyntaxError
    ("vectors", lambda content: content.replace(b"}", b" ")),  # TokenError
    ("index", lambda content: content.replace(b"\n0\t", b"\nx\t")),  # ValueError
    ("metrics", b"{"),  # JSONDecodeError
    ("metrics", b"3"),  # TypeError
    ("metrics", b'{"epoch": "one"}'),  # TypeError
    ("evaluation", b'{"format": "medvae-evaluation-1"}'),  # KeyError
    ("scores", b"{}"),  # KeyError
    ("scores", b'{"rows": {"a": [{"subject": 1, "value": "b"}]}, "probe": null}'),
    ("scores", _scores([0, 9])),  # IndexError
    ("scores", b'{"rows": {"a": [{"subject": "1", "value": NaN}]}, "probe": null}'),
    ("scores", b'{"rows": {"a": [{"subject": "1", "value": 1e308}]}, "probe": null}'),
    ("scores", b'{"rows": {}, "probe": {"subjects": [], "labels": [], "scores": []}}'),
    ("scores", _scores([0, -1])),  # taken for the last site
    ("recipe", b"{}"),  # KeyError
    ("story", b"objective: [1]"),  # AttributeError
    ("story", b"[" * 2000),  # RecursionError
    ("kept-cohort", b"[" * 100_000),  # RecursionError
    ("kept-cohort", lambda content: content.replace(b'"rows": [', b'"rows": 3, "": [')),
    ("kept-cohort", lambda content: content.replace(b'"site": "A"', b'"Site": "A"')),
    ("kept-estimate", b"[" * 100_000),  # RecursionError
    ("kept-estimate", lambda content: content.replace(b"[0.1, ", b"[")),  # one too few
    ("kept-estimate", lambda content: content.replace(b"[0, 0", b"[1e999, 0")),
    ("kept-meta", lambda content: content.replace(b": [4, 4", b": [1e999, 4")),
    ("kept-meta", b"[" * 100_000),  # RecursionError
    ("kept-image", lambda content: content.replace(b"}", b" ")),  # TokenError
    (
        "kept-image",
        lambda content: content.replace(b"(4, 4", b"(4, 99999999999999999999"),
    ),
    ("kept-image", b"PK\x03\x04"),  # BadZipFile
    ("done", b'{"digest": "00"}'),  # KeyError
    ("done", lambda content: content.replace(b'"choice": 0', b'"choice": 7')),
    ("level", b"{}"),  # KeyError
    ("scan-of-library", lambda _: patched(datatype=63)),  # HeaderDataError
    ("scan-of-library", lambda _: patched(vox_offset=1e36)),  # OverflowError
    ("scan-of-library", lambda _: patched(dim__2=-32746)),  # OverflowError
    ("scan-of-library", lambda _: patched(dim__2=26624, dim__3=26624, scl_slope=2)),
]
