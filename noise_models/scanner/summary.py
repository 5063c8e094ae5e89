"""A fit in plain sentences: what differs, what is out of reach, how well it does.

A difference is claimed only where its 95 % interval excludes none; what could not be
seen is said, too, because it may still be there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

from noise_models.scanner.contrasts import (
    Interval,
    blur_mm,
    difference,
    earlier_mm,
    noise_ratio,
    rms_difference,
    shading_ratios,
    shading_rms,
    tissue_ratio,
)
from noise_models.scanner.goodness import FEWEST
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Goodness
from noise_models.scanner.sites import Site
from noise_models.scanner.transfer import Pair

AXES = ("x", "y", "z")
STILL_USED = "A difference too small to be certain is still used as estimated."
DRAWS = (
    "A draw sends a scan of the first site to what a scan of the second could be: both "
    "scatter about their site's mean, and the sites differ as estimated, certain or "
    "not. The second is taken on the first one's voxels, where interpolation counts as "
    "blur; steeper contrast raises the noise that a scan has, and added blur lowers "
    "it. All is corrected, where scans sufficed, by what it does to real scans. So "
    "these are not the differences of the sites."
)
"""What stands beside the medians and shares of `transfer.summarise_pair`."""
MENTIONED = 0.05  # share of clipped draws from which it is worth a word
LACKING_MM = 10.0  # of a head; less depends on how the next one lies
_TISSUES = (
    ("logit_gm_over_wm", "grey/white contrast"),
    ("logit_csf_over_gm", "CSF/grey contrast"),
)


@dataclass(frozen=True)
class _Said:
    """What could be seen: ``is`` adjectives, ``shows`` nouns, sentences; what not."""

    adjectives: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def describe(noise: ScannerNoise) -> list[str]:
    """Every pair of sites in a sentence or two, then what no transfer can reach."""
    differences = [describe_pair(a, b) for a, b in combinations(noise.sites, 2)]
    if any("could be seen" in text for text in differences):
        differences.append(STILL_USED)
    limits = [describe_limits(key, pair) for key, pair in noise.record.pairs.items()]
    return differences + [text for text in limits if text]


def describe_pair(a: Site, b: Site) -> str:
    """How B differs from A, with 95 % intervals.

    Args:
        a: The site that B is held against.
        b: The site that is described.
    """
    told = [
        *(_noise(a, b), _sharpness(a, b), _shading(a, b), _contrast(a, b)),
        *(_ends(a, b, sign) for sign in (1, -1)),
    ]
    adjectives = [text for part in told for text in part.adjectives]
    nouns = [text for part in told for text in part.nouns]
    unseen = _list([text for part in told for text in part.unseen], "or")
    sentences = [text for part in told for text in part.sentences]
    if not (adjectives or nouns or sentences):
        return (
            f"Between {a.label} and {b.label} no difference in {unseen} could be seen."
        )
    claims = [f"is {_list(adjectives, 'and')}"] if adjectives else []
    claims += [f"shows {_list(nouns, 'and')}"] if nouns else []
    if claims:
        sentences.insert(0, f"Against {a.label}, {b.label} {'; it '.join(claims)}.")
    if unseen:
        sentences.append(f"No difference in {unseen} could be seen.")
    return " ".join(sentences)


def describe_limits(key: str, pair: Pair) -> str | None:
    """What the draws of a pair ask for that no corruption can give; None for nothing.

    Args:
        key: ``"A->B"``.
        pair: Its transfer.

    Example:
        >>> describe_limits("A->B", Pair(0.0, (0.0,) * 3, 0.31, 0.3, (0.0, 0.0, 0.9)))
        'A->B: of 100 draws, 31 ask for less noise than the scan has and 90 for a
        sharper image along z. Neither noise nor blur can be taken away, so these stop
        at what the scan has.'
    """
    shares = {"less noise than the scan has": pair.clipped_noise}
    shares |= {
        f"a sharper image along {axis}": share
        for axis, share in zip(AXES, pair.clipped_axes, strict=True)
    }
    parts = [
        f"{100 * share:.0f} ask for {wish}"
        for wish, share in shares.items()
        if share >= MENTIONED
    ]
    if not parts:
        return None
    rest = [part.replace(" ask for", " for") for part in parts[1:]]
    return (
        f"{key}: of 100 draws, {_list([parts[0], *rest], 'and')}. Neither noise nor "
        "blur can be taken away, so these stop at what the scan has."
    )


def describe_goodness(key: str, found: Goodness) -> str:
    """The numbers that the verdict on a pair rests on.

    Args:
        key: ``"A->B"``.
        found: Its trial.

    Example:
        >>> describe_goodness("A->B", Goodness(0.99, 0.62, 0.52, "pass", (9, 9)))
        'A->B: a classifier tells real scans of A and B apart with AUC 0.99;
        corrupted A and B with 0.62; B and itself with 0.52 (9 and 9 scans).'
    """
    a, b = key.split("->", 1)
    if math.isnan(found.auc_after):
        few = f"{found.scans[0]} and {found.scans[1]} scans"
        return (
            f"{key}: not judged; it takes {FEWEST} scans a site, and there are {few}."
        )
    low, high = found.auc_after_ci95
    interval = "" if math.isnan(low) else f" ({low:.2f} to {high:.2f})"
    return (
        f"{key}: a classifier tells real scans of {a} and {b} apart "
        f"with AUC {found.auc_before:.2f}; corrupted {a} and {b} with "
        f"{found.auc_after:.2f}{interval}; {b} and itself with {found.auc_floor:.2f} "
        f"({found.scans[0]} and {found.scans[1]} scans)."
    )


def _noise(a: Site, b: Site) -> _Said:
    if any(site.evidence[2] * 2 >= site.scans for site in (a, b)):
        return _Said(unseen=("noise (most scans carry no estimate)",))
    ratio = noise_ratio(a, b)
    if not ratio.excludes(1):
        return _Said(unseen=("noise",))
    if ratio.value > 1:
        return _Said((f"noisier by {_range(ratio, ' times', none=1)}",))
    turned = Interval(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    return _Said((f"less noisy by {_range(turned, ' times', none=1)}",))


def _sharpness(a: Site, b: Site) -> _Said:
    found = {axis: blur_mm(a, b, k) for k, axis in enumerate(AXES)}
    more, less = (
        _kernels(
            {
                axis: _turned(width, sign)
                for axis, width in found.items()
                if width.excludes(0) and width.value * sign > 0
            }
        )
        for sign in (1, -1)
    )
    still = [axis for axis, width in found.items() if not width.excludes(0)]
    return _Said(
        (f"blurrier {more}",) if more else (),
        sentences=(f"{a.label} is blurrier than {b.label} {less}.",) if less else (),
        unseen=(f"sharpness along {_list(still, 'or')}",) if still else (),
    )


def _kernels(widths: dict[str, Interval]) -> str:
    """Axes and the kernels that part two sites along them; empty for none."""
    words = [
        f"along {axis}{', as if by a kernel of' if k == 0 else ' by one of'} "
        f"{_range(width, ' mm', none=0)}{' FWHM' if k == 0 else ''}"
        for k, (axis, width) in enumerate(widths.items())
    ]
    return _list(words, "and")


def _shading(a: Site, b: Site) -> _Said:
    """Its strength, and the place that differs most, which stands for the others."""
    from_a, from_b = (_percent(shading_rms(site)) for site in (a, b))
    strength = (f"shading of {from_b} RMS against {from_a}",)
    nouns = strength if rms_difference(a, b).excludes(0) else ()
    clear = {
        place: ratio
        for place, ratio in shading_ratios(a, b).items()
        if ratio.excludes(1)
    }
    if not clear:
        return _Said(nouns=nouns) if nouns else _Said(unseen=("shading",))
    place = max(clear, key=lambda name: abs(math.log(clear[name].value)))
    ratio = clear[place]
    word, sign = ("brighter", 1) if ratio.value > 1 else ("darker", -1)
    change = Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1)
    share = _percent(_turned(change, sign), none=0)
    return _Said((f"{word} {place} by {share}",), nouns)


def _contrast(a: Site, b: Site) -> _Said:
    seen, unseen = [], []
    for name, words in _TISSUES:
        from_a, from_b = (_range(tissue_ratio(site, name), digits=2) for site in (a, b))
        if difference(a, b, name).excludes(0):
            seen.append(f"{words} {from_b} against {from_a}")
        else:
            unseen.append(words)
    return _Said(nouns=tuple(seen), unseen=tuple(unseen))


def _ends(a: Site, b: Site, sign: int) -> _Said:
    """Where scans of B (of A, if the sign is -1) end earlier within the head."""
    found = {name: _turned(gap, sign) for name, gap in earlier_mm(a, b).items()}
    clear = [
        f"{_range(gap, ' mm', none=0, digits=0)} {name}"
        for name, gap in found.items()
        if gap.value >= LACKING_MM and gap.excludes(0)
    ]
    if not clear:
        return _Said()
    short, long = (b, a) if sign > 0 else (a, b)
    return _Said(
        sentences=(
            f"Scans of {short.label} show less of the head than those of {long.label}: "
            f"they end earlier by {_list(clear, 'and')}. Corrupted scans of "
            f"{long.label} are cut there; those of {short.label} stay short.",
        )
    )


def _percent(found: Interval, none: float | None = None) -> str:
    ends = (100 * v for v in (found.value, found.low, found.high))
    return _range(Interval(*ends), " %", none=none, digits=0)


def _turned(found: Interval, sign: int) -> Interval:
    if sign > 0:
        return found
    return Interval(-found.value, -found.high, -found.low)


def _range(
    found: Interval, unit: str = "", *, none: float | None = None, digits: int = 1
) -> str:
    """Value, unit and interval; of a difference, with its ends visibly off ``none``."""
    ends = (found.low, found.high)
    while none is not None and digits < 4:
        if all(round(end, digits) != none for end in ends):
            break
        digits += 1
    value, low, high = (f"{v:.{digits}f}" for v in (found.value, *ends))
    return f"{value}{unit} ({low} to {high})"


def _list(parts: list[str], word: str) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"
