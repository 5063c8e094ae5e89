"""A second simulator, made to disagree with the fitted model and with the phantom.

Anatomy is procedural: a cortex folded by random fields, ventricles, deep nuclei, skull,
scalp, eyes. Sharpness is a raised cosine in k-space, not a Gaussian. Shading is the
sum of squares of coil lobes that fall off with distance, not a sum of cosines. Noise is
drawn in every coil. Nothing is imported from medvae or noise_models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

HEAD_MM = (184.0, 220.0, 208.0)
AIR, BONE, FAT, MUSCLE, CSF, GM, WM, EYE = range(8)


@dataclass(frozen=True)
class Machine:
    """A scanner.

    Attributes:
        sigma: Noise SD per channel over the white matter.
        blur_mm: SD of the point spread along x, y, z.
        kernel: ``"hann"``, a raised cosine in k-space with that second moment, as
            scanners filter (up to 0.7 voxel, where it starts at the last frequency
            that is sampled), or ``"gaussian"``.
        gm, csf, fat, muscle: Levels over white matter.
        coils: Receive channels, combined by sum of squares.
        lobes: How strongly the lobes stand out; 0 is no shading.
        turn: Where the lobes sit, radians.
        gain: Stored units of white matter.
        voxel_mm: Voxel size; (1, 1, 3) is a thick slice.
        fine_mm: Grid of the anatomy before it is sampled.
        air: ``"noise"``, ``"zeroed"`` or ``"ghosted"``.
        rounded: Stored as whole numbers.
    """

    sigma: float = 0.03
    blur_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    kernel: str = "hann"
    gm: float = 0.70
    csf: float = 0.30
    fat: float = 1.40
    muscle: float = 0.55
    coils: int = 1
    lobes: float = 0.5
    turn: float = 0.0
    gain: float = 400.0
    voxel_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)
    fine_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)
    air: str = "noise"
    rounded: bool = True


@dataclass(frozen=True)
class Simulated:
    """A scan and its truth.

    Attributes:
        image: (X, Y, Z), stored units.
        voxel_mm: Voxel size.
        sigma: Noise SD over white matter under the mean shading of the brain.
        blur_mm2: Second moment of the point spread per axis.
        gm, csf: Levels over white matter.
        log_bias: Log-field on the image's grid, mean 0 over the white matter.
        brain: Brain on the image's grid.
    """

    image: np.ndarray
    voxel_mm: tuple[float, float, float]
    sigma: float
    blur_mm2: np.ndarray
    gm: float
    csf: float
    log_bias: np.ndarray
    brain: np.ndarray


def labels(subject: int, fine_mm: tuple[float, float, float]) -> tuple:
    """Tissue numbers on a fine grid, and positions in mm from the centre."""
    rng = np.random.default_rng([11, subject])
    axes = [
        (np.arange(int(n / d)) - (int(n / d) - 1) / 2) * d
        for n, d in zip(HEAD_MM, fine_mm, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    size = 1 + 0.025 * rng.standard_normal(3)

    def ball(
        a: float, b: float, c: float, up: float = 0.0, front: float = 0.0
    ) -> np.ndarray:
        r = (x / (a * size[0])) ** 2 + ((y - front) / (b * size[1])) ** 2
        return np.sqrt(r + ((z - up) / (c * size[2])) ** 2)

    def field(width_mm: float) -> np.ndarray:
        coarse = [max(4, int(n / (0.8 * width_mm))) for n in HEAD_MM]
        noise = ndimage.gaussian_filter(rng.standard_normal(coarse), 1.0)
        zoom = [len(a) / n for a, n in zip(axes, coarse, strict=True)]
        grown = ndimage.zoom(noise, zoom, order=1)[tuple(slice(len(a)) for a in axes)]
        return grown / grown.std()

    folds, fine = field(9.0), field(4.5)
    wiggle = 0.05 * folds + 0.025 * fine
    head = np.full([len(a) for a in axes], AIR, np.int8)
    scalp = ball(76, 95, 92, 2) < 1
    neck = (np.abs(x) < 52) & (np.abs(y + 10) < 50) & (z < -45)
    head[neck] = MUSCLE
    head[scalp] = FAT
    head[ball(73, 92, 89, 2) < 1] = MUSCLE
    head[ball(71, 89, 85, 3) < 1] = BONE
    brain = ball(65, 83, 63, 16)
    head[brain < 1] = CSF
    head[brain + 0.6 * wiggle < 0.965] = GM
    head[brain + 2.4 * wiggle < 0.84] = WM
    head[(np.abs(fine) < 0.08) & (brain < 0.9) & (brain > 0.6)] = GM
    for side in (-1, 1):
        horn = ((x - 12 * side) / 9) ** 2 + ((y - 4) / 34) ** 2 + ((z - 20) / 11) ** 2
        nucleus = (
            ((x - 26 * side) / 8) ** 2 + ((y - 8) / 19) ** 2 + ((z - 10) / 12) ** 2
        )
        head[(nucleus + wiggle < 1) & (brain < 1)] = GM
        head[(horn + 0.5 * wiggle < 1) & (brain < 1)] = CSF
        eye = ((x - 31 * side) ** 2 + (y - 76) ** 2 + (z + 28) ** 2) < 12**2
        head[eye] = EYE
    return head, (x, y, z), axes


def scan(subject: int, machine: Machine, *, visit: int = 0) -> Simulated:
    """Image a head; ``visit`` changes noise and gain, not the head."""
    head, _, axes = labels(subject, machine.fine_mm)
    rng = np.random.default_rng([13, subject, visit])
    levels = np.array(
        [0, 0.05, machine.fat, machine.muscle, machine.csf, machine.gm, 1.0, 0.25]
    )
    signal = levels[head].astype(np.float32)
    signal = ndimage.gaussian_filter(signal, 0.35)  # partial volume at the edges
    signal = _blurred(signal, machine, axes)
    signal, kept = _sampled(signal, machine)
    coarse = [a[k] for a, k in zip(axes, kept, strict=True)]
    lobes = _lobes(machine, coarse)
    total = np.sqrt((lobes**2).sum(0))
    white = (head[np.ix_(*kept)] == WM) & (total > 0)
    mean_log = np.log(total[white]).mean()
    lobes /= np.exp(mean_log)
    noise = rng.standard_normal((2, len(lobes), *signal.shape), dtype=np.float32)
    noise *= np.float32(machine.sigma)
    power = ((lobes * signal + noise[0]) ** 2 + noise[1] ** 2).sum(0)
    image = np.sqrt(power) * machine.gain * np.exp(0.05 * rng.standard_normal())
    brain = np.isin(head[np.ix_(*kept)], (CSF, GM, WM))
    return Simulated(
        _stored(image, machine, signal),
        machine.voxel_mm,
        machine.sigma,
        np.square(machine.blur_mm),
        machine.gm,
        machine.csf,
        np.log(total) - mean_log,
        brain,
    )


def _blurred(signal: np.ndarray, machine: Machine, axes: list) -> np.ndarray:
    """Filter k-space along each axis.

    The Hann window ``(1 + cos(pi f / fc)) / 2`` has the second moment
    ``1 / (8 fc^2)``, so ``fc = 1 / (sqrt(8) s)``.
    """
    for axis, (spread, step) in enumerate(
        zip(machine.blur_mm, machine.fine_mm, strict=True)
    ):
        if spread > 0:
            size = signal.shape[axis]
            f = np.fft.rfftfreq(size, step)
            share = np.minimum(f * np.sqrt(8) * spread, 1)
            window = (1 + np.cos(np.pi * share)) / 2
            if machine.kernel == "gaussian":
                window = np.exp(-2 * (np.pi * f * spread) ** 2)
            shape = [1] * 3
            shape[axis] = -1
            spectrum = np.fft.rfft(signal, axis=axis) * window.reshape(shape)
            signal = np.fft.irfft(spectrum, size, axis=axis)
    return signal.astype(np.float32)


def _sampled(signal: np.ndarray, machine: Machine) -> tuple[np.ndarray, list]:
    """Average over the slice where voxels are larger than the fine grid."""
    kept = []
    for axis, (voxel, fine) in enumerate(
        zip(machine.voxel_mm, machine.fine_mm, strict=True)
    ):
        ratio = round(voxel / fine)
        if ratio > 1:
            signal = ndimage.uniform_filter1d(signal, ratio, axis=axis)
        kept.append(np.arange(ratio // 2, signal.shape[axis], ratio))
    return np.ascontiguousarray(signal[np.ix_(*kept)]), kept


def _lobes(machine: Machine, axes: list) -> np.ndarray:
    """Coil sensitivities: one flat coil, or lobes around the head."""
    x, y, z = np.meshgrid(*axes, indexing="ij", sparse=True)
    count = max(machine.coils, 1)
    angles = machine.turn + 2 * np.pi * np.arange(max(count, 6)) / max(count, 6)
    places = [
        (130 * np.cos(a), 140 * np.sin(a), 40 * np.sin(2 * a + 1)) for a in angles
    ]
    far = [
        1 / (1 + ((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 160**2)
        for a, b, c in places
    ]
    weights = 1 + machine.lobes * np.cos(angles - machine.turn)
    if count == 1:
        return np.sqrt(sum((w * f) ** 2 for w, f in zip(weights, far, strict=True)))[
            None
        ]
    return np.stack([w * f for w, f in zip(weights[:count], far[:count], strict=True)])


def _stored(image: np.ndarray, machine: Machine, signal: np.ndarray) -> np.ndarray:
    if machine.air == "ghosted":
        image = image + 0.04 * np.roll(image, image.shape[1] // 2, axis=1)
    if machine.air == "zeroed":
        solid = ndimage.binary_dilation(signal > 0.1, iterations=2)
        image = np.where(ndimage.binary_fill_holes(solid), image, 0)
    return np.rint(image) if machine.rounded else image
