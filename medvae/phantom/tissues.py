"""Relaxation times and proton densities of the tissues of a head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TISSUES = ("wm", "gm", "csf", "bone", "marrow", "fat", "muscle")
"""The order of every tissue axis in this package. What is left over is air."""


@dataclass(frozen=True)
class Tissue:
    """What a pulse sequence can see of one tissue.

    Args:
        t1_s: Longitudinal relaxation time, in seconds.
        t2star_s: Effective transverse relaxation time, in seconds.
        proton_density: Relative to water.

    Example:
        >>> tissue_table(3.0)["csf"].t1_s
        4.0
    """

    t1_s: float
    t2star_s: float
    proton_density: float


# Brain T1 at 1.5 T: Rooney 2007, doi:10.1002/mrm.21122; at 3 T: Wansapura 1999,
# doi:10.1002/(SICI)1522-2586(199904)9:4<531::AID-JMRI4>3.0.CO;2-L. Brain T2*: Peters
# 2007, doi:10.1016/j.mri.2007.02.014. Fat, marrow, muscle: Gold 2004,
# doi:10.2214/ajr.183.2.01830343 (T2* shortened from their T2). Water contents are the
# customary round figures; that of fat and marrow is lowered by about a third, for the
# chemical-shift dephasing that a single T2* leaves out, so that the scalp is as bright
# as in scans. Cortical bone keeps a little signal only because real voxels of it hold
# soft tissue.
_BY_FIELD: dict[float, dict[str, Tissue]] = {
    1.5: {
        "wm": Tissue(0.656, 0.066, 0.70),
        "gm": Tissue(1.188, 0.084, 0.82),
        "csf": Tissue(4.0, 1.0, 1.0),
        "bone": Tissue(0.25, 0.0012, 0.15),
        "marrow": Tissue(0.30, 0.030, 0.35),
        "fat": Tissue(0.288, 0.040, 0.45),
        "muscle": Tissue(1.13, 0.030, 0.75),
    },
    3.0: {
        "wm": Tissue(0.832, 0.053, 0.70),
        "gm": Tissue(1.331, 0.066, 0.82),
        "csf": Tissue(4.0, 1.0, 1.0),
        "bone": Tissue(0.25, 0.0008, 0.15),
        "marrow": Tissue(0.38, 0.020, 0.35),
        "fat": Tissue(0.365, 0.030, 0.45),
        "muscle": Tissue(1.42, 0.025, 0.75),
    },
}


def tissue_table(field_t: float) -> dict[str, Tissue]:
    """Tissue parameters at a field strength of 1.5 or 3 tesla.

    Example:
        >>> tissue_table(3.0)["gm"].t1_s > tissue_table(1.5)["gm"].t1_s
        True
    """
    try:
        return _BY_FIELD[field_t]
    except KeyError:
        known = ", ".join(f"{field:g}" for field in _BY_FIELD)
        raise ValueError(
            f"field strength must be one of {known} tesla, got {field_t:g}."
        ) from None


@dataclass(frozen=True)
class Constitution:
    """How one person's tissues deviate from the table, as factors on T1 and density.

    Relaxation rates differ by a few per cent between healthy people, and white-matter
    T1 is shortest in the thirties and rises afterwards (Yeatman 2014,
    doi:10.1038/ncomms5932); we put that at 5 % from 35 to 80 years.

    Args:
        t1: Factor per tissue, in the order of ``TISSUES``.
        proton_density: Factor per tissue, in the order of ``TISSUES``.

    Example:
        >>> Constitution.draw(40.0, np.random.default_rng(0)).t1.shape
        (7,)
    """

    t1: np.ndarray
    proton_density: np.ndarray

    @classmethod
    def draw(cls, age: float, rng: np.random.Generator) -> Constitution:
        """One person of ``age`` years; T1 spreads by 2 %, proton density by 1 %."""
        t1 = 1 + 0.02 * rng.standard_normal(len(TISSUES))
        density = 1 + 0.01 * rng.standard_normal(len(TISSUES))
        t1[TISSUES.index("wm")] *= 1 + 0.05 * ((age - 35) / 45) ** 2
        return cls(t1, density)

    @classmethod
    def average(cls) -> Constitution:
        """The person of the textbook: every factor is 1."""
        return cls(np.ones(len(TISSUES)), np.ones(len(TISSUES)))
