"""Run folders and encodings that were damaged, swapped or made to harm."""

from __future__ import annotations

import json
import pickle
import random
import shutil
import struct
from functools import partial

import nibabel as nib
import numpy as np
import torch
from bad_input import Bad
from safetensors.torch import load_file, save_file
from scan_bytes import packed, patched, scan, written

from medvae.files import digest

WEIGHTS, CONFIG = "model.safetensors", "config.json"


class Harm:
    """Unpickled, it would make a file."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


def run(name, change, file, says=""):
    """A run folder with one thing wrong, asked to encode a good scan."""

    def make(folder, source):
        shutil.copytree(source, folder / "run")
        written(scan(), "a.nii")(folder)
        change(folder / "run")

    words = ("encode", "{here}/run", "{here}/a.nii", "-o", "{here}/out")
    return Bad(f"run-{name}", make, words, file, says)


def _replace(folder, file, content):
    (folder / file).write_bytes(
        content.encode() if isinstance(content, str) else content
    )


def raw(name, file, content, says=""):
    return run(name, partial(_replace, file=file, content=content), file, says)


def network(name, says="", **changes):
    def change(folder):
        content = json.loads((folder / CONFIG).read_text())
        content["network"].update(changes)
        (folder / CONFIG).write_text(json.dumps(content))

    return run(f"network-{name}", change, "run/", says)


def top(name, says="", **changes):
    def change(folder):
        content = json.loads((folder / CONFIG).read_text()) | changes
        (folder / CONFIG).write_text(json.dumps(content))

    return run(f"config-{name}", change, CONFIG, says)


def tensors(name, change, says=""):
    def alter(folder):
        state = load_file(folder / WEIGHTS)
        change(state)
        save_file(state, folder / WEIGHTS)

    return run(f"weights-{name}", alter, WEIGHTS, says)


def _first(state):
    return sorted(state)[0]


def _lies(length, header):
    return struct.pack("<Q", length) + header.encode()


HEADER = json.dumps(
    {"x": {"dtype": "F32", "shape": [32000] * 3, "data_offsets": [0, 4 * 32000**3]}}
)
RUNS = [
    run("without-config", lambda f: (f / CONFIG).unlink(), "run", "not a run folder"),
    run("without-weights", lambda f: (f / WEIGHTS).unlink(), WEIGHTS, "not found"),
    run("weights-a-folder", lambda f: (
        (f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()), WEIGHTS),
    run("weights-endless", lambda f: (
        (f / WEIGHTS).unlink(), (f / WEIGHTS).symlink_to("/dev/zero")), WEIGHTS, "regular"),
    run("config-endless", lambda f: (
        (f / CONFIG).unlink(), (f / CONFIG).symlink_to("/dev/zero")), CONFIG, "regular"),
    raw("config-empty", CONFIG, "", "JSON"),
    raw("config-a-list", CONFIG, "[]", "not the configuration"),
    raw("config-cut", CONFIG, '{"format": "medvae-mo', "JSON"),
    raw("config-depth-bomb", CONFIG, "[" * 99_999, "too deeply"),
    raw("config-latin-1", CONFIG, "ä".encode("latin-1")),
    raw("weights-empty", WEIGHTS, b""),
    raw("weights-zeros", WEIGHTS, bytes(999)),
    raw("weights-random", WEIGHTS, np.random.default_rng(0).bytes(999)),
    raw("weights-a-pickle", WEIGHTS, pickle.dumps(Harm())),
    raw("weights-endless-header", WEIGHTS, _lies(2**62, "{}")),
    raw("weights-long-header", WEIGHTS, _lies(10**9, "{}")),
    raw("weights-promise-much", WEIGHTS, _lies(len(HEADER), HEADER)),
    raw("weights-header-no-json", WEIGHTS, _lies(4, "nope")),
    top("other-format", "not the configuration", format="other"),
    top("other-version", "version", version=9),
    top("no-network", "network", network=None),
    network("endless-channels", "channels", channels=[10**12, 4]),
    network("many-levels", channels=[2] * 40),
    network("wide", "instead of", channels=[4096, 4096]),
    network("no-channels", "channels", channels=[]),
    network("other-grid", "multiples", grid_shape=[17, 16, 16]),
    network("endless-grid", "grid_shape", grid_shape=[2**40] * 3),
    network("flat-spacing", "spacing", spacing_mm=[0, 1, 1]),
    network("another-site", "instead of", sites=["A", "B", "C"]),
    network("vector", "instead of", latent="vector"),
    network("unknown-key", "colour", colour="red"),
    tensors("lacking-one", lambda s: s.pop(_first(s)), "instead of"),
    tensors("with-one-more", lambda s: s.update(x=torch.zeros(3)), "instead of"),
    tensors("of-another-shape", lambda s: s.update(
        {_first(s): torch.zeros(7)}), "instead of"),
    tensors("nan", lambda s: s[_first(s)].fill_(torch.nan), "not finite"),
    tensors("inf", lambda s: s[_first(s)].fill_(torch.inf), "not finite"),
    run("half-the-weights", lambda f: (f / WEIGHTS).write_bytes(
        (f / WEIGHTS).read_bytes()[:3000]), WEIGHTS),
]  # fmt: skip


def latent(name, change, file, says=""):
    """An encoding with one thing wrong, asked to be decoded."""

    def make(folder, run_folder, codes):
        shutil.copytree(codes, folder / "codes")
        change(folder / "codes")

    words = ("decode", "{run}", "{here}/codes/a_latent.nii.gz", "-o", "{here}/out")
    return Bad(f"latent-{name}", make, words, file, says)


BESIDE, MAP, STD = "a_latent.json", "a_latent.nii.gz", "a_latentstd.nii.gz"


def _without_end(folder):
    """Standard deviations that are not numbers, and the digest that vouches."""
    image = nib.load(folder / STD)
    nib.save(nib.Nifti1Image(image.get_fdata() * np.nan, image.affine), folder / STD)
    content = json.loads((folder / BESIDE).read_text())
    content["std_digest"] = digest(folder / STD)
    (folder / BESIDE).write_text(json.dumps(content))


def map_of(name, content, says=""):
    """A map that its JSON vouches for, and whose header lies."""

    def alter(folder):
        (folder / MAP).write_bytes(content)
        known = json.loads((folder / BESIDE).read_text())
        known["latent_digest"] = digest(folder / MAP)
        (folder / BESIDE).write_text(json.dumps(known))

    return latent(f"map-{name}", alter, MAP, says)


def told(name, change, says="", file="a_latent"):
    def alter(folder):
        content = json.loads((folder / BESIDE).read_text())
        change(content)
        (folder / BESIDE).write_text(json.dumps(content))

    return latent(name, alter, file, says)


def _place(key, value):
    return lambda content: content["placement"].update({key: value})


LATENTS = [
    latent("without-json", lambda f: (f / BESIDE).unlink(), BESIDE),
    latent("without-map", lambda f: (f / MAP).unlink(), MAP, "not found"),
    latent("json-cut", partial(_replace, file=BESIDE, content="{"), BESIDE),
    latent("json-a-list", partial(_replace, file=BESIDE, content="[]"), BESIDE),
    latent("json-bomb", partial(_replace, file=BESIDE, content="[" * 99999), BESIDE),
    latent("map-endless-device", lambda f: (
        (f / MAP).unlink(), (f / MAP).symlink_to("/dev/zero")), MAP, "regular"),
    latent("map-cut", lambda f: (f / MAP).write_bytes(
        (f / MAP).read_bytes()[:200]), MAP, "changed"),
    latent("map-swapped", partial(_replace, file=MAP, content=scan()), MAP, "changed"),
    told("of-another-model", lambda c: c.update(model_digest="0" * 64), "another model"),
    told("other-version", lambda c: c.update(version=7), "format version 7"),
    told("other-format", lambda c: c.update(format="x"), "not the description"),
    map_of("endless", packed(patched(dim=(4, *[32000] * 3, 1, 1, 1, 1))), "promises"),
    map_of("vast", packed(patched(dim=(4, 900, 900, 900, 1, 1, 1, 1), datatype=2)
                          + random.Random(0).randbytes(2**20)), "no code's"),
    map_of("of-no-type", packed(patched(datatype=9999)), "data code 9999"),
    map_of("without-channels", packed(scan()), "no code's"),
    map_of("of-another-magic", packed(patched(magic=b"abc")), "not a readable"),
    latent("std-missing", lambda f: (f / STD).unlink(), STD),
    latent("std-swapped", partial(_replace, file=STD, content=scan()), STD, "changed"),
    latent("std-nan", _without_end, MAP, "finite"),
    told("endless-native-shape", _place("native_shape", [32000] * 3), "native_shape"),
    told("negative-native-shape", _place("native_shape", [-4, -4, 4]), "native_shape"),
    told("flat-affine", _place("native_affine", np.zeros((4, 4)).tolist()), "affine"),
    told("nan-affine", _place("grid_affine", (np.eye(4) * np.nan).tolist()), "affine"),
    told("affine-of-three", _place("grid_affine", np.eye(3).tolist()), "affine"),
    told("another-grid", _place("grid_shape", [8, 8, 8]), "grid", "a.nii: was"),
    told("no-placement", lambda c: c.update(placement=3)),
    told("no-source", lambda c: c.pop("source"), "source"),
    told("unknown-axes", lambda c: c["source"].update(axcodes=["X", "Y", "Z"]), "axcodes"),
    told("reference-nan", lambda c: c.update(reference=float("nan")), "reference"),
    told("reference-a-word", lambda c: c.update(reference="high"), "float"),
    told("other-source-shape", lambda c: c["source"].update(shape=[1, 2, 3]), "shape"),
]  # fmt: skip
