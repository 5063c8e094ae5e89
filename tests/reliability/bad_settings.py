"""Presets, fitted files, settings and plans that cannot be used."""

from __future__ import annotations

import copy
import tempfile
from functools import cache

import yaml
from bad_input import Bad
from scan_bytes import written
from tiny_fit import fitted_noise

from noise_models.scanner import save_scanner
from noise_models.scanner.artefact import content_digest

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
    for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def _words(file, verb):
    if verb == "show":
        return ("noise", "show", "{here}/" + file)
    if verb == "train":
        return ("train", "--config", "{here}/" + file, "--data", "{here}", "--dry-run")
    return ("compare", "--config", "{here}/" + file, "-o", "{here}/out")


def yaml_rows(verb, file):
    """What no YAML may hold, whoever reads it."""
    contents = {
        "bomb": BOMB,
        "depth": "[" * 2000,
        "object": "model: !!python/object/apply:os.system ['touch x']",
        "module": "model: !!python/module:os",
        "new-object": "!!python/object/new:subprocess.Popen [[touch, x]]",
        "unknown-tag": "model: !rician x",
        "key-twice": "model: none\nmodel: rician",
        "not-yaml": "model: [none",
        "tab": "model:\n\t- none",
        "control": "model: a\x07",
        "date": "model: 2020-99-99",
        "a-list": "- model",
        "a-word": "rician",
        "two-documents": "model: none\n---\nmodel: rician",
        "not-utf-8": "model: ä".encode("latin-1"),
        "binary": b"\x80\x02}q\x00." + bytes(range(256)),
        "unhashable-key": "? [a]\n: b",
    }
    for name, content in contents.items():
        raw = content.encode() if isinstance(content, str) else content
        make = written(raw, file)
        yield Bad(f"{verb}-{name}", make, _words(file, verb), file)


def preset(name, text, says=""):
    return Bad(
        f"preset-{name}", written(text.encode(), "p.yaml"), _words("p.yaml", "show"),
        "p.yaml", says,
    )  # fmt: skip


PRESETS = [
    preset("empty", "", "model"),
    Bad(
        "preset-endless",
        lambda folder: (folder / "p.yaml").symlink_to("/dev/zero"),
        _words("p.yaml", "show"),
        "p.yaml",
        "not found",
    ),
    preset("no-model", "sigma: 0.1", "model"),
    preset("unknown-model", "model: rican", "'rician'"),
    preset("model-is-a-module", "model: registry", "no noise model"),
    preset("model-is-a-path", "model: ../../etc/passwd", "no noise model"),
    preset("model-is-dunder", "model: __init__", "no noise model"),
    preset("unknown-option", "model: rician\nsgima: 0.1", "'sigma'"),
    preset("sigma-negative", "model: rician\nsigma: -0.1", "sigma"),
    preset("sigma-nan", "model: rician\nsigma: .nan", "sigma"),
    preset("sigma-inf", "model: rician\nsigma: .inf", "sigma"),
    preset("sigma-a-word", "model: rician\nsigma: much", "sigma"),
    preset("sigma-null", "model: rician\nsigma: null", "sigma"),
    preset("sigma-reversed", "model: rician\nsigma: [0.2, 0.1]", "sigma"),
    preset("sigma-of-three", "model: rician\nsigma: [0.1, 0.2, 0.3]", "sigma"),
    preset("sigma-a-map", "model: rician\nsigma: {low: 1}", "sigma"),
    preset("salt-endless", "model: salt_and_pepper\nlow: .inf", "low"),
    preset("pepper-a-word", "model: pepper\nlow: x", "low must be a finite number"),
    preset("extent-a-range", "model: bias_field\nextent_mm: [9, 24]", "extent_mm"),
    preset("order-true", "model: bias_field\norder: true", "order"),
    preset("level-beyond-float32", "model: rician\nsigma: 1.0e39", "sigma"),
    preset("chain-without-steps", "model: chain", "steps"),
    preset("chain-of-nothing", "model: chain\nsteps: []", "steps"),
    preset("chain-of-numbers", "model: chain\nsteps: [3]", "model"),
    preset("chain-unknown", "model: chain\nsteps: [{model: x}]", "no noise model"),
]


@cache
def _whole():
    """What fit-noise writes, as text."""
    with tempfile.TemporaryDirectory() as folder:
        return save_scanner(fitted_noise(), f"{folder}/s.yaml").read_text()


@cache
def _content():
    return yaml.safe_load(_whole())


def _fitted(change=None, *, digest=True, text=None):
    """scanner.yaml with its content changed, and its digest made to fit or not."""

    def make(folder):
        if text is not None:
            (folder / "s.yaml").write_text(text(_whole()))
            return
        content = copy.deepcopy(_content())
        change(content)
        if digest:
            content["digest"] = content_digest(content)
        dumped = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False)
        (folder / "s.yaml").write_text(dumped)

    return make


def fitted(name, change, says="", **options):
    make = _fitted(change, **options)
    return Bad(f"fitted-{name}", make, _words("s.yaml", "show"), "s.yaml", says)


def site(key, value):
    return lambda content: content["sites"]["A"].update({key: value})


def mean(key, value):
    return lambda content: content["sites"]["A"]["mean"].update({key: value})


def pair(key, value):
    return lambda content: content["pairs"]["A->B"].update({key: value})


def top(key, value):
    return lambda content: content.update({key: value})


def _crooked(content):
    content["sites"]["A"]["covariance"][0][1] = 5.0


def _negative(content):
    content["sites"]["A"]["covariance"][0][0] = -1.0


def _vast(content):
    content["sites"]["A"]["covariance"][0][0] = 1e20


def _stranger(name):
    def change(content):
        content[name]["A->C"] = copy.deepcopy(content[name]["A->B"])

    return change


FITTED = [
    *(fitted(f"altered-{name}", change, "changed after it was fitted", digest=False)
      for name, change in {
          "mean": mean("log_sigma", -3.9), "scans": site("scans", 11),
          "pair": pair("sigma_add", 0.06), "seed": lambda c: c["provenance"].update(
              seed=1), "units": lambda c: c["units"].update(length="cm"),
          "evidence": top("evidence", "paired")}.items()),
    fitted("mean-nan", mean("log_sigma", float("nan")), "log_sigma"),
    fitted("mean-inf", mean("log_sigma", float("inf")), "log_sigma"),
    fitted("mean-a-word", mean("log_sigma", "loud"), "log_sigma"),
    fitted("mean-unknown", mean("volume", 1.0), "mean must list"),
    fitted("mean-lacks-one", lambda c: c["sites"]["A"]["mean"].pop("log_sigma"),
           "mean must list"),
    fitted("noise-beyond-all-scans", mean("log_sigma", 99.0), "log_sigma"),
    fitted("one-scan", site("scans", 1), "scans"),
    fitted("scans-negative", site("scans", -4), "scans"),
    fitted("spacing-zero", site("spacing_mm", [0.0, 1.0, 1.0]), "spacing_mm"),
    fitted("spacing-of-two", site("spacing_mm", [1.0, 1.0]), "spacing_mm"),
    fitted("covariance-not-square", site("covariance", [[1.0]]), "covariance"),
    fitted("covariance-crooked", _crooked, "covariance"),
    fitted("covariance-negative", _negative, "covariance"),
    fitted("covariance-vast", _vast, "log_sigma: mean and SD"),
    fitted("mean-vast", mean("noise_001", 1e20), "noise_001: mean and SD"),
    fitted("extent-above-1", site("kspace_extent", [1.5, 1.0, 1.0]), "kspace_extent"),
    fitted("unknown-key", site("colour", "red"), "colour"),
    fitted("no-sites", top("sites", {}), "sites"),
    fitted("sites-a-list", top("sites", [1]), "sites"),
    fitted("pair-share-above-1", pair("clipped_noise", 1.5), "clipped_noise"),
    fitted("pair-offset-unknown", pair("offset", {"x": 1.0}), "offset"),
    fitted("pair-of-an-unknown-site", _stranger("pairs"), "pairs must join"),
    fitted("trial-of-an-unknown-site", _stranger("goodness"), "goodness must join"),
    fitted("version-1", top("version", 1), "version"),
    fitted("version-3", top("version", 3), "version"),
    fitted("version-a-word", top("version", "one"), "version"),
    fitted("another-format", top("format", "medvae-model"), "format|model"),
    fitted("evidence-unknown", top("evidence", "guess"), "evidence"),
    fitted("no-digest", lambda c: c.pop("digest"), "digest", digest=False),
    fitted("no-provenance", lambda c: c.pop("provenance"), "provenance"),
    fitted("cut-in-half", None, text=lambda t: t[: len(t) // 2]),
    fitted("cut-by-a-line", None, text=lambda t: t[: t.rindex("digest")]),
    fitted("null", None, text=lambda t: "format: medvae-scanner-noise"),
]  # fmt: skip


def settings(name, text, says=""):
    return Bad(
        f"settings-{name}", written(text.encode(), "t.yaml"), _words("t.yaml", "train"),
        "t.yaml", says,
    )  # fmt: skip


SETTINGS = [
    settings("misspelt", "sed: 1", "'seed'"),
    settings("misspelt-below", "optimiser: {epoch: 1}", "'epochs'"),
    settings("section-a-number", "optimiser: 3", "optimiser"),
    settings("epochs-negative", "optimiser: {epochs: -1}", "epochs"),
    settings("epochs-a-word", "optimiser: {epochs: many}", "epochs"),
    settings("rate-nan", "optimiser: {learning_rate: .nan}", "learning_rate"),
    settings("rate-zero", "optimiser: {learning_rate: 0}", "learning_rate"),
    settings("grid-zero", "grid: {shape: [0, 16, 16]}", "shape"),
    settings("grid-of-two", "grid: {shape: [16, 16]}", "shape"),
    settings("grid-endless", "grid: {shape: [32000, 32000, 32000]}", "shape"),
    settings("spacing-inf", "grid: {spacing_mm: [.inf, 1, 1]}", "spacing"),
    settings("channels-none", "network: {channels: []}", "channels"),
    settings("channels-endless", "network: {channels: [1000000000]}", "channels"),
    settings("levels-endless", f"network: {{channels: {[1] * 64}}}", "channels"),
    settings("latent-unknown", "network: {latent: cloud}", "latent"),
    settings("precision-unknown", "precision: 8", "precision"),
    settings("seed-negative", "seed: -1", "seed"),
    settings("objective-unknown", "objective: {name: elbow}", "name"),
    settings("probability-2", "augmentation: {probability: 2}", "probability"),
    settings("unread-setting", "objective: {name: vae, lam: 2}", "lam"),
]


def plan(name, text, says=""):
    return Bad(
        f"plan-{name}", written(text.encode(), "c.yaml"), _words("c.yaml", "compare"),
        "c.yaml", says,
    )  # fmt: skip


PLANS = [
    plan("misspelt", "arm: []", "arm"),
    plan("arm-climbs-out", "arms: [{name: ..}]", "name"),
    plan("arm-is-a-path", "arms: [{name: a/b}]", "name"),
    plan("arm-of-escapes", 'arms: [{name: "a\\e[31m"}]', "name"),
    plan("arm-is-a-script", "arms: [{name: <script>}]", "name"),
    plan("arm-twice", "arms: [{name: a}, {name: a}]", "twice"),
    plan("seeds-zero", "seeds: 0\narms: [{name: none}]", "seeds"),
]

ALL_YAML = [
    *yaml_rows("show", "p.yaml"),
    *yaml_rows("train", "t.yaml"),
    *yaml_rows("compare", "c.yaml"),
]
ROWS = [*PRESETS, *FITTED, *SETTINGS, *PLANS, *ALL_YAML]
