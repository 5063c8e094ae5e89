"""docs/generalisation.md: the question, the protocol, and what came out."""

from __future__ import annotations

from collections.abc import Sequence

from measured.answer import answer_sections
from measured.axes import axes_section
from measured.cells import Result, kind, shown, table, training_sites, verdict
from measured.few_seeds import few_seeds_section
from measured.same_setting import same_setting_section
from measured.view import view_section

_HEAD = """# Can data of different hospitals be used together?

Written by `python benchmarks/generalisation.py` from
[benchmarks/results/compare.json](../benchmarks/results/compare.json); nothing is typed
in but the words. Intervals are over people (bootstrap, 95 %), with the same draws of
people for all arms.

## What was asked

If the difference between scanners is fitted and used as the corruption of a denoising
VAE, does the encoder serve a hospital it has never seen better than one trained without
corruption, or with a corruption that was not fitted? And how far does it get on the way
to an *oracle*, which is trained with the true scanners' images of the same heads?
"""

_METHOD = """## How it was measured

{sites} A phantom's head is made of tissue maps and physics that share no code with the
fitted model ([phantom](concepts/noise.md)). Each site has {subjects} residents;
{travelers} travelers were scanned at every site and are in no training. {held_out}
took no part in any training, normalisation or choice among settings; in arms named
*fitted* their unlabelled scans went into `fit-noise` only.{fit_only} Every arm has the
same network, number of steps, augmentation and seeds ({seeds}){but}.
Corruption strengths were set to equal energy where a model has a level.
`{command}`{made}{choices}

- *own error*: a held-out site's scan, encoded and decoded with the mean of all site
  inputs, against itself; mean square in units of its variance, inside the head.
- *decoded error*: a traveler's scan of a held-out site, decoded for a training site,
  against the traveler's real scan there. *Harmonised error*: the same of what
  `medvae harmonize` makes, which keeps the scan's detail, before it fades into the scan
  in air and where the grid ends.
- *leakage*: AUC of the training site read from posterior samples by an RBF classifier
  on test people; .5 is chance.
- *age*: error at the held-out sites of a probe of the training sites' codes, over that
  of guessing the mean.
- *recognised*: travelers whose nearest code at a training site is their own.

Leaving the travelers' scans as they are misses by {nothing}.
"""

_WAY = """*Leakage at equal age error*: the least leakage with which age is kept as well
as both the arm and the oracle keep it. Every setting of an arm counts, and its codes
along axes where they were read by its own means (below). The average is of the first
three.
"""

_LIMITS = """## What this does not show

- It is a phantom, not patients: no disease, no motion, no distortion by gradients, and
  scanners that differ in contrast, sharpness, shading, noise and field of view alone,
  all of them things that the fitted model knows.
- {seeds_words}
- That detail is kept by frequency, and the average code taken for a scan of no training
  site, was chosen on other people and other unseen sites (phantom seed 0; STANFORD,
  TRINITY), but after this study's first seed had shown what was wrong without it: the
  plain difference of two paintings was added, and *scanner* was no better than
  *randomised*.
- So was, after that seed had been looked at with a scalp of its own in the fit, that
  corrupted scans end where other sites' end and that codes are made of what those show;
  *randomised_full* was given the same two effects, unfitted, and *scanner_wide* the
  choice between two settings that the others had.
- *scanner_many* was added when the other arms had been seen, and after a first version
  of it (seed 0, other people in the fit) had been looked at, too.
- The target set for this study, {target} of the way to the oracle on average, is the
  yardstick of the tables above; where a share is empty the oracle itself was no better
  than the best generic corruption, and there is no way to speak of.
- Whole codes still tell the site: whoever pools codes of several hospitals in one model
  should hold a whole hospital out and look, as `medvae evaluate` does.
"""

COLUMNS = (
    ("reconstruction.z_scored_error_held_out", "own error"),
    ("transfer.error", "decoded error"),
    ("transfer.with_detail", "harmonised error"),
    ("leakage.auc_rbf_sample", "leakage"),
    ("age.share_of_chance_across", "age"),
    ("travelers.reidentification_held_out", "recognised"),
)
OVER_SEEDS = {
    key: word
    for key, word in COLUMNS
    if word in ("own error", "harmonised error", "leakage", "age")
}
MEASURES = {
    "held_out_reconstruction": "own error",
    "traveler_decoding": "decoded error",
    "traveler_harmonisation": "harmonised error",
    "leakage": "leakage",
    "age_error": "age",
    "reidentification": "recognised",
}
GAPS = {
    "held_out_reconstruction": "own error",
    "traveler_harmonisation": "harmonised error",
    "leakage_at_equal_biology": "leakage at equal age error",
    "traveler_decoding": "beside them: decoded error",
}
TARGET = "80 %"


def generalisation_page(found: Result, view: Result | None = None) -> str:
    """The whole page, Markdown.

    Args:
        found: The comparison.
        view: What `benchmarks/field_of_view.py` found.
    """
    arms, plan = found["arms"], found["plan"]
    phantom, seeds = plan["phantom"], len(found["seeds"])
    nothing = next(iter(arms.values()))["transfer.do_nothing"]
    in_short, at_length = answer_sections(found)
    one_seed = "One seed: how much chance in training decides was not measured."
    texts = (
        _HEAD,
        in_short,
        _METHOD.format(
            sites=f"Training sites: {', '.join(training_sites(found))}.",
            fit_only=_fit_only(plan.get("fit_only", ())),
            subjects=phantom["subjects"],
            travelers=phantom["travelers"],
            held_out=" and ".join(found["held_out"]),
            seeds=seeds,
            command=found["command"],
            but=_but(plan["arms"]),
            choices=_choices(found["settings"]),
            made=f". {found['note']}." if "note" in found else "",
            nothing=shown(nothing),
        ),
        at_length,
        f"## What came out\n\n{_short(found)}\n",
        table(
            ["arm", *(word for _, word in COLUMNS)],
            [
                [name, *(shown(numbers.get(key)) for key, _ in COLUMNS)]
                for name, numbers in arms.items()
            ],
        ),
        f"### {plan['challenger']} against the other arms\n",
        table(["against", *MEASURES.values()], _against(found["differences"])),
        "Challenger less the other arm, with interval; **better** or *worse* where the "
        "interval leaves out zero.\n",
        *(
            [same_setting_section(pairs, plan["challenger"], MEASURES)]
            if (pairs := found.get("same_setting"))
            else []
        ),
        few_seeds_section(found, OVER_SEEDS),
        "## Share of the way from the best generic arm to the oracle\n",
        table(
            ["arm", "average", *GAPS.values()],
            [
                [name, shown(gap), *(shown(gap["each"][key]) for key in GAPS)]
                for name, gap in found["gaps"].items()
            ],
        ),
        _WAY if _along(found) else "",
        *([axes_section(found["arms"], _along(found))] if _along(found) else []),
        *([view_section(view)] if view else []),
        _LIMITS.format(
            seeds_words=one_seed
            if seeds == 1
            else f"{seeds} seeds are few, and all meet the same people, whom the first "
            "had met before the choices below were made.",
            target=TARGET,
        ),
    )
    return "\n".join(texts)


def _along(found: Result) -> dict[str, Result]:
    """Arms that read another's codes along axes of people, as the plan has them."""
    return {a["name"]: a for a in found["plan"]["arms"] if a["baseline"] == "axes"}


def _fit_only(sites: Sequence[str]) -> str:
    if not sites:
        return ""
    return (
        f" Unlabelled scans of {', '.join(sites[:-1])} and {sites[-1]} went into the "
        "fit of *scanner_many*, and into nothing else."
    )


def _but(arms: Sequence[Result]) -> str:
    """Arms with training settings of their own.

    Example:
        >>> _but([{"name": "a", "overrides": {"k": 2}}, {"name": "b", "overrides": {}}])
        ', but for a (k 2)'
    """
    own = [
        f"{arm['name']} ({', '.join(f'{k} {v}' for k, v in arm['overrides'].items())})"
        for arm in arms
        if arm["overrides"]
    ]
    return f", but for {', '.join(own)}" if own else ""


def _choices(settings: Result) -> str:
    """Which setting was chosen for arms that had several, by seed.

    Example:
        >>> one = {"arm": {"choices": [{"k": 1}, {"k": 2}]}, "chosen": {"0": {"k": 2}}}
        >>> print(_choices({"a": one}).splitlines()[-1])
        | a | 2 |
    """
    several = {name: s for name, s in settings.items() if s["arm"]["choices"]}
    if not several:
        return ""
    every = [_words(c) for s in several.values() for c in s["arm"]["choices"]]
    known = list(dict.fromkeys(every))
    told = "; ".join(f"{k}: {words}" for k, words in enumerate(known, start=1))
    rows = [
        [
            name,
            *(str(known.index(_words(c)) + 1) for _, c in sorted(s["chosen"].items())),
        ]
        for name, s in several.items()
    ]
    seeds = sorted(next(iter(several.values()))["chosen"])
    head = ["arm", *(f"seed {seed}" for seed in seeds)]
    return (
        f"\n\n{len(several)} arms were trained with several settings each "
        f"({told}), and the one was chosen that tells least of the site among those "
        "that keep the image and the age of the training sites' validation people:\n\n"
        + table(head, rows).rstrip()
    )


def _words(choice: Result) -> str:
    return ", ".join(f"{k} {v}" for k, v in choice.items())


def _short(found: Result) -> str:
    """The answer in a few sentences, better or worse as the intervals have it."""
    arms, challenger = found["arms"], found["plan"]["challenger"]
    changed = arms[challenger]["transfer.with_detail"]["mean"]
    nothing = arms[challenger]["transfer.do_nothing"]["mean"]
    lines = [
        f"Moved to another hospital's scanner by *{challenger}*, a traveler's scan "
        f"from a hospital never seen misses the real one by {changed:.3f}; "
        f"left alone it misses by {nothing:.3f}."
    ]
    fitted = [
        f"*{arm['name']}* {shown(gap)}"
        for arm in found["plan"]["arms"]
        if arm["noise"] == "scanner" and arm["baseline"] is None
        for gap in [found["gaps"][arm["name"]]["each"]["traveler_harmonisation"]]
    ]
    lines.append(
        "Of the way from the best corruption that looked at no scan to the true "
        f"scanners, that is the share: {'; '.join(fitted)}. *scanner_wide* spreads "
        "the fitted scanners twice as far, for hospitals that nobody has seen; for "
        "*scanner_many* unlabelled scans of further hospitals joined the fit, for "
        "*scanner_fitted* those of the new ones."
    )
    lines += [
        f"*{challenger}* against *{rival}*: {_told(found['differences'].get(rival))}."
        for rival in ("randomised", "none", "oracle")
    ]
    lines += [_paired(row, challenger) for row in found.get("same_setting", ())]
    leaks = [
        numbers["leakage.auc_rbf_sample"]["mean"]
        for name, numbers in arms.items()
        if name not in _along(found)
    ]
    lines.append(
        f"The site can be read from the whole codes of every arm (AUC {min(leaks):.2f} "
        f"to {max(leaks):.2f}): corruption alone does not hide the scanner."
    )
    return "\n".join(f"- {line}" for line in lines)


def _told(by_measure: Result | None) -> str:
    """In which measures the challenger is better, worse, or neither."""
    words: dict[str, list[str]] = {"better": [], "worse": [], "not told apart": []}
    for measure, word in MEASURES.items():
        if by_measure and measure in by_measure:
            words[kind(by_measure[measure])].append(word)
    return "; ".join(f"{k}: {', '.join(w)}" for k, w in words.items() if w)


def _paired(row: Result, challenger: str) -> str:
    """What came out at one setting that arms share (below)."""
    words = _words(row["settings"])
    shares = "; ".join(
        f"*{name}* {', '.join(parts)}"
        for name, by in row["shares"].items()
        if (
            parts := [
                f"{MEASURES[k]} {shown(by[k])}"
                for k in ("traveler_harmonisation", "leakage")
                if by[k]["ci95"] and by[k]["ci95"][1] - by[k]["ci95"][0] < 1
            ]
        )
    )
    return (
        f"All at the same setting, {words}: *{challenger}* against *randomised*: "
        f"{_told(row['differences'].get('randomised'))}. Of the way from *randomised* "
        "to the oracle there, where the interval is narrower than the way itself: "
        f"{shares}."
    )


def _against(differences: Result) -> list[list[str]]:
    rows = []
    for name, by_measure in differences.items():
        cells = [verdict(by_measure.get(measure)) for measure in MEASURES]
        rows.append([name, *cells])
    return rows
