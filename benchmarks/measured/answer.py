"""The part of docs/generalisation.md that answers the question."""

from __future__ import annotations

from measured.cells import Result, shown, training_sites

TRUE, IMITATED = "scanner_axes_true", "scanner_axes"
ARMS = (
    *("none", "randomised", "scanner", "scanner_wide"),
    *("scanner_many", "scanner_fitted", "oracle"),
)
"""Without all of them there is no such part."""

_TEXT = """## The answer, and why it is no better

**Images: yes, and nearly as far as the true scanners would get.** From *none* to the
oracle the harmonised error falls by {way:.3f}. Of that, by the means, unfitted ranges
of the same effects take {randomised:.0f} %, the fit of the training hospitals
{scanner:.0f} %, and {fitted:.0f} % where unlabelled scans of the new hospitals join it.
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


def answer_section(found: Result) -> str:
    """What came of every measure, Markdown; nothing without the arms it speaks of.

    Raises:
        ValueError: The words no longer hold for the numbers.
    """
    arms = found["arms"]
    settings = {len(row["settings"]): row["arms"] for row in found["same_setting"]}
    if not {*ARMS, TRUE, IMITATED} <= {*arms} or len(settings) != 2:
        return ""
    plain, weighted = (settings[k] for k in sorted(settings))

    def value(name: str, key: str) -> float:
        return float(arms[name][key]["mean"])

    moved = {name: value(name, "transfer.with_detail") for name in ARMS}
    own = {name: value(name, "reconstruction.z_scored_error_held_out") for name in ARMS}
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

    _check(moved, own, plain, weighted)
    return _TEXT.format(
        way=way,
        left=moved["randomised"] - moved["oracle"],
        width=high - low,
        **{
            short: 100 * (moved["none"] - moved[name]) / way
            for short, name in (
                ("randomised", "randomised"),
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
        true=shown(arms[TRUE]["leakage.auc_rbf_sample_travelers"]),
        imitated=shown(arms[IMITATED]["leakage.auc_rbf_sample_travelers"]),
    )


def _check(
    moved: dict[str, float], own: dict[str, float], plain: Result, weighted: Result
) -> None:
    leaks = [row["oracle"]["leakage"]["mean"] for row in (weighted, plain)]
    claims = {
        "nearly as far as the true scanners": moved["scanner"] - moved["oracle"]
        < 0.1 * (moved["none"] - moved["oracle"]),
        "its own scans do": moved["scanner_fitted"] < moved["scanner_many"],
        "more hospitals are a step": moved["scanner_many"] < moved["scanner"],
        "the oracle is the worst of all": own["oracle"] == max(own.values()),
        "not by the criterion alone": leaks[0] < 0.9 < leaks[1],
    }
    for claim, holds in claims.items():
        if not holds:
            raise ValueError(f"no longer so: {claim}")


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _leak(arms: Result, name: str) -> str:
    return shown(arms[name]["leakage"])
