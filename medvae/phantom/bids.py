"""Names, tables and descriptions of the phantom's BIDS data set."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medvae.files import write_json, write_text
from medvae.phantom.scanners import Scanner

BIDS_VERSION = "1.9.0"

Visits = Mapping[str, Sequence[str]]


def label(site: str) -> str:
    """A site's name as BIDS allows it in file names: letters and digits only.

    Example:
        >>> label("UM_1")
        'UM1'
    """
    return re.sub(r"[^A-Za-z0-9]", "", site)


def is_traveler(subject: str) -> bool:
    """Whether a subject is scanned at every site.

    Example:
        >>> is_traveler("T01"), is_traveler("TRINITY01")
        (True, False)
    """
    return re.fullmatch(r"T\d+", subject) is not None


def scan_stem(subject: str, site: str) -> str:
    """Path of a scan below the root, without suffix; travelers have sessions.

    Example:
        >>> scan_stem("T01", "UM_1")
        'sub-T01/ses-UM1/anat/sub-T01_ses-UM1_T1w'
    """
    if is_traveler(subject):
        session = f"ses-{label(site)}"
        return f"sub-{subject}/{session}/anat/sub-{subject}_{session}_T1w"
    return f"sub-{subject}/anat/sub-{subject}_T1w"


def sidecar(scanner: Scanner) -> dict[str, Any]:
    """The protocol as a scanner would report it: nominal, not effective, values."""
    prepared = scanner.sequence == "MPRAGE"
    fields: dict[str, Any] = {
        "Modality": "MR",
        "Manufacturer": scanner.manufacturer,
        "ManufacturersModelName": scanner.model,
        "InstitutionName": scanner.institution,
        "StationName": scanner.site,
        "MagneticFieldStrength": scanner.field_t,
        "PulseSequenceType": scanner.sequence,
        "ScanningSequence": "GR\\IR" if prepared else "GR",
        "SequenceVariant": "SP\\MP" if prepared else "SP",
        "MRAcquisitionType": "3D",
        "RepetitionTime": scanner.repetition_s,
        "EchoTime": scanner.echo_s,
        "FlipAngle": scanner.flip_deg,
        "NonlinearGradientCorrection": False,
        "ConversionSoftware": "medvae phantom",
    }
    if scanner.inversion_s is not None:
        fields["InversionTime"] = scanner.inversion_s
    return fields


def write_tables(
    root: Path, visits: Visits, people: Mapping[str, tuple[float, str]]
) -> None:
    """participants.tsv for all, sessions.tsv for travelers, and what columns mean."""
    rows = [
        (
            f"sub-{subject}",
            people[subject][0],
            people[subject][1],
            "n/a" if is_traveler(subject) else sites[0],
        )
        for subject, sites in visits.items()
    ]
    _write_tsv(
        root / "participants.tsv", ("participant_id", "age", "sex", "site"), rows
    )
    site_column = {"Description": "Scanner site, after the site names of ABIDE"}
    write_json(
        root / "participants.json",
        {
            "age": {"Description": "Age of the simulated person", "Units": "year"},
            "sex": {
                "Description": "Sex of the simulated person",
                "Levels": {"F": "female", "M": "male"},
            },
            "site": {**site_column, "LongName": "Site; n/a: see sessions.tsv"},
        },
    )
    for subject, sites in visits.items():
        if is_traveler(subject):
            stem = root / f"sub-{subject}" / f"sub-{subject}_sessions"
            sessions = [(f"ses-{label(site)}", site) for site in sites]
            _write_tsv(stem.with_suffix(".tsv"), ("session_id", "site"), sessions)
            write_json(stem.with_suffix(".json"), {"site": site_column})


def write_descriptions(root: Path, recipe: Mapping[str, Any]) -> None:
    """Descriptions of the data set and of its ground truth, README, medvae.yaml."""
    generator = {"Name": "medvae phantom", "Description": json.dumps(recipe)}
    common = {"BIDSVersion": BIDS_VERSION, "GeneratedBy": [generator]}
    write_json(
        root / "dataset_description.json",
        {
            "Name": "medvae phantom",
            "DatasetType": "raw",
            "License": "CC0-1.0",
            "Authors": ["medvae contributors"],
            "Acknowledgements": (
                "Anatomy: ICBM 152 2009a, doi:10.1016/j.neuroimage.2010.07.033. "
                "Scanner parameters: ABIDE, through mriqc-learn."
            ),
            **common,
        },
    )
    write_json(
        root / "derivatives" / "ground-truth" / "dataset_description.json",
        {"Name": "Ground truth of the phantom", "DatasetType": "derivative", **common},
    )
    write_text(root / "README", _readme(recipe))
    write_text(root / "medvae.yaml", "data: .\n")
    write_text(root / ".bidsignore", "medvae.yaml\n")


def write_truth_tables(truth: Path, visits: Visits) -> None:
    """Gather the truth of all scans into one table, ``scans_truth.tsv``."""
    flat = [
        _flatten(
            {
                "scan": f"{scan_stem(subject, site)}.nii.gz",
                **json.loads(
                    (truth / f"{scan_stem(subject, site)}.json").read_text("utf-8")
                ),
            }
        )
        for subject, sites in visits.items()
        for site in sites
    ]
    columns = tuple(flat[0])
    _write_tsv(
        truth / "scans_truth.tsv", columns, [[row[c] for c in columns] for row in flat]
    )


def _flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{key}_"))
        else:
            flat[prefix + key] = value
    return flat


def _write_tsv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
    write_text(path, text.getvalue())


def _readme(recipe: Mapping[str, Any]) -> str:
    return f"""Phantom cohort of medvae

Simulated T1-weighted MR scans of simulated people. Nobody was scanned. Brains are
random deformations of the ICBM 152 average, aged and given folds of their own; the
scanners follow the published protocols and image quality of ABIDE sites.

Sites: {", ".join(recipe["sites"])}. Each has {recipe["subjects"]} subjects of its own;
{recipe["travelers"]} traveling subjects (sub-T..) were scanned at every site, one
session a site (the site's name is in the column "site" of their sessions.tsv).
Voxels are {recipe["voxel_scale"]:g} times their usual size.
The seed was {recipe["seed"]}.

derivatives/ground-truth holds the parameters that made each scan: scans_truth.tsv in
one table, and a JSON file for every scan. blur_fwhm_mm is the blur that the simulated
scanner adds to what its voxels do; psf_fwhm_mm is the FWHM of the whole kernel: voxel,
filter of the k-space, and that blur. Where no blur is added, psf_fwhm_mm is not 0.
"""
