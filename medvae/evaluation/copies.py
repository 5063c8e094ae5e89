"""The same people scanned again, as far as it can be imitated: what axes are fitted to.

Each training scan is turned and shifted a little, as a head is that lies down again and
is laid on the grid again, and corrupted as in training: by the fitted noise, or, on a
phantom, by taking a true scanner's image instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medvae.cohort import Scan
from medvae.encoding.axes import PersonAxes, fit_axes
from medvae.errors import UserError
from medvae.evaluation.alignment import Motion
from medvae.evaluation.covariates import covariate_table
from medvae.evaluation.latents import EncoderLike
from medvae.files import user_cache
from medvae.noise.fitted import estimate_scans, needs_estimates
from medvae.training.data import Views
from medvae.training.seeds import seed_of
from medvae.volume import PreparedCohort
from noise_models.base import NoiseModel

COPIES = 18
TURN_DEGREES, SHIFT_MM = 1.5, 1.2
"""Standard deviations about and along each axis."""

Image = NDArray[np.float32]
Progress = Callable[[int, int, str], object]


def fit_person_axes(
    encoder: EncoderLike,
    scans: Mapping[int, Scan],
    store: PreparedCohort,
    noise: NoiseModel,
    *,
    views: Views | None = None,
    seed: int = 0,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> PersonAxes:
    """Axes of an encoder, all of them, best first.

    Args:
        encoder: Whose codes are to be read.
        scans: That may be learned from, by their number in ``store``; their sites are
            known, and none of a site that is kept out is among them.
        store: The prepared scans.
        noise: The corruption of the copies.
        views: Corruptions made beforehand, which then replace the noise's.
        seed: Of the copies.
        cache: Folder of scan estimates; by default the user's cache.
        jobs: Processes that measure scans.
        progress: Called with (scans done, scans in all, name).

    Raises:
        UserError: Too few scans, or one that cannot be measured.
    """
    sources: dict[Path, object] = {}
    if views is None and needs_estimates(noise):
        kept = (cache or user_cache()) / "estimates"
        sources = estimate_scans(list(scans.values()), kept, jobs)
    spacing, means, stds = store.grid.spacing_mm, [], []
    for done, (i, scan) in enumerate(scans.items()):
        own, rng = store.image(i), _rng(seed, scan)
        source = sources.get(scan.path, scan.site)
        again = moved([own] if views is None else views.views(i), spacing, rng)
        if views is None:
            again = (corrupted(x, noise, source, spacing, rng) for x in again)
        codes = [_encoded(encoder, x) for x in (own, *again)]
        means.append(torch.stack([mean for mean, _ in codes]).numpy())
        stds.append(codes[0][1].numpy())
        if progress is not None:
            progress(done + 1, len(scans), scan.path.name)
    sites = [scan.site or "" for scan in scans.values()]
    if len(scans) <= len(set(sites)):
        raise UserError(
            f"axes need two people at some training site, got {len(scans)} scans of "
            f"{len(set(sites))} sites. Give the scans that the run was trained on."
        )
    typical = np.sqrt(np.mean(np.square(stds), axis=0, dtype=np.float64))
    return fit_axes(np.stack(means), typical, sites, _people(list(scans.values())))


def moved(
    images: Sequence[Image],
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> Iterator[Image]:
    """``COPIES`` pictures, the given ones in turn, each laid a little differently.

    Example:
        >>> head = np.zeros((8, 8, 8), np.float32)
        >>> sum(1 for _ in moved([head], (4.0, 4.0, 4.0), np.random.default_rng(0)))
        18
    """
    for k in range(COPIES):
        x, y, z = rng.normal(scale=SHIFT_MM, size=3).tolist()
        pitch, yaw, roll = rng.normal(scale=TURN_DEGREES, size=3).tolist()
        motion = Motion((x, y, z), (pitch, yaw, roll))
        image = motion.apply(np.asarray(images[k % len(images)]), spacing_mm)
        yield np.maximum(image, 0).astype(np.float32)  # cubic splines overshoot


def corrupted(
    image: Image,
    noise: NoiseModel,
    source: object,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> Image:
    """One draw of the noise."""
    draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
    x = torch.from_numpy(image)[None, None]
    found = noise(x, rng=draw, spacing_mm=spacing_mm, source=[source])
    return np.asarray(found[0, 0].numpy())


def _encoded(encoder: EncoderLike, image: Image) -> tuple[Tensor, Tensor]:
    x = torch.from_numpy(np.array(image, dtype=np.float32))[None, None]
    with torch.inference_mode():
        mean, std = encoder.encode_batch(x)
    return mean.cpu().flatten(), std.cpu().flatten()


def _rng(seed: int, scan: Scan) -> np.random.Generator:
    name = "/".join(filter(None, (scan.site, scan.subject, scan.session)))
    return np.random.default_rng(seed_of(seed, "copies", name))


def _people(scans: list[Scan]) -> NDArray[np.float64] | None:
    """Age and sex, where all ages are known."""
    ages = [scan.age for scan in scans if scan.age is not None]
    if len(ages) < len(scans):
        return None
    return covariate_table(ages, [scan.sex for scan in scans])[0]
