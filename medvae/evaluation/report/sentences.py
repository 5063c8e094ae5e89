"""Numbers in plain words, for the report's first lines and the terminal's last."""

from __future__ import annotations

from medvae.evaluation.bootstrap import PairedDifference
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.report.numbers import number
from medvae.evaluation.report.targets import worse_than_alone
from medvae.evaluation.result import Evaluation, names_of
from medvae.report.p_values import p_value

FEW = 10
"""Below so many test subjects, a site that was not read says nothing."""


def describe(evaluation: Evaluation) -> list[str]:
    """What one run's evaluation says, a sentence a question.

    Example:
        >>> gap = {"psnr_seen": Estimate(24.0, None, 9),
        ...        "psnr_held_out": Estimate(22.5, None, 12)}
        >>> describe(Evaluation("r", ("NYU",), {"reconstruction": gap}))[0]
        'Scans come back at 24.0 dB on training sites (9 test subjects) and at 22.5 dB
        on NYU, never seen in training (12 subjects).'
    """
    tellers = (_images, *HEADLINES, _stranger, _people, _age, _quiet)
    return [text for teller in tellers if (text := teller(evaluation))]


def headlines(evaluation: Evaluation) -> list[str]:
    """Of these sentences, those on transfer, where it does harm, and on leakage.

    Example:
        >>> headlines(Evaluation("r", ("NYU",), {}))
        []
    """
    return [text for teller in HEADLINES if (text := teller(evaluation))]


def describe_comparison(
    difference: PairedDifference, challenger: str, reference: str
) -> str:
    """Who transfers better, by how much, and whether chance could do it.

    Example:
        >>> change = PairedDifference(-.4, (-.5, -.3), .6, (.5, .7), .03, n=6)
        >>> describe_comparison(change, "scanner", "none")
        'Over 6 travelers, scanner has 0.60 (0.50 to 0.70) times the transfer error of
        none (p = 0.03): 40% less, outside the margin of error.'
    """
    ratio = Estimate(difference.ratio, difference.ratio_ci95, difference.n)
    ci95 = difference.ratio_ci95
    sure = ci95 is not None and not ci95[0] <= 1 <= ci95[1]
    change = 100 * abs(1 - difference.ratio)
    word = "less" if difference.ratio < 1 else "more"
    verdict = "outside the margin of error" if sure else "within the margin of error"
    return (
        f"Over {difference.n} travelers, {challenger} has {number(ratio)} times the "
        f"transfer error of {reference} ({p_value(difference.p)}): {change:.0f}% "
        f"{word}, {verdict}."
    )


def _images(run: Evaluation) -> str | None:
    seen, away = (run.get("reconstruction", f"psnr_{k}") for k in ("seen", "held_out"))
    if seen is None:
        return None
    text = (
        f"Scans come back at {seen.value:.1f} dB on training sites "
        f"({seen.n} test subjects)"
    )
    if away is None:
        return text + "."
    return (
        f"{text} and at {away.value:.1f} dB on {names_of(run.held_out)}, never seen in "
        f"training ({away.n} subjects)."
    )


def _transfer(run: Evaluation) -> str | None:
    error, still = (run.get("transfer", name) for name in ("error", "do_nothing"))
    if error is None or still is None:
        return None
    changed = run.get("transfer", "with_detail")
    if changed is None:
        return (
            f"Decoded to a training site, a traveler's scan from "
            f"{names_of(run.held_out)} misses the real scan there by {number(error)} "
            f"of its variance; left alone it misses by {still.value:.2f} "
            f"({error.n} travelers)."
        )
    return (
        f"Harmonised to a training site with its own detail kept, a traveler's scan "
        f"from {names_of(run.held_out)} misses the real scan there by "
        f"{number(changed)} of its variance; left alone it misses by "
        f"{still.value:.2f}; decoded from its code alone, blurred, by {number(error)} "
        f"({error.n} travelers)."
    )


def _leak(run: Evaluation) -> str | None:
    mean = run.get("leakage", "auc_rbf_mean")
    sample = run.get("leakage", "auc_rbf_sample")
    if sample is None or mean is None:
        return None
    told = (
        f"AUC {number(mean)} from the codes (posterior means), {p_value(mean.p or 1)}; "
        f"{number(sample)} from posterior samples, {p_value(sample.p or 1)}; "
        f"chance 0.50"
    )
    if _found(mean) or _found(sample):
        return f"The site can be read: {told} ({mean.n} test subjects)."
    if mean.n < FEW:
        return (
            f"With {mean.n} test subjects leakage cannot be judged ({told}). "
            f"{FEW} are the least."
        )
    return f"No site could be read: {told} ({mean.n} test subjects)."


HEADLINES = (_transfer, worse_than_alone, _leak)


def _stranger(run: Evaluation) -> str | None:
    apart = run.get("held_out_distance", "auc_rbf_sample")
    if apart is None or not _found(apart):
        return None
    return (
        f"Codes of {names_of(run.held_out)} can be told from those of the training "
        f"sites: AUC {number(apart)} from posterior samples, {p_value(apart.p or 1)}; "
        f"chance 0.50 ({apart.n} subjects). Other people were scanned there, so not "
        f"all of it need be the scanner."
    )


def _found(number: Estimate) -> bool:
    return number.p is not None and number.p < 0.05


def _people(run: Evaluation) -> str | None:
    found = run.get("travelers", "reidentification_held_out") or run.get(
        "travelers", "reidentification_seen"
    )
    if found is None:
        return None
    return (
        f"Across scanners a traveler's nearest latent is their own in "
        f"{100 * found.value:.0f}% of cases (chance "
        f"{100 * (found.chance or 0):.0f}%, {found.n} travelers)."
    )


def _age(run: Evaluation) -> str | None:
    across = run.get("age", "mae_years_across")
    if across is None or across.chance is None:
        return None
    text = (
        f"Age is read at {names_of(run.held_out)} to {across.value:.1f} years by a "
        f"probe trained on all training sites together; guessing the mean age "
        f"misses by {across.chance:.1f}"
    )
    share = run.get("age", "share_of_chance_across")
    if share is None:
        return f"{text} ({across.n} subjects)."
    better = share.ci95 is not None and share.ci95[1] < 1
    told = p_value(share.p) if share.p is not None else ""
    judged = ", ".join(
        filter(None, (told, "" if better else "not better beyond the margin of error"))
    )
    return (
        f"{text}, so {number(share)} of that error is left"
        f"{': ' * bool(judged)}{judged} ({across.n} subjects)."
    )


def _quiet(run: Evaluation) -> str | None:
    quiet, whole = (
        run.get("collapse", k) for k in ("inactive_dimensions", "dimensions")
    )
    if quiet is None or whole is None or not whole.value:
        return None
    return (
        f"{quiet.value:.0f} of {whole.value:.0f} latent dimensions are inactive "
        f"({100 * quiet.value / whole.value:.0f}%): they hardly differ between the "
        f"{quiet.n} scans evaluated here. Fewer scans, or ones more alike, leave more."
    )
