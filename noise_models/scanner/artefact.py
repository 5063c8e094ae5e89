"""scanner.yaml: the fitted noise as a file that a person can read and compare."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from noise_models.plain_yaml import plain_text, read_plain
from noise_models.registry import suggest
from noise_models.scanner.estimate import NAMES
from noise_models.scanner.evidence_file import (
    covariate_content,
    paired_content,
    read_covariate,
    read_paired,
)
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.record import Goodness, MeanSpectra, Record
from noise_models.scanner.scans import write_text
from noise_models.scanner.schema import (
    FORMAT,
    UNITS,
    VERSION,
    GoodnessFile,
    PairFile,
    ScannerFile,
    SiteFile,
)
from noise_models.scanner.site_coverage import EVERYWHERE, Faces
from noise_models.scanner.sites import Site
from noise_models.scanner.transfer import Pair

_OPTIONS = ("source", "target", "dispersion")
_WIDTH = 1000  # a row of a matrix, or a feature, is one line, however long
_DIGITS = 9  # significant; enough to repeat a float32 draw bit by bit


def save_scanner(noise: ScannerNoise, path: str | os.PathLike[str]) -> Path:
    """Write a fitted noise; the file appears complete or not at all.

    The choices ``source``, ``target`` and ``dispersion`` are not part of the fit and
    are not written.
    """
    record = noise.record
    content = {
        "format": FORMAT,
        "version": VERSION,
        "units": UNITS,
        "evidence": record.evidence,
        "sites": {site.label: _site(site) for site in noise.sites},
        "pairs": {
            key: {
                "sigma_add": _short(pair.sigma_add),
                "psf_add_fwhm_mm": _row(pair.psf_add_fwhm_mm),
                "clipped_noise": _short(pair.clipped_noise),
                "clipped_psf": _short(pair.clipped_psf),
                "clipped_axes": _row(pair.clipped_axes),
                "offset": {
                    name: _short(value)
                    for name, value in zip(NAMES, pair.offset, strict=False)
                    if value
                },
                "inherited": _short(pair.inherited),
                "apodisation": _short(pair.apodisation),
                "grain": _short(pair.grain),
            }
            for key, pair in record.pairs.items()
        },
        "goodness": {
            key: {
                "auc_before": _known(found.auc_before),
                "auc_after": _known(found.auc_after),
                "auc_floor": _known(found.auc_floor),
                "verdict": found.verdict,
                "scans": _Row(found.scans),
                "auc_after_ci95": _Row(_known(v) for v in found.auc_after_ci95),
                "auc_attainable": _known(found.auc_attainable),
                "unattainable": list(found.unattainable),
                "separation_p": _known(found.separation_p),
                "features": {
                    name: _row(numbers) for name, numbers in found.features.items()
                },
                "quantiles": {
                    name: _Row(_row(deciles) for deciles in three)
                    for name, three in found.quantiles.items()
                },
                "spectra": _spectra(found.spectra),
            }
            for key, found in record.goodness.items()
        },
        "provenance": {
            "seed": record.seed,
            "software": dict(record.versions),
            "inputs_sha256": dict(record.inputs),
            "warnings": list(record.warnings),
        }
        | ({"command": record.command} if record.command else {}),
    }
    if record.paired:
        content["paired"] = {k: paired_content(p) for k, p in record.paired.items()}
    if record.covariates:
        content["covariates"] = {
            name: covariate_content(one) for name, one in record.covariates.items()
        }
    target = Path(path)
    content["digest"] = content_digest(content)
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=_WIDTH)
    write_text(target, "# Fitted by medvae fit-noise. See: medvae noise show\n" + text)
    return target


def load_scanner(
    path: str | os.PathLike[str],
    **options: Any,  # noqa: ANN401 (each option has its own type)
) -> ScannerNoise:
    """Read a fitted noise.

    Args:
        path: The file.
        **options: ``source``, ``target``, ``dispersion`` of `ScannerNoise`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not such a file, another version, or a value out of place; the
            message names the file, the line where it can be told, and the key.
    """
    for key in options:
        if key not in _OPTIONS:
            raise ValueError(f"scanner has no option {key!r}; {suggest(key, _OPTIONS)}")
    name = os.fspath(path)
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"{name} not found. Make it with: medvae fit-noise SITE_A SITE_B"
        )
    text = plain_text(Path(path))
    file = _validated(text, name)
    sites = tuple(_read_site(label, site) for label, site in file.sites.items())
    record = Record(
        evidence=file.evidence,
        pairs={key: _read_pair(pair) for key, pair in file.pairs.items()},
        goodness={key: _read_goodness(g) for key, g in file.goodness.items()},
        seed=file.provenance.seed,
        versions=file.provenance.software,
        inputs=file.provenance.inputs_sha256,
        warnings=tuple(file.provenance.warnings),
        paired={key: read_paired(found) for key, found in file.paired.items()},
        covariates={n: read_covariate(found) for n, found in file.covariates.items()},
        command=file.provenance.command,
    )
    try:
        return ScannerNoise(sites, record=record, **options)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def content_digest(content: dict[str, Any]) -> str:
    """SHA-256 of everything in the file but the digest, whatever its layout.

    It tells whether a number was changed after the fit, by accident or by hand; it is
    no signature, since anyone can compute it.

    Example:
        >>> content_digest({"a": 1}) == content_digest({"digest": "x", "a": 1})
        True
    """
    rest = {key: value for key, value in content.items() if key != "digest"}
    plain = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()


class _Row(list[Any]):
    """A list that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Short rows inline, so that a matrix reads as one."""


_Dumper.add_representer(
    _Row,
    lambda dumper, row: dumper.represent_sequence(
        "tag:yaml.org,2002:seq", row, flow_style=True
    ),
)


def _site(site: Site) -> dict[str, Any]:
    air, tissue, none = site.evidence
    return {
        "scans": site.scans,
        "subjects": site.subjects,
        "spacing_mm": _row(site.spacing_mm),
        "noise_from": {"air": air, "tissue": tissue, "none": none},
        "mean": dict(zip(NAMES, _row(site.mean), strict=True)),
        "ci95": {n: _row(ends) for n, ends in zip(NAMES, site.ci95, strict=True)},
        "covariance": [_row(line) for line in site.covariance],
        "coils": _known(site.coils),
        "kspace_extent": _row(site.extent),
        "field_of_view_mm": _faces(site.field_of_view_mm),
        "placing_sd_mm": _row(site.placing_sd_mm),
        "outliers": list(site.outliers),
        "flags": list(site.flags),
    }


def _faces(faces: Faces) -> _Row | None:
    """None where the sizes of the scans were not known."""
    return None if math.isinf(faces[0][0]) else _Row(_row(ends) for ends in faces)


def _spectra(found: MeanSpectra | None) -> dict[str, _Row] | None:
    if found is None:
        return None
    return {name: _row(row) for name, row in asdict(found).items()}


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _row(values: Any) -> _Row:  # noqa: ANN401 (any sequence of numbers)
    return _Row(_short(v) for v in values)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else _short(value)


def _read_site(label: str, site: SiteFile) -> Site:
    counts = site.noise_from
    return Site(
        label=label,
        mean=tuple(site.mean.values()),
        covariance=tuple(tuple(row) for row in site.covariance),
        ci95=tuple(site.ci95.values()),
        scans=site.scans,
        subjects=site.subjects,
        spacing_mm=site.spacing_mm,
        evidence=(counts.get("air", 0), counts.get("tissue", 0), counts.get("none", 0)),
        outliers=tuple(site.outliers),
        flags=tuple(site.flags),
        coils=math.nan if site.coils is None else site.coils,
        extent=site.kspace_extent,
        field_of_view_mm=site.field_of_view_mm or EVERYWHERE,
        placing_sd_mm=site.placing_sd_mm,
    )


def _read_pair(pair: PairFile) -> Pair:
    offset = tuple(pair.offset.get(name, 0.0) for name in NAMES)
    return Pair(
        sigma_add=pair.sigma_add,
        psf_add_fwhm_mm=pair.psf_add_fwhm_mm,
        clipped_noise=pair.clipped_noise,
        clipped_psf=pair.clipped_psf,
        clipped_axes=pair.clipped_axes,
        offset=offset if any(offset) else (),
        inherited=pair.inherited,
        apodisation=pair.apodisation,
        grain=pair.grain,
    )


def _read_goodness(found: GoodnessFile) -> Goodness:
    low, high = found.auc_after_ci95
    spectra = MeanSpectra(**dict(found.spectra)) if found.spectra else None
    before, after, floor, fair, p, low, high = (
        math.nan if value is None else value
        for value in (
            found.auc_before,
            found.auc_after,
            found.auc_floor,
            found.auc_attainable,
            found.separation_p,
            low,
            high,
        )
    )
    return Goodness(
        auc_before=before,
        auc_after=after,
        auc_floor=floor,
        verdict=found.verdict,
        scans=found.scans,
        auc_after_ci95=(low, high),
        auc_attainable=fair,
        unattainable=tuple(found.unattainable),
        separation_p=p,
        features=dict(found.features),
        quantiles=dict(found.quantiles),
        spectra=spectra,
    )


def _validated(text: str, name: str) -> ScannerFile:
    try:
        content = read_plain(text)
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise ValueError(
            f"{name}: not valid YAML ({line}). Restore the file, or fit again."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else content
        raise ValueError(
            f"{name}: format must be {FORMAT!r}, got {repr(found)[:60]}. "
            "Make such a file with: medvae fit-noise SITE_A SITE_B"
        )
    if content.get("version") != VERSION:
        raise ValueError(
            f"{name}: version must be {VERSION}, got {content.get('version')!r}. "
            "Fit again with this medvae, or use the one that wrote it."
        )
    try:
        file = ScannerFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = tuple(part for part in first["loc"] if part != "[key]")
        number = _line_of(text, place)
        where = f"{name}:{number}" if number else name
        key = ".".join(str(part) for part in place)
        got = first["input"]
        is_short = isinstance(got, str | int | float)
        shown = f", got {repr(got)[:60]}" if is_short else ""
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(
            f"{where}: {key}: {message}{shown}. Restore the file, or fit again."
        ) from error
    if file.digest != content_digest(content):
        raise ValueError(
            f"{name}: changed after it was fitted: its digest is "
            f"{file.digest[:12]}..., its content's {content_digest(content)[:12]}... "
            "Restore the file, or fit again."
        )
    return file


def _line_of(text: str, place: tuple[int | str, ...]) -> int:
    """Line of a key in the YAML text, or of the deepest part of it that is there."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 0
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == str(part)]
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
