"""Steady-state signal of the two T1-weighted sequences."""

from __future__ import annotations

import numpy as np

from medvae.phantom.tissues import TISSUES, Constitution, tissue_table

INVERSION_EFFICIENCY = 0.96
"""Share of the magnetisation that an adiabatic pulse really turns over."""


def spgr(
    t1_s: np.ndarray, *, repetition_s: float, flip_rad: float | np.ndarray
) -> np.ndarray:
    """Transverse magnetisation of a spoiled gradient echo right after its pulse.

    ``sin(a) (1 - E) / (1 - cos(a) E)`` with ``E = exp(-TR / T1)`` (Haase 1986,
    doi:10.1016/0022-2364(86)90433-6), for unit equilibrium magnetisation.

    Example:
        >>> ernst = np.arccos(np.exp(-0.01 / 0.8))
        >>> best = spgr(np.array(0.8), repetition_s=0.01, flip_rad=ernst)
        >>> bool(best > spgr(np.array(0.8), repetition_s=0.01, flip_rad=ernst * 1.1))
        True
    """
    decay = np.exp(-repetition_s / t1_s)
    return np.asarray(np.sin(flip_rad) * (1 - decay) / (1 - np.cos(flip_rad) * decay))


def mprage(
    t1_s: np.ndarray,
    *,
    repetition_s: float,
    inversion_s: float,
    echo_spacing_s: float,
    echoes: int,
    flip_rad: float | np.ndarray,
) -> np.ndarray:
    """Transverse magnetisation of MPRAGE at the centre of k-space.

    One inversion, a wait, ``echoes`` spoiled pulses of which the middle one comes
    ``inversion_s`` after the inversion, then free recovery until ``repetition_s``;
    the steady state of that cycle (Deichmann 2000, doi:10.1006/nimg.2000.0601; Wang
    2014, doi:10.1371/journal.pone.0096899). Each part maps the longitudinal
    magnetisation ``m`` to ``a + b m``, so the fixed point is exact. The sign is kept:
    a tissue still inverted at the centre of k-space has negative signal. A protocol
    whose train does not fit between inversion and TR has waits of zero.

    Returns:
        Signal for unit equilibrium magnetisation, broadcast over ``t1_s`` and
        ``flip_rad``.

    Example:
        >>> timing = dict(repetition_s=2.3, inversion_s=0.9, echo_spacing_s=0.008)
        >>> wm, gm = mprage(np.array([0.83, 1.33]), echoes=160, flip_rad=0.16, **timing)
        >>> bool(wm > gm > 0)
        True
    """
    before = echoes // 2
    wait = max(inversion_s - before * echo_spacing_s, 0.0)
    rest = max(repetition_s - wait - echoes * echo_spacing_s, 0.0)
    step = np.exp(-echo_spacing_s / t1_s)
    driven = (1 - step) / (1 - np.cos(flip_rad) * step)
    keep = np.cos(flip_rad) * step

    recovery_wait, recovery_rest = np.exp(-wait / t1_s), np.exp(-rest / t1_s)
    offset, slope = 1 - recovery_wait, -(2 * INVERSION_EFFICIENCY - 1) * recovery_wait
    train_offset = driven + (offset - driven) * keep**echoes
    train_slope = slope * keep**echoes
    steady = (1 - recovery_rest + train_offset * recovery_rest) / (
        1 - train_slope * recovery_rest
    )
    centre = driven + (offset + slope * steady - driven) * keep**before
    return np.asarray(np.sin(flip_rad) * centre)


def tissue_signals(
    *,
    sequence: str,
    field_t: float,
    repetition_s: float,
    echo_s: float,
    inversion_s: float | None,
    echo_spacing_s: float,
    echoes: int,
    flip_deg: float,
    constitution: Constitution | None = None,
    transmit: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Signal of every tissue, relative to fully relaxed water.

    Args:
        sequence: ``"MPRAGE"`` or ``"SPGR"``.
        field_t: 1.5 or 3 tesla.
        repetition_s: Cycle of MPRAGE, or time between pulses of SPGR.
        echo_s: Echo time.
        inversion_s: From the inversion to the centre of k-space; None for SPGR.
        echo_spacing_s: Between pulses of the MPRAGE train.
        echoes: Pulses in the MPRAGE train.
        flip_deg: Nominal flip angle.
        constitution: The person; by default the one of the textbook.
        transmit: Actual over nominal flip angle, of any shape.

    Returns:
        Array of shape ``(*transmit.shape, len(TISSUES))``.

    Example:
        >>> tissue_signals(sequence="SPGR", field_t=3.0, repetition_s=0.0084,
        ...     echo_s=0.0018, inversion_s=None, echo_spacing_s=0, echoes=0,
        ...     flip_deg=15).shape
        (7,)
    """
    person = constitution or Constitution.average()
    table = [tissue_table(field_t)[name] for name in TISSUES]
    t1 = np.array([tissue.t1_s for tissue in table]) * person.t1
    weight = np.array(
        [tissue.proton_density * np.exp(-echo_s / tissue.t2star_s) for tissue in table]
    )
    flip = np.deg2rad(flip_deg) * np.asarray(transmit)[..., None]
    if sequence == "SPGR":
        magnetisation = spgr(t1, repetition_s=repetition_s, flip_rad=flip)
    elif sequence == "MPRAGE" and inversion_s is not None:
        magnetisation = mprage(
            t1,
            repetition_s=repetition_s,
            inversion_s=inversion_s,
            echo_spacing_s=echo_spacing_s,
            echoes=echoes,
            flip_rad=flip,
        )
    else:
        raise ValueError(
            f"sequence must be MPRAGE with an inversion time, or SPGR, got {sequence}."
        )
    return np.asarray(magnetisation * weight * person.proton_density)
