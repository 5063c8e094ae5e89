"""Fourteen scanners after the sites of ABIDE, read from ``sites.tsv``.

Where the columns of the table come from. Vendor, TR, TE, TI, flip angle and echo
spacing: the protocols that ABIDE published (as collected in mriqc-learn, Apache-2.0).
Where those leave a gap a customary value stands in: the cycle of Philips' and GE's
inversion-prepared sequences, KKI's inversion time, STANFORD's preparation, which no
table names but without which its contrast cannot be had; coils and k-space filters
follow the vendors' habits. Matrix, voxel size, noise (standard deviation of air over
white matter, divided by the Rayleigh .655), non-uniformity and blur: medians of the
MRIQC metrics (Esteban 2017, doi:10.1371/journal.pone.0184661) over the site's scans;
blur is ``0.4 sqrt(FWHM^2 - 2.9^2)``, their excess over the smoothness of anatomy.
UM_1's air is zeroed in ABIDE, so its noise (.038) is that of its neighbours.

``effective_flip_deg`` and ``effective_inversion_s`` are fitted: with textbook
relaxation times the nominal protocol misses the contrasts that ABIDE shows (real
k-space centres, magnetisation transfer and pulse profiles are not in the equation),
so the two were moved, by at most factors of 1.7 and 1.4, towards the site's grey /
white ratio and its CSF / white ratio less .06, which partial volume adds in any
segmentation. The signal equation then gives ratios of .62-.82 and .10-.38 where the
site medians are .58-.85 and .25-.44 (last two columns of the table): grey matter
agrees to .06, CSF stays darker than in ABIDE where inversion times are long.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

import numpy as np

from medvae.errors import UserError
from medvae.phantom.signal import tissue_signals
from medvae.phantom.tissues import TISSUES, Constitution

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Scanner:
    """One scanner with its protocol.

    Args:
        site: Label, such as ``"UM_1"``.
        institution: Its hospital or university.
        manufacturer: Vendor.
        model: Vendor's name of the machine.
        field_t: Field strength in tesla.
        sequence: ``"MPRAGE"`` or ``"SPGR"``.
        repetition_s: Inversion to inversion (MPRAGE) or pulse to pulse (SPGR).
        echo_s: Echo time.
        inversion_s: Inversion time of the protocol; None for SPGR.
        flip_deg: Flip angle of the protocol.
        echo_spacing_s: Pulse to pulse within the MPRAGE train.
        echoes: Pulses in the train.
        effective_inversion_s: Inversion time put into the signal equation.
        effective_flip_deg: Flip angle put into the signal equation.
        matrix: Voxels along right, front and up.
        voxel_mm: Voxel size along right, front and up.
        blur_mm: FWHM of Gaussian blur beyond the voxel, along right, front and up.
        kspace_filter: Share of k-space, from its edge, tapered by a raised cosine.
        coils: Receive coils combined by sum of squares.
        noise: Standard deviation of each channel, as a share of white matter.
        non_uniformity: Spread (95th less 5th percentile) of the receive field.
        storage: Order in which axes are stored, as nibabel axis codes.

    Example:
        >>> scanner("NYU").voxel_mm
        (1.33, 1.0, 1.0)
    """

    site: str
    institution: str
    manufacturer: str
    model: str
    field_t: float
    sequence: str
    repetition_s: float
    echo_s: float
    inversion_s: float | None
    flip_deg: float
    echo_spacing_s: float
    echoes: int
    effective_inversion_s: float | None
    effective_flip_deg: float
    matrix: tuple[int, int, int]
    voxel_mm: Triple
    blur_mm: Triple
    kspace_filter: float
    coils: int
    noise: float
    non_uniformity: float
    storage: str

    def scaled(self, factor: float) -> Scanner:
        """The same scanner with every voxel ``factor`` times as large.

        Blur grows with the voxels; noise keeps its share of white matter.

        Example:
            >>> scanner("NYU").scaled(2.0).matrix
            (64, 128, 128)
        """
        x, y, z = (max(8, round(n / factor)) for n in self.matrix)
        return replace(
            self,
            matrix=(x, y, z),
            voxel_mm=_times(self.voxel_mm, factor),
            blur_mm=_times(self.blur_mm, factor),
        )

    def signals(
        self,
        constitution: Constitution | None = None,
        transmit: np.ndarray | float = 1.0,
    ) -> np.ndarray:
        """Signal of every tissue, shape ``(*transmit.shape, 7)``; see signal.py."""
        return tissue_signals(
            sequence=self.sequence,
            field_t=self.field_t,
            repetition_s=self.repetition_s,
            echo_s=self.echo_s,
            inversion_s=self.effective_inversion_s,
            echo_spacing_s=self.echo_spacing_s,
            echoes=self.echoes,
            flip_deg=self.effective_flip_deg,
            constitution=constitution,
            transmit=transmit,
        )

    def contrast(self, constitution: Constitution | None = None) -> dict[str, float]:
        """Grey and CSF signal over white matter, from the signal equation.

        Example:
            >>> ratios = scanner("KKI").contrast()
            >>> 0 < ratios["csf_over_wm"] < ratios["gm_over_wm"] < 1
            True
        """
        signal = dict(zip(TISSUES, self.signals(constitution), strict=True))
        return {
            "gm_over_wm": float(signal["gm"] / signal["wm"]),
            "csf_over_wm": float(abs(signal["csf"]) / signal["wm"]),
        }


def _times(values: Triple, factor: float) -> Triple:
    x, y, z = (round(value * factor, 4) for value in values)
    return x, y, z


@lru_cache(maxsize=1)
def _table() -> dict[str, Scanner]:
    path = resources.files("medvae.phantom") / "sites.tsv"
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")
    return {row["site"]: _from_row(row) for row in rows}


def _from_row(row: dict[str, str]) -> Scanner:
    def optional(key: str) -> float | None:
        return None if row[key] == "n/a" else float(row[key])

    def triple(stem: str) -> Triple:
        x, y, z = (float(row[f"{stem}_{axis}_mm"]) for axis in "xyz")
        return x, y, z

    return Scanner(
        site=row["site"],
        institution=row["institution"],
        manufacturer=row["manufacturer"],
        model=row["model"],
        field_t=float(row["field_t"]),
        sequence=row["sequence"],
        repetition_s=float(row["repetition_s"]),
        echo_s=float(row["echo_s"]),
        inversion_s=optional("inversion_s"),
        flip_deg=float(row["flip_deg"]),
        echo_spacing_s=float(row["echo_spacing_s"]),
        echoes=int(row["echoes"]),
        effective_inversion_s=optional("effective_inversion_s"),
        effective_flip_deg=float(row["effective_flip_deg"]),
        matrix=(int(row["matrix_x"]), int(row["matrix_y"]), int(row["matrix_z"])),
        voxel_mm=triple("voxel"),
        blur_mm=triple("blur"),
        kspace_filter=float(row["kspace_filter"]),
        coils=int(row["coils"]),
        noise=float(row["noise"]),
        non_uniformity=float(row["inu"]),
        storage=row["storage"],
    )


def site_names() -> tuple[str, ...]:
    """Sites to choose from.

    Example:
        >>> "UM_1" in site_names(), len(site_names()) >= 8
        (True, True)
    """
    return tuple(_table())


def scanner(site: str) -> Scanner:
    """The scanner of a site.

    Raises:
        UserError: There is no such site.

    Example:
        >>> scanner("UM_1").sequence
        'SPGR'
    """
    table = _table()
    if site in table:
        return table[site]
    near = difflib.get_close_matches(site.upper(), table, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(f"no phantom site named '{site}'; known: {', '.join(table)}.{hint}")
