"""Of docs/scale.md: why targets were missed, and what was tried."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from measured.profile import over

Results = Mapping[str, Mapping[str, Any]]

_HEAD = """
## Misses

[performance.md](performance.md) marks every target that was not met. Profiles are under
the tables there, and the shares and ratios below are theirs. What a change gained, or
would have, was measured when it was tried: processor time on one thread, old and new in
turn in one process; it is in no results file.

"""


def misses(results: Results) -> str:
    """The section, Markdown."""
    training = results["training"]
    profiled = training["profile"]["stages"]
    items = (
        _corruption(results["corruption-128"]),
        _step(profiled["fitted scanner: both copies of one volume"], training),
        _networks(training["networks"]),
        _augmentation(profiled["rician, augmented: one step"]),
    )
    return _HEAD + "\n".join(map(_item, items)) + "\n"


def _item(text: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        width=88,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _corruption(found: Mapping[str, Any]) -> str:
    ours = found["profile"]["stages"]["four effects"]
    psf = ours["PSF: matrix products along three axes"]
    normals = ours["normals, two a voxel"]
    voxels = found["batch"] * found["size"] ** 3
    axis, normal = (1e6 * psf["ms"] / voxels / 3, 1e6 * normals["ms"] / voxels / 2)
    alone = over(found["profile"]["stages"], "four effects", "the floor")
    return f"""*Corruption.* {100 * psf["share"]:.0f} % of the time at {found["size"]}
    voxels a side are the matrix products of the PSF along three axes ({axis:.1f} ns a
    voxel and axis) and {100 * normals["share"]:.0f} % the normals ({normal:.1f} ns
    each, nearly all of it the twister's). The floor holds the same normals, but a
    Fourier transform where we have the PSF and all arithmetic: the four effects take
    {alone:.2f} of it on one thread, each by itself. Second attempt, kept: shadings
    made plane by plane and never written down (0.8 ns of 20 a voxel), the PSF in
    place and in memory that is used again (0.1 to 0.3 ns an axis); together 5 %
    less.
    Tried and given up: a PSF
    cut to a band (0.5 ns an axis, but only for FWHM above 3 voxels, where the weights
    end: 3 % in the mean); numpy's normals (7 to 9 ns against 2.4); Box and Muller's
    transform from torch's parts (logarithm and cosine cost what a faster generator
    saves); blocks of 2^14 to 2^16 voxels (the same, or up to 40 % slower where
    operations are many); contrast in two operations a knot instead of three (1 %, and
    air is no longer exactly 0). Left: MKL's generators, which are not on every machine.
    Threads of Python share the drawing only: elsewhere they wait for the interpreter's
    lock."""


def _step(both: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    shape = training["profile"]["grid"]
    voxels = 2 * shape[0] * shape[1] * shape[2]
    cost = 1e6 * sum(stage["ms"] for stage in both.values()) / voxels
    return f"""*Training step with the fitted scanner.* On the training grid the
    corruption needs a Fourier transform, three matrix products, two shadings, two noise
    maps and moments of two Rice distributions: {cost:.0f} ns a voxel and copy, beside a
    network that is small. Much of it is the cost of some 400 small operations, whatever
    the grid. Second attempt, kept: coloured noise drawn at half of its frequencies,
    with one transform instead of two; noise and signal in units without shading; what
    A's magnitude tells from one table, without a case for high ratios; all fields in
    one product; roots of covariances kept. Together 29 to 47 % less time in corruption,
    more the busier the machine. Tried and given up: smaller blocks (5 to 40 % slower),
    larger ones (5 % faster in a cache of 32 MB that few share). What remains would need
    a smaller model or fewer calls: one call for all scans of a batch would share the
    small operations, but every scan has a generator of its own, so that neither batch
    nor number of devices changes a draw."""


def _networks(made: Mapping[str, Any]) -> str:
    found = made["found"]

    def of(name: str, what: str) -> float:
        return float(found[name][what]["median"] / found["medvae"][what]["median"])

    def step(name: str) -> str:
        return f"{of(name, 'seconds_per_volume'):.2f}"

    def until(name: str, error: str) -> str:
        seconds = found[name]["seconds_to_error"][error]
        if seconds is None:
            return f"did not come to an RMS error of {error} in every run"
        ratio = seconds["median"] / found["medvae"]["seconds_to_error"][error]["median"]
        return f"takes {ratio:.1f} times the time to an RMS error of {error}"

    bare, resized = "no full-resolution layer", "resize convolutions"
    stem = "full-resolution stem"
    kl, var = "MONAI AutoencoderKL", "MONAI VarAutoEncoder"
    warm, plain = (
        found[name]["warm_up_seconds"]["median"] for name in ("torch.compile", "medvae")
    )
    return f"""*Networks* ([performance](performance.md)), one volume of the training
    grid forward and back, one thread, {made["processor_seconds_each"]:g} processor
    seconds each, medians of {found["medvae"]["seconds_per_volume"]["n"]}, load
    {made["machine"]["load_before"]}; a step is given as a share of ours. Without any
    convolution at the image's own resolution it is {step(bare)}, and the error left
    {of(bare, "rms_error"):.2f} of ours; every place of the last map then paints its own
    2 x 2 x 2 voxels, whose edges no later layer smooths, so the last convolution stays.
    A convolution at full resolution before the first one: {step(stem)} and
    {of(stem, "rms_error"):.2f} of the error. `torch.compile`:
    {step("torch.compile")} and {of("torch.compile", "peak_mib"):.1f} times the memory,
    and {warm:.1f} s for its first three steps where the plain network takes {plain:.1f}
    s: not used. Resize convolutions: {step(resized)}, and it {until(resized, "0.25")}.
    MONAI's AutoencoderKL: {step(kl)}, and it {until(kl, "0.2")}; its VarAutoEncoder:
    {step(var)}, and it {until(var, "0.2")}. Stanford's MedVAE, of which
    only the encoder is compared, stands on that page, too."""


def _augmentation(step: Mapping[str, Any]) -> str:
    ours, share = step["augmentation"]["ms"], step["augmentation"]["share"]
    return f"""*Augmentation* took MONAI 14 ms for a volume that is flipped, turned and
    bent: two resamplings, the first in double precision. One resampling with MONAI's
    draws took 4 ms; it is {ours:.1f} ms or {100 * share:.0f} % of a step now."""
