"""What fit-noise says about travelers and covariates."""

from __future__ import annotations

from typing import Any

from medvae.cli.console import say, show_table

_PSF = "psf_{}_mm2"


def show_covariates(covariates: dict[str, Any]) -> None:
    """Which covariates the fit was adjusted for, and why not for the others."""
    adjusted = [name for name, found in covariates.items() if found["adjusted"]]
    if adjusted:
        say(f"adjusted for {', '.join(adjusted)}")
    for name, found in covariates.items():
        if found["reason"]:
            say(f"not adjusted for {name}: {found['reason']}")


def show_paired(paired: dict[str, Any]) -> None:
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
                " ".join(_step(found, _PSF.format(axis)) for axis in "xyz"),
                " / ".join(f"{psnr[arm]:.1f}" for arm in psnr) or "-",
                " / ".join(f"{spectrum[arm]:.2f}" for arm in spectrum) or "-",
            ]
        )
    columns = ("pair", "people", "logit gm/wm", "psf mm2 x y z", "PSNR dB", "spectrum")
    show_table(columns, rows)
    arms = " / ".join(next(iter(paired.values()))["psnr_db"])
    if arms:
        say(f"PSNR and spectral distance to the same person's scan, by arm: {arms}")


def _step(found: dict[str, Any], name: str) -> str:
    low, high = found["ci95"][name]
    return f"{found['difference'][name]:.2f} ({low:.2f} to {high:.2f})"
