"""The fitted corruption: turn a scan of one site into a scan of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from noise_models.base import (
    NoiseModel,
    Params,
    computable,
    of_volumes,
    per_volume,
    spacing_of,
)
from noise_models.bias_field import BiasField
from noise_models.blur import Blur
from noise_models.contrast import Contrast
from noise_models.registry import register, suggest
from noise_models.rician import Rician
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.record import Record
from noise_models.scanner.sites import Site
from noise_models.scanner.tissue import BIAS_EXTENT_MM, BIAS_ORDER, brain_mean_rows
from noise_models.scanner.transfer import (
    added_variance_mm2,
    fwhm_of,
    gains,
    landmark_curve,
    matrix_root,
)

_AIR_MEAN = np.pi / 2  # E[M]^2 / sigma^2 of a Rayleigh magnitude
_AIR_VARIANCE = 2 - np.pi / 2
_LEAST = 1e-6  # noise below this is none; nothing is divided by zero


@dataclass(frozen=True)
class _Origin:
    """A volume's own scanner; shape 0 when the scan's own grid is not known."""

    vector: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]
    site: int | None
    shape: tuple[int, int, int] = (0, 0, 0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)


@register("scanner")
@dataclass(frozen=True)
class ScannerNoise(NoiseModel):
    """How scans of one site would look from the scanner of another, as fitted.

    For every volume a target scanner is drawn from the fitted distribution of its
    target site; the volume is then degraded from its own scanner to that one:
    contrast, resolution, shading and noise, in the order of the forward model
    ``y = |b * PSF[g(x)] + n1 + i n2|`` and with the composition rule of `transfer`.
    What the source has in excess of the target (noise, blur) stays.

    Args:
        sites: Fitted sites; `noise_models.scanner.fit` makes them.
        source: Site of the volumes, where ``draw`` is not told; the mean of all
            sites when None.
        target: Site to imitate; when None, each volume draws one of the others.
        dispersion: Spread of the targets about the mean of all sites, between sites
            and within: 1 as fitted, 2 twice as wide, so that scanners
            nobody has seen lie inside.
        record: How the fit was made: pairs, goodness, provenance.

    Raises:
        ValueError: No sites, an unknown site, or a negative dispersion.
    """

    sites: tuple[Site, ...] = ()
    source: str | None = None
    target: str | None = None
    dispersion: float = 1.0
    record: Record = field(default_factory=Record, repr=False)

    def __post_init__(self) -> None:
        if not self.sites:
            raise ValueError(
                "scanner has to be fitted to scans first, got no sites. "
                "Make it with: medvae fit-noise SITE_A SITE_B"
            )
        if not (np.isfinite(self.dispersion) and self.dispersion >= 0):
            raise ValueError(
                f"scanner: dispersion must be at least 0, got {self.dispersion!r}."
            )
        for option, label in (("source", self.source), ("target", self.target)):
            if label is not None:
                self._index(label, option)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the fitted sites."""
        return tuple(site.label for site in self.sites)

    def _index(self, label: str, option: str) -> int:
        if label not in self.labels:
            raise ValueError(
                f"scanner: {option} {label!r} is not a fitted site; "
                f"{suggest(label, self.labels)}"
            )
        return self.labels.index(label)

    def draw(
        self, n: int, rng: Generator, *, source: Sequence[object] | None = None
    ) -> Params:
        """Draw a target scanner for each of ``n`` volumes.

        Args:
            n: Number of volumes.
            rng: Where the randomness comes from.
            source: For every volume a site label, a `ScanEstimate` (best: the scan's
                own numbers), or None for the model's ``source``.

        Returns:
            ``knots_in``, ``knots_out`` (n, 5); ``sigma_source``, ``sigma_target`` (n,);
            ``variance_source_mm2``, ``variance_target_mm2``, ``spacing_source_mm``,
            ``spacing_target_mm``, ``shape_source``, ``centre_source_voxels`` (n, 3);
            ``coefficients_source``, ``coefficients_target`` (n, K); ``target`` (n,),
            index of the site.
        """
        origins = [None] * n if source is None else list(source)
        if len(origins) != n:
            raise ValueError(
                f"scanner: source must name each of {n} volumes, got {len(origins)}."
            )
        known = [self._origin(origin) for origin in origins]
        start = torch.tensor(np.stack([scan.vector for scan in known]))
        own = [scan.site for scan in known]
        index = self._draw_targets(own, rng)
        end = self._draw_scanners(index, rng)
        # Towards the mean of all sites (dispersion 0) no pair is left to calibrate.
        end = end + min(self.dispersion, 1.0) * self._offsets(own, index.tolist())
        knots_in, knots_out = landmark_curve(start, end)
        spacings = torch.tensor([site.spacing_mm for site in self.sites])
        params = {
            "knots_in": knots_in,
            "knots_out": knots_out,
            "sigma_source": start[:, 0].exp(),
            "sigma_target": end[:, 0].exp(),
            "variance_source_mm2": start[:, 1:4],
            "variance_target_mm2": end[:, 1:4],
            "coefficients_source": start[:, 7:],
            "coefficients_target": end[:, 7:],
            "spacing_source_mm": torch.tensor([scan.spacing_mm for scan in known]),
            "spacing_target_mm": spacings[index],
            "centre_source_voxels": torch.tensor([scan.centre for scan in known]),
        }
        plain = {key: value.float().contiguous() for key, value in params.items()}
        shape = torch.tensor([scan.shape for scan in known])
        return {**plain, "shape_source": shape, "target": index}

    def _origin(self, origin: object) -> _Origin:
        """What is known of a volume's own scanner."""
        origin = self.source if origin is None else origin
        means = np.array([site.mean for site in self.sites])
        if isinstance(origin, ScanEstimate):
            own = self.labels.index(origin.site) if origin.site in self.labels else None
            typical = means.mean(0) if own is None else means[own]
            vector = np.where(np.isnan(origin.vector), typical, origin.vector)
            shape, centre = origin.shape, origin.centre_voxels
            return _Origin(vector, origin.spacing_mm, own, shape, centre)
        if isinstance(origin, str):
            own = self._index(origin, "source")
            return _Origin(means[own], self.sites[own].spacing_mm, own)
        if origin is not None:
            raise ValueError(
                "scanner: source must be a site label or a ScanEstimate, "
                f"got {type(origin).__name__}."
            )
        x, y, z = np.median([site.spacing_mm for site in self.sites], axis=0).tolist()
        return _Origin(means.mean(0), (x, y, z), None)

    def _draw_targets(self, own: Sequence[int | None], rng: Generator) -> Tensor:
        """Site indices (n,): the chosen target, or any site but the volume's own."""
        count = len(self.sites)
        u = torch.rand(len(own), generator=rng, device=rng.device).tolist()
        if self.target is not None:
            return torch.full((len(own),), self._index(self.target, "target"))
        picks = []
        for share, mine in zip(u, own, strict=True):
            others = [k for k in range(count) if k != mine] or [0]
            picks.append(others[min(int(share * len(others)), len(others) - 1)])
        return torch.tensor(picks, dtype=torch.int64)

    def _draw_scanners(self, index: Tensor, rng: Generator) -> Tensor:
        """Parameters (n, K) from the sites' distributions, spread by ``dispersion``."""
        means = torch.tensor([site.mean for site in self.sites], dtype=torch.float64)
        roots = torch.stack(
            [torch.as_tensor(matrix_root(np.array(s.covariance))) for s in self.sites]
        )
        size = (len(index), means.shape[1])
        normal = torch.randn(size, generator=rng, device=rng.device).double().cpu()
        within = (roots[index] @ normal[:, :, None])[:, :, 0]
        grand = means.mean(0)
        return grand + self.dispersion * (means[index] - grand + within)

    def _offsets(self, own: Sequence[int | None], target: Sequence[int]) -> Tensor:
        """Calibration of each volume's pair, (n, K).

        A volume of unknown origin takes the mean of what is known into its target.
        """
        rows = []
        for mine, goal in zip(own, target, strict=True):
            sources = range(len(self.sites)) if mine is None else [mine]
            keys = [f"{self.labels[k]}->{self.labels[goal]}" for k in sources]
            pairs = [self.record.pairs[k] for k in keys if k in self.record.pairs]
            known = [pair.offset for pair in pairs if pair.offset]
            rows.append(np.mean(known, axis=0) if known else np.zeros(len(NAMES)))
        return torch.tensor(np.stack(rows), dtype=torch.float64)

    def apply(
        self,
        x: Tensor,
        params: Params,
        rng: Generator,
        *,
        spacing_mm: Sequence[float] | None = None,
    ) -> Tensor:
        """Degrade each volume from its own scanner to the target's.

        ``spacing_mm`` may differ from the voxel size that either scanner stores: noise
        and sharpness are carried over by the gain of the resampling kernel.
        """
        clean = computable(x)
        grid = spacing_of(clean, spacing_mm)
        variance = self._added_variance(params, grid).to(clean)
        centre = _head_centres(clean, params)
        before = of_volumes(params, "coefficients_source", clean)
        after = of_volumes(params, "coefficients_target", clean)
        flat = _shade(clean, -before, centre, grid)
        level = Blur().apply(
            flat, {"fwhm_mm": _flat_widths(clean, grid)}, rng, spacing_mm=grid
        )
        slope = _local_slope(level, params)
        y = Contrast().apply(flat, params, rng)
        y = Blur().apply(y, {"fwhm_mm": fwhm_of(variance)}, rng, spacing_mm=grid)
        y = _shade(y, after, centre, grid)
        slope = _shade(slope, after - before, centre, grid)  # now g' b
        sigma, floor = _noise_to_add(level, slope, params, variance, grid)
        one = {"sigma": torch.ones(len(y), device=y.device)}
        noisy = Rician().apply(y / sigma, one, rng) * sigma
        return noisy.square_().add_(floor).sqrt_().to(x.dtype)

    def _added_variance(self, params: Params, grid: Sequence[float]) -> Tensor:
        variance = added_variance_mm2(
            params["variance_source_mm2"],
            params["variance_target_mm2"],
            params["spacing_source_mm"],
            params["spacing_target_mm"],
            grid,
        )
        return variance.clamp_min(0)


def _shade(
    x: Tensor, coefficients: Tensor, centre_voxels: Tensor, grid: Sequence[float]
) -> Tensor:
    """Multiply by a shading whose logarithm has mean 0 over a typical brain."""
    shading = BiasField(order=BIAS_ORDER, extent_mm=BIAS_EXTENT_MM)
    none = torch.Generator()  # BiasField.apply draws nothing
    params = {"coefficients": coefficients, "centre_voxels": centre_voxels}
    shaded = shading.apply(x, params, none, spacing_mm=grid)
    mean = coefficients @ torch.from_numpy(brain_mean_rows()).to(coefficients)
    return shaded * per_volume((-mean).exp(), x)


def _head_centres(x: Tensor, params: Params) -> Tensor:
    """Centre of the head in voxels, (n, 3): known on a scan's own grid.

    A grid of any other shape is taken to be centred on the head, as a training
    grid is.
    """
    shape = torch.tensor(x.shape[2:], device=x.device)
    native = params["shape_source"].to(x.device)[:, : len(shape)]
    own = (native == shape).all(1, keepdim=True)
    centre = of_volumes(params, "centre_source_voxels", x)[:, : len(shape)]
    return torch.where(own, centre, (shape - 1).to(x) / 2)


def _flat_widths(x: Tensor, grid: Sequence[float]) -> Tensor:
    """Two voxels FWHM: enough to see the tissue under the noise."""
    return torch.tensor([[2 * step for step in grid]] * len(x)).to(x)


def _local_slope(level: Tensor, params: Params) -> Tensor:
    """G' at the local signal level: what the curve does to the noise there."""
    knots = of_volumes(params, "knots_in", level)
    slopes = of_volumes(params, "knots_out", level).diff(dim=1) / knots.diff(dim=1)
    inner = knots[:, 1:-1].contiguous()
    segment = torch.searchsorted(inner, level.flatten(1).contiguous())
    return slopes.gather(1, segment).view(level.shape)


def _noise_to_add(
    level: Tensor,
    slope: Tensor,
    params: Params,
    variance: Tensor,
    grid: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Local SD of the complex noise to add, and the squared floor to add.

    In tissue the composition rule holds. In air a magnitude was taken before any
    resampling or blur, so its mean is not averaged away: there the second moments
    are matched, and what white noise on the grid cannot supply is a floor.
    """
    spacing_a, spacing_b = params["spacing_source_mm"], params["spacing_target_mm"]
    blur = variance.double().cpu()
    gain_a = gains(spacing_a, grid, blur).to(level)
    gain_b = gains(spacing_b, grid, torch.zeros_like(blur)).to(level)
    sigma_a = of_volumes(params, "sigma_source", level).clamp_min(_LEAST)
    sigma_b = of_volumes(params, "sigma_target", level).clamp_min(_LEAST)
    own = slope * per_volume(sigma_a, level)  # SD of A's noise, carried along
    wanted = per_volume(sigma_b * gain_b, level).square()
    tissue = (wanted - (own * per_volume(gain_a, level)).square()).clamp_min(0)
    want_air = per_volume(
        sigma_b.square() * (_AIR_MEAN + _AIR_VARIANCE * gain_b**2), level
    )
    have_air = own.square() * per_volume(_AIR_MEAN + _AIR_VARIANCE * gain_a**2, level)
    noise_only = per_volume(sigma_a, level).square() * _AIR_MEAN
    filled = (4 * level.square() / noise_only).clamp(0, 1)  # 0 where A's air was zeroed
    lack = (want_air - have_air * filled).clamp_min(0)
    air = torch.minimum(tissue, lack / 2)
    signal = (level.square() - noise_only).clamp_min(0) / per_volume(
        sigma_b, level
    ).square()
    is_air = 1 / (1 + signal / 2)
    added = is_air * air + (1 - is_air) * tissue
    floor = (lack - 2 * air).clamp_min(0) * is_air
    return added.sqrt().clamp_min(_LEAST), floor
