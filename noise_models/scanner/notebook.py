"""A fitted noise as a notebook shows it."""

from __future__ import annotations

from html import escape

from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.show import show
from noise_models.scanner.summary import describe


def as_html(noise: ScannerNoise) -> str:
    """Sites with their numbers, verdicts of the pairs, and the summary's sentences."""
    content = show(noise)
    rows = []
    for label, site in content["sites"].items():
        low, high = site["noise_sigma"]["ci95"]
        interval = "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
        cells = (
            label,
            str(site["scans"]),
            f"{site['noise_sigma']['median']:.3f}{interval}",
            " × ".join(f"{width:.1f}" for width in site["psf_fwhm_mm"].values()),
            f"{100 * site['bias_rms']:.0f}",
            f"{site['tissue_contrast']['gm_over_wm']:.2f}",
        )
        rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells))
    names = (
        *("site", "scans", "noise SD (white matter = 1)", "blur over sharpest (mm)"),
        *("shading RMS, %", "grey/white"),
    )
    head = "".join(f"<th>{name}</th>" for name in names)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    verdicts = [f"{k}: {v['verdict']}" for k, v in content["goodness"].items()]
    told = [*describe(noise), *verdicts]
    items = "".join(f"<li>{escape(text)}</li>" for text in told)
    title = escape(f"Scanner noise, {noise.record.evidence} evidence")
    return (
        f"<p><strong>{title}</strong></p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table><ul>{items}</ul>"
    )
