"""The part of docs/generalisation.md that answers the question."""

from __future__ import annotations

from measured.cells import Result, kind, shown, table, training_sites

TRUE, IMITATED = "scanner_axes_true", "scanner_axes"
ARMS = (
    *("none", "randomised", "randomised_full", "scanner"),
    *("scanner_wide", "scanner_many", "scanner_fitted", "oracle"),
)
"""Without all of them there is no such part."""

_MOVED, _NOTHING = "transfer.with_detail", "transfer.do_nothing"
_OWN = "reconstruction.z_scored_error_held_out"
_ALONG = "leakage.auc_rbf_sample_travelers"

_SHOWN = (
    *("none", "randomised", "randomised_full"),
    *("scanner", "scanner_fitted", "oracle"),
)
_SHORT = """## In short

{answers}

{table}
*none* is trained without corruption. *randomised* has most of what differs between
scanners, *randomised_full* all of it, in ranges that no scan was looked at for.
*scanner* has the noise fitted from the training hospitals, *scanner_fitted* that of the
new ones, too, and *oracle* the true scanners' images of the same heads. Errors are mean
squares in units of the scan's variance; shown are means and 95 % intervals. *Weighed*:
trained against what a code tells of its corruption (lam 10, [criterion](criterion.md));
without corruption there is nothing to weigh. *Axes of people*: ten directions of the
code in which people differ most and imitated rescans least. More on the measures is
[below](#how-it-was-measured).

![Harmonised error, own error and the AUC of the site, by arm, with
intervals](generalisation.png)

*Every arm at the setting that was chosen for it, on test people; the table of
[what came out](#what-came-out) has further arms and measures.*
"""

_TEXT = """## The answer, and why it is no better

**Images: yes, and nearly as far as the true scanners would get.** From *none* to the
oracle the harmonised error falls by {way:.3f}. Of that, by the means, unfitted ranges
take {randomised:.0f} % (*randomised*, which has most of the effects) and {full:.0f} %
(*randomised_full*, which has all), the fit of the training hospitals {scanner:.0f} %,
and {fitted:.0f} % where unlabelled scans of the new hospitals join it.
What unfitted ranges leave to any fit is short: {left:.3f} of the variance, beside
intervals of {width:.3f} for an arm. A range that is wide enough holds the new scanner,
too, and {learned} other scanners do not tell what is particular to the next. With
{more} more in the fit, whose scans nothing else sees (*scanner_many*), it goes
{many_share} of what is left: a step, and a short one, as the error falls by {many}. The
new hospital's own scans do tell: with them it goes {share}.

**The image that was given: no.** A code to which another scanner's image of the same
head would also have led cannot hold what only this scanner shows. Own errors:
{order}.
The oracle is the worst of all. So there is no way to it for a share to measure, and the
average that the target asks for has no value. `medvae harmonize` does not show this, as
it keeps the scan's own detail.

**Codes that do not tell the scanner: not by the criterion alone, not even with the true
scanners.** With the plain criterion the oracle's codes tell the site, too
(AUC {plain}): a dimension that costs the bound little tells it at no loss; the gap to
the conditional bound is what a code tells of its corruption
([criterion](criterion.md)).
With that gap weighed eleven times (lam 10) it is {weighted}, and there the fit counts:
{there}.
Settings were chosen among those that keep image and age within a tenth of an arm's
best. That let the weight in for the oracle in {oracle_chose} of {seeds} seeds, for
*scanner* in {scanner_chose}: it costs *scanner* {cost:.0f} % of its own error, a tenth,
too. So a hair decides, and shares at chosen settings scatter.

**Codes along axes of people: yes**, for who a person is and how old, with the limits
that the part below gives. Found from copies by true scanners, the axes of *scanner*
leave an AUC of {true} among travelers, from imitated ones {imitated}; by the means,
that is what the fit has still to learn.
"""


def answer_sections(found: Result) -> tuple[str, str]:
    """The answers in short and at length, Markdown; nothing without their arms.

    Raises:
        ValueError: The words no longer hold for the numbers.
    """
    parts = _parts(found)
    if parts is None:
        return "", ""
    plain, weighted = parts
    return _in_short(found, weighted), _at_length(found, plain, weighted)


def _in_short(found: Result, weighted: Result) -> str:
    """A sentence for every measure, and the arms that it speaks of."""
    arms, moved = found["arms"], _means(found, _MOVED)
    taken = found["gaps"]["scanner_fitted"]["each"]["traveler_harmonisation"]

    def cells(name: str) -> list[str]:
        own, along = arms[name], arms.get(f"{name}_axes", {})
        return [
            f"*{name}*",
            shown(own.get(_MOVED)),
            shown(own.get(_OWN)),
            shown(weighted.get(name, {}).get("leakage")),
            shown(along.get(_ALONG)),
            shown(own.get("age.share_of_chance_across")),
        ]

    answers = (
        "**How far is a new hospital's scan, moved to another scanner, from the real "
        f"one?** Left alone, {arms['none'][_NOTHING]['mean']:.3f}; much nearer with "
        "any noise like a scanner's. Unfitted ranges leave "
        f"{moved['randomised'] - moved['oracle']:.3f} to a fit; one that has seen the "
        f"new hospital's scans takes {taken['mean']:.2f} of that.",
        "**And from itself, painted from its code?** Farther: a code that gives the "
        "scanner up cannot give it back.",
        "**Does the whole code tell the site?** Less with fitted than with unfitted "
        "noise, where the objective weighs it; no arm hides it all.",
        "**Do axes of people tell it of travelers?** Hardly (AUC; chance is .5).",
        "**What of age?** With *scanner* its error at the new hospitals, over that of "
        f"guessing the mean, is {_told_of_age(found['differences'])}.",
    )
    told = "\n".join(f"- {answer}" for answer in answers)
    head = ["arm", "moved", "itself", "site, weighed", "site, along axes", "age"]
    rows = table(head, [cells(name) for name in _SHOWN])
    return _SHORT.format(answers=told, table=rows)


def _told_of_age(differences: Result) -> str:
    """How the challenger's error of age compares, in words.

    Example:
        >>> worse = {"age_error": {"mean": 2, "ci95": [1, 3], "better": "lower"}}
        >>> _told_of_age({name: worse for name in _SHOWN})[:24]
        'worse than *none*, *rand'
    """
    words: dict[str, list[str]] = {}
    for name in ("none", "randomised", "randomised_full"):
        found = kind(differences[name]["age_error"])
        words.setdefault(found, []).append(f"*{name}*")
    says = {"not told apart": "not told apart from"}
    return "; ".join(
        f"{says.get(found, f'{found} than')} {', '.join(names)}"
        for found, names in words.items()
    )


def _at_length(found: Result, plain: Result, weighted: Result) -> str:
    """What came of every measure, and why it is no better."""
    arms = found["arms"]
    moved, own = (_means(found, key) for key in (_MOVED, _OWN))
    way = moved["none"] - moved["oracle"]
    low, high = arms["scanner"]["transfer.with_detail"]["ci95"]
    chose = {
        name: sum(
            len(chosen) > 1 for chosen in found["settings"][name]["chosen"].values()
        )
        for name in ("scanner", "oracle")
    }

    def of(row: Result) -> float:
        return float(row["scanner"]["held_out_reconstruction"]["mean"])

    return _TEXT.format(
        way=way,
        left=moved["randomised"] - moved["oracle"],
        width=high - low,
        **{
            short: 100 * (moved["none"] - moved[name]) / way
            for short, name in (
                ("randomised", "randomised"),
                ("full", "randomised_full"),
                ("scanner", "scanner"),
                ("fitted", "scanner_fitted"),
            )
        },
        share=shown(found["gaps"]["scanner_fitted"]["each"]["traveler_harmonisation"]),
        learned=len(training_sites(found)),
        more=len(found["plan"]["fit_only"]),
        many=shown(found["differences"]["scanner_many"]["traveler_harmonisation"]),
        many_share=shown(
            found["gaps"]["scanner_many"]["each"]["traveler_harmonisation"]
        ),
        order=", ".join(f"{k} {v:.3f}" for k, v in sorted(own.items(), key=_second)),
        plain=_leak(plain, "oracle"),
        weighted=_leak(weighted, "oracle"),
        there=", ".join(f"{n} {_leak(weighted, n)}" for n in ARMS[1:-1]),
        oracle_chose=chose["oracle"],
        scanner_chose=chose["scanner"] or "none",
        seeds=len(found["seeds"]),
        cost=100 * (of(weighted) / of(plain) - 1),
        true=shown(arms[TRUE][_ALONG]),
        imitated=shown(arms[IMITATED][_ALONG]),
    )


def _parts(found: Result) -> tuple[Result, Result] | None:
    """All arms at the plain setting and with the gap weighed; the words hold for them.

    None without the arms that the words speak of.
    """
    settings = {
        "objective.lam" in row["settings"]: row["arms"]
        for row in found.get("same_setting", ())
    }
    if not {*ARMS, TRUE, IMITATED} <= {*found["arms"]} or len(settings) != 2:
        return None
    plain, weighted = settings[False], settings[True]
    moved, own = (_means(found, key) for key in (_MOVED, _OWN))
    leaks = {name: weighted[name]["leakage"]["mean"] for name in ARMS[1:]}
    way = moved["none"] - moved["oracle"]
    along = found["arms"][IMITATED][_ALONG]["mean"]
    taken = found["gaps"]["scanner_fitted"]["each"]["traveler_harmonisation"]
    claims = {
        "nearly as far as the true scanners": moved["scanner"] - moved["oracle"]
        < 0.1 * way,
        "little is left to a fit": moved["randomised"] - moved["oracle"] < 0.1 * way,
        "one that has seen them takes most": taken["ci95"][0] > 0.5,
        "its own scans do": moved["scanner_fitted"] < moved["scanner_many"],
        "more hospitals are a step": moved["scanner_many"] < moved["scanner"],
        "farther from itself": own["none"] == min(own.values()),
        "the oracle is the worst of all": own["oracle"] == max(own.values()),
        "not by the criterion alone": leaks["oracle"]
        < 0.9
        < plain["oracle"]["leakage"]["mean"],
        "fitted hides more than unfitted": leaks["scanner"]
        < min(leaks["randomised"], leaks["randomised_full"]),
        "none hides all": min(leaks.values()) > 0.7,
        "nearly chance along axes": along < 0.6,
    }
    for claim, holds in claims.items():
        if not holds:
            raise ValueError(f"no longer so: {claim}")
    return plain, weighted


def _means(found: Result, key: str) -> dict[str, float]:
    return {name: float(found["arms"][name][key]["mean"]) for name in ARMS}


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _leak(arms: Result, name: str) -> str:
    return shown(arms[name]["leakage"])
