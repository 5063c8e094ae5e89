"""A scan: a person's head, seen by one scanner, on one day.

Signal of every voxel's tissue mix under the transmit field, the head turned as it lay,
band-limited sampling along each axis, receive field, complex noise in every coil, sum
of squares, gain, rounding to int16. Noise enters at the voxels because white k-space
noise of a fully sampled scan is white there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from medvae.phantom.anatomy import Anatomy
from medvae.phantom.fields import receive_field, transmit_field
from medvae.phantom.sampling import axis_operator, kernel_fwhm_mm
from medvae.phantom.scanners import Scanner
from medvae.phantom.tissues import TISSUES
from medvae.threads import one_thread

HEAD_TOP_MM = 106.0
"""Top of the field of view, above the crown, in the head's own millimetres."""


@dataclass(frozen=True)
class Day:
    """What changes between two scans on the same scanner.

    Args:
        rotation_deg: Pitch, yaw and roll of the head: about x, z and y.
        shift_mm: Where the head lay, right, front and up.
        noise: Noise standard deviation as a share of white matter.
        gain: Stored units of white matter.
        wobble: ``(K,)`` random part of the receive field; see fields.py.
        transmit: Relative flip angle in the middle of the head.
    """

    rotation_deg: tuple[float, float, float]
    shift_mm: tuple[float, float, float]
    noise: float
    gain: float
    wobble: np.ndarray
    transmit: float

    @classmethod
    def draw(cls, scanner: Scanner, rng: np.random.Generator) -> Day:
        """Head within some 3 degrees and mm; noise and gain spread by 10 %.

        Example:
            >>> from medvae.phantom.scanners import scanner
            >>> day = Day.draw(scanner("NYU"), np.random.default_rng(0))
            >>> 0.7 < day.noise / scanner("NYU").noise < 1.4
            True
        """
        pitch, yaw, roll = (float(v) for v in rng.normal(scale=(1.5, 1.0, 1.0)))
        x, y, z = (float(v) for v in rng.normal(scale=(1.0, 1.2, 1.2)))
        return cls(
            rotation_deg=(pitch, yaw, roll),
            shift_mm=(x, y, z),
            noise=scanner.noise * float(np.exp(0.1 * rng.standard_normal())),
            gain=_site_gain(scanner) * float(np.exp(0.1 * rng.standard_normal())),
            wobble=rng.standard_normal(6),
            transmit=float(1 + 0.02 * rng.standard_normal()),
        )


@dataclass(frozen=True)
class Acquisition:
    """A scan with everything that made it.

    Args:
        image: int16, stored in the scanner's axis order, world in RAS+ millimetres.
        truth: Parameters that a fit should find; see docs and ``acquire``.
    """

    image: nib.Nifti1Image
    truth: dict[str, Any]


@one_thread
def acquire(
    anatomy: Anatomy,
    scanner: Scanner,
    rng: np.random.Generator,
    *,
    day: Day | None = None,
) -> Acquisition:
    """Image a head.

    Args:
        anatomy: Who lies in the scanner.
        scanner: The scanner, already ``scaled`` if larger voxels are wanted.
        rng: Source of the day (unless given) and of the noise.
        day: Position, noise level, gain and fields of this scan.

    Returns:
        The image, and as ``truth``: ``noise_sigma`` (per channel, share of white
        matter), ``coils``, ``psf_fwhm_mm`` (whole kernel) and ``blur_fwhm_mm`` (its
        Gaussian part), ``bias_rms`` (of the log receive field in the head),
        ``tissue_contrast``, ``white_matter_units`` (stored value of white matter at
        receive field 1), ``rotation_deg``, ``shift_mm``.

    Example:
        >>> from medvae.phantom import anatomy, scanner
        >>> head = anatomy(0, "T01", spacing_mm=8.0)
        >>> scan = acquire(head, scanner("NYU").scaled(8), np.random.default_rng(0))
        >>> scan.image.get_data_dtype() == np.int16, nib.aff2axcodes(scan.image.affine)
        (True, ('P', 'S', 'R'))
    """
    day = day or Day.draw(scanner, rng)
    axes = voxel_centres(scanner)
    turned, turned_axes = _turned(_object_signal(anatomy, scanner, day), anatomy, day)
    signal = _sampled(turned, turned_axes, axes, scanner)
    field = receive_field(axes, scanner, day.wobble)
    head = signal > 0.2
    signal *= field
    magnitude = _noisy(signal, day.noise, scanner.coils, rng)
    stored = np.clip(np.rint(magnitude * day.gain), 0, 32767).astype(np.int16)
    return Acquisition(
        image=_stored_image(stored, axes, scanner),
        truth=_truth(anatomy, scanner, day, field, head),
    )


def voxel_centres(scanner: Scanner) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Voxel centres in mm along right, front and up, before storage reorders them.

    Example:
        >>> from medvae.phantom.scanners import scanner
        >>> [len(axis) for axis in voxel_centres(scanner("NYU"))]
        [128, 256, 256]
    """
    extent = [n * mm for n, mm in zip(scanner.matrix, scanner.voxel_mm, strict=True)]
    middle = (0.0, -14.0, max(HEAD_TOP_MM - extent[2] / 2, -22.0))
    x, y, z = (
        centre + mm * (np.arange(n) - (n - 1) / 2)
        for centre, n, mm in zip(middle, scanner.matrix, scanner.voxel_mm, strict=True)
    )
    return x, y, z


def _object_signal(anatomy: Anatomy, scanner: Scanner, day: Day) -> np.ndarray:
    """Signal over that of white matter on the anatomy's grid; the sign is kept."""
    white = scanner.signals(anatomy.constitution)[TISSUES.index("wm")]
    # The flip angle varies smoothly and by little: a parabola per tissue is exact
    # to a fraction of a per cent.
    nodes = np.array([0.75, 1.0, 1.25])
    at_nodes = scanner.signals(anatomy.constitution, nodes) / white / 255
    powers = np.linalg.solve(np.vander(nodes - 1, 3, increasing=True), at_nodes)
    transmit = transmit_field(anatomy.axes_mm, scanner.field_t, day.transmit)
    signal = np.empty(anatomy.texture.shape, dtype=np.float32)
    for plane in range(len(signal)):
        shares = anatomy.tissues[:, plane].reshape(len(TISSUES), -1).astype(np.float32)
        constant, linear, square = powers.astype(np.float32) @ shares
        deviation = transmit[plane].ravel() - 1
        mixed = constant + deviation * (linear + deviation * square)
        signal[plane] = mixed.reshape(signal[plane].shape)
    signal *= anatomy.texture
    return signal


def _turned(
    signal: np.ndarray, anatomy: Anatomy, day: Day
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The head in scanner coordinates: same grid, turned and shifted."""
    pitch, yaw, roll = day.rotation_deg
    turn = Rotation.from_euler("xzy", (pitch, yaw, roll), degrees=True).as_matrix()
    pivot, low = np.array([0.0, -20.0, 0.0]), np.array([a[0] for a in anatomy.axes_mm])
    # scanner = turn (head - pivot) + pivot + shift; the shift moves the axes instead.
    origin = pivot + turn.T @ (low - pivot) - low
    turned: np.ndarray = ndimage.affine_transform(
        signal, turn.T, offset=origin / anatomy.spacing_mm, order=2, mode="constant"
    )
    x, y, z = (a + s for a, s in zip(anatomy.axes_mm, day.shift_mm, strict=True))
    return turned, (x, y, z)


def _sampled(
    signal: np.ndarray,
    source: tuple[np.ndarray, np.ndarray, np.ndarray],
    target: tuple[np.ndarray, np.ndarray, np.ndarray],
    scanner: Scanner,
) -> np.ndarray:
    for axis in range(3):
        operator = axis_operator(
            source[axis],
            target[axis],
            voxel_mm=scanner.voxel_mm[axis],
            blur_fwhm_mm=scanner.blur_mm[axis],
            kspace_filter=scanner.kspace_filter,
        )
        signal = np.moveaxis(np.tensordot(operator, signal, (1, axis)), 0, axis)
    return np.ascontiguousarray(signal)


def _noisy(
    signal: np.ndarray, sigma: float, coils: int, rng: np.random.Generator
) -> np.ndarray:
    """Sum of squares over coils whose sensitivities have ``signal`` as their norm.

    Independent circular noise keeps its law under a rotation of the coil space, so
    all signal may be turned into one coil: the others together add ``2 sigma^2``
    times a gamma variate of shape ``coils - 1`` (Constantinides 1997,
    doi:10.1002/mrm.1910380524). The magnitude is distributed as if every coil were
    simulated.
    """
    level = np.float32(sigma)
    real, imaginary = (
        rng.standard_normal(signal.shape, dtype=np.float32) for _ in range(2)
    )
    power = (signal + level * real) ** 2 + (level * imaginary) ** 2
    if coils > 1:
        others = rng.standard_gamma(coils - 1, signal.shape, dtype=np.float32)
        power += 2 * level**2 * others
    magnitude: np.ndarray = np.sqrt(power)
    return magnitude


def _stored_image(
    stored: np.ndarray,
    axes: tuple[np.ndarray, np.ndarray, np.ndarray],
    scanner: Scanner,
) -> nib.Nifti1Image:
    affine = np.diag([*scanner.voxel_mm, 1.0])
    affine[:3, 3] = [axis[0] for axis in axes]
    image = nib.Nifti1Image(stored, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    wanted = nib.orientations.axcodes2ornt(tuple(scanner.storage))
    turn = nib.orientations.ornt_transform(nib.io_orientation(affine), wanted)
    reordered: nib.Nifti1Image = image.as_reoriented(turn)
    return reordered


def _site_gain(scanner: Scanner) -> float:
    """Stored units of white matter: some hundreds, differing from site to site."""
    return 300.0 + 37.0 * (sum(scanner.site.encode()) % 31)


def _truth(
    anatomy: Anatomy,
    scanner: Scanner,
    day: Day,
    field: np.ndarray,
    head: np.ndarray,
) -> dict[str, Any]:
    log_field = np.log(field[head])
    kernels = {
        axis: kernel_fwhm_mm(
            voxel_mm=voxel, blur_fwhm_mm=blur, kspace_filter=scanner.kspace_filter
        )
        for axis, voxel, blur in zip(
            "xyz", scanner.voxel_mm, scanner.blur_mm, strict=True
        )
    }
    return {
        "site": scanner.site,
        "noise_sigma": day.noise,
        "coils": scanner.coils,
        "psf_fwhm_mm": kernels,
        "blur_fwhm_mm": dict(zip("xyz", scanner.blur_mm, strict=True)),
        "bias_rms": float(log_field.std()),
        "tissue_contrast": scanner.contrast(anatomy.constitution),
        "white_matter_units": day.gain,
        "rotation_deg": dict(zip("xzy", day.rotation_deg, strict=True)),
        "shift_mm": dict(zip("xyz", day.shift_mm, strict=True)),
    }
