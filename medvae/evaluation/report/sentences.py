"""Numbers in plain words, for the report's first lines and the terminal's last."""

from __future__ import annotations

from medvae.counted import counted
from medvae.evaluation.bootstrap import PairedDifference, least_p
from medvae.evaluation.estimate import Estimate
from medvae.evaluation.report.numbers import LEVEL, number, on_travelers
from medvae.evaluation.report.probes import leak, stranger
from medvae.evaluation.report.targets import worse_than_alone
from medvae.evaluation.result import Evaluation, names_of
from medvae.report.p_values import p_value


def describe(evaluation: Evaluation) -> list[str]:
    """What one run's evaluation says, a sentence a question.

    Example:
        >>> gap = {"psnr_seen": Estimate(24.0, None, 9),
        ...        "psnr_held_out": Estimate(22.5, None, 12)}
        >>> describe(Evaluation("r", ("NYU",), {"reconstruction": gap}))[0]
        'Scans come back at 24.0 dB on training sites (9 test subjects) and at 22.5 dB
        on NYU, never seen in training (12 subjects).'
    """
    tellers = (_images, *HEADLINES, stranger, _people, _age, _quiet)
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
    if least_p(difference.n) >= LEVEL:
        verdict += f", but {on_travelers(difference.n)}"
    return (
        f"Over {counted(difference.n, 'traveler')}, {challenger} has {number(ratio)} "
        f"times the transfer error of {reference} ({p_value(difference.p)}): "
        f"{change:.0f}% {word}, {verdict}."
    )


def _images(run: Evaluation) -> str | None:
    seen, away = (run.get("reconstruction", f"psnr_{k}") for k in ("seen", "held_out"))
    if seen is None:
        return None
    text = (
        f"Scans come back at {seen.value:.1f} dB on training sites "
        f"({counted(seen.n, 'test subject')})"
    )
    if away is None:
        return text + "."
    return (
        f"{text} and at {away.value:.1f} dB on {names_of(run.held_out)}, never seen in "
        f"training ({counted(away.n, 'subject')})."
    )


def _transfer(run: Evaluation) -> str | None:
    error, still = (run.get("transfer", name) for name in ("error", "do_nothing"))
    if error is None or still is None:
        return None
    changed = run.get("transfer", "with_detail")
    if changed is None:
        made = f"decoded to that site, by {number(error)}"
    else:
        made = (
            f"harmonised to that site with its own detail kept, by {number(changed)}; "
            f"decoded from its code alone, blurred, by {number(error)}"
        )
    return (
        f"Left alone, a traveler's scan from {names_of(run.held_out)} misses the real "
        f"scan at a training site by {still.value:.2f} of its variance; {made} "
        f"({counted(error.n, 'traveler')})."
    )


HEADLINES = (_transfer, worse_than_alone, leak)


def _people(run: Evaluation) -> str | None:
    between = {
        f"between {names_of(run.held_out)} and the training sites": "held_out",
        "between training sites": "seen",
    }
    told = [
        f"in {100 * found.value:.0f}% of cases {where} (chance "
        f"{100 * (found.chance or 0):.0f}%, {counted(found.n, 'traveler')})"
        for where, label in between.items()
        if (found := run.get("travelers", f"reidentification_{label}"))
    ]
    if not told:
        return None
    return (
        f"A traveler's nearest latent on another scanner is their own "
        f"{', '.join(told)}."
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
        return f"{text} ({counted(across.n, 'subject')})."
    better = share.ci95 is not None and share.ci95[1] < 1
    told = p_value(share.p) if share.p is not None else ""
    judged = ", ".join(
        filter(None, (told, "" if better else "not better beyond the margin of error"))
    )
    return (
        f"{text}, so {number(share)} of that error is left"
        f"{': ' * bool(judged)}{judged} ({counted(across.n, 'subject')})."
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
        f"{counted(quiet.n, 'scan')} evaluated here. Fewer scans, or ones more alike, "
        f"leave more."
    )
