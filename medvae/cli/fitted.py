"""A fitted noise in the terminal: sites, pairs, travelers, covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medvae.cli.console import say, show_table, warn

if TYPE_CHECKING:
    from noise_models.scanner import ScannerNoise

_PSF = "psf_{}_mm2"
_AUC = ("auc_before", "auc_after", "auc_floor")


def show_fit(fitted: ScannerNoise) -> None:
    """What came out of a fit, in sentences and tables."""
    from noise_models.scanner import show
    from noise_models.scanner.summary import DRAWS

    content = show(fitted)
    for warning in content["warnings"]:
        warn(warning)
    say(f"evidence: {content['evidence']}")
    for sentence in content["summary"]:
        say(sentence)
    _show_covariates(content["covariates"])
    rows: list[list[object]] = [
        [
            site,
            values["scans"],
            100 * values["noise_sigma"]["median"],
            100 * values["bias_rms"],
            values["tissue_contrast"]["gm_over_wm"],
            values["tissue_contrast"]["csf_over_wm"]
            / values["tissue_contrast"]["gm_over_wm"],
        ]
        for site, values in content["sites"].items()
    ]
    told = (
        *("site", "scans", "noise SD, % of white", "shading RMS, %"),
        *("grey/white", "CSF/grey"),
    )
    show_table(told, rows)
    added = [
        [
            pair,
            f"{100 * values['sigma_add']:.1f}",
            ", ".join(f"{values['psf_add_fwhm_mm'][axis]:.1f}" for axis in "xyz"),
            f"{100 * values['clipped']['noise']:.0f}",
            ", ".join(f"{100 * values['clipped']['psf_axes'][a]:.0f}" for a in "xyz"),
        ]
        for pair, values in content["pairs"].items()
    ]
    columns = (
        *("corruption", "adds noise SD, % of white", "adds blur x, y, z, mm FWHM"),
        *("noise out of reach, % of draws", "blur out of reach x, y, z, % of draws"),
    )
    show_table(columns, added)
    say(DRAWS)
    tried = [
        [pair, *(_or_dash(fit[name]) for name in _AUC), fit["verdict"]]
        for pair, fit in content["goodness"].items()
    ]
    if tried:
        show_table(("tried", "AUC before", "AUC after", "AUC floor", "verdict"), tried)
    _show_paired(content["paired"])


def _or_dash(number: float | None) -> str:
    return "-" if number is None else f"{number:.2f}"


def _show_covariates(covariates: dict[str, Any]) -> None:
    """Which covariates the fit was adjusted for, and why not for the others."""
    adjusted = [name for name, found in covariates.items() if found["adjusted"]]
    if adjusted:
        say(f"adjusted for {', '.join(adjusted)}")
    for name, found in covariates.items():
        if found["reason"]:
            say(f"not adjusted for {name}: {found['reason']}")


def _show_paired(paired: dict[str, Any]) -> None:
    """What travelers say of every pair, with intervals, and what is left of it."""
    if not paired:
        return
    rows: list[list[object]] = []
    for pair, found in paired.items():
        psnr, spectrum = found["psnr_db"], found["spectrum"]
        rows.append(
            [
                pair,
                found["people"],
                _step(found, "logit_gm_over_wm"),
                ", ".join(_step(found, _PSF.format(axis)) for axis in "xyz"),
                " / ".join(f"{psnr[arm]:.1f}" for arm in psnr) or "-",
                " / ".join(f"{spectrum[arm]:.2f}" for arm in spectrum) or "-",
            ]
        )
    columns = (
        "pair",
        "people",
        "grey/white, log-odds",
        "blur x, y, z, mm²",
        "PSNR, dB",
        "spectral distance",
    )
    show_table(columns, rows)
    arms = " / ".join(next(iter(paired.values()))["psnr_db"])
    if arms:
        say(f"PSNR and spectral distance to the same person's scan, by arm: {arms}")


def _step(found: dict[str, Any], name: str) -> str:
    low, high = found["ci95"][name]
    return f"{found['difference'][name]:.2f} ({low:.2f} to {high:.2f})"
