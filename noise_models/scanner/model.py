"""The fitted corruption: turn a scan of one site into a scan of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from noise_models.base import NoiseModel, Params, as_given, computable, spacing_of
from noise_models.registry import register, suggest
from noise_models.scanner.estimate import BIAS, FIELD, NAMES, ScanEstimate
from noise_models.scanner.flags import STRIPPED
from noise_models.scanner.forward import degrade, on_native_grid
from noise_models.scanner.record import Record, pair_key
from noise_models.scanner.site_coverage import EVERYWHERE, draw_faces
from noise_models.scanner.sites import Site
from noise_models.scanner.transfer import (
    Pair,
    fat_ratio,
    inherit,
    landmark_curve,
    matrix_root,
)


@dataclass(frozen=True)
class _Origin:
    """What is known of a volume's own scanner.

    Attributes:
        site: Index of its site; None if that is not a fitted one.
        vector: Parameters (K,), as in `estimate.NAMES`.
        is_measured: They are the scan's own, not what is typical of its site.
        has_scalp: The scan was not skull-stripped.
        shape: Of the scan's own grid; 0 where that is not known.
        centre: Of the head on that grid, in voxels.
    """

    site: int | None
    vector: NDArray[np.float64]
    spacing_mm: tuple[float, float, float]
    has_scalp: bool
    extent: tuple[float, float, float] = (1.0, 1.0, 1.0)
    coils: float = 1.0
    shape: tuple[int, int, int] = (0, 0, 0)
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    is_measured: bool = False


@register("scanner")
@dataclass(frozen=True)
class ScannerNoise(NoiseModel):
    """How scans of one site would look from the scanner of another, as fitted.

    For every volume a target scanner is drawn from the fitted distribution of its
    target site; the volume is then degraded from its own scanner to that one:
    contrast, resolution, shading and noise, in the order of the forward model
    ``y = |b * PSF[g(x)] + n1 + i n2|`` and with the composition rule of `transfer`;
    and it ends where scans of that site end.
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
            Of the volumes' own scanners and of the drawn ones, as ``..._source`` and
            ``..._target``:

            - ``sigma``, of the noise, and ``coils``, (n,);
            - ``noise_field``, how sigma varies over the head, (n, 9);
            - ``variance_..._mm2``, of the PSF, ``spacing_..._mm``, and ``extent``,
                share of k-space that is filled, (n, 3);
            - ``coefficients``, of the shading, (n, K).

            Of the way from one to the other:

            - ``knots_in`` and ``knots_out``, tissue levels of both, (n, 5);
            - ``fat_ratio``, ``apodisation`` and ``grain`` (`transfer.Pair`), (n,).

            Of the volumes and what they become:

            - ``has_scalp``, 1 or 0, (n,);
            - ``shape_source`` of the scan's own grid and ``centre_source_voxels`` of
                the head on it, (n, 3), 0 where that is not known;
            - ``target``, index of the site, (n,);
            - ``field_of_view_mm``, faces from the head's centre, (n, 3, 2).
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
        end = self._draw_scanners(start, known, index, rng)
        # Towards the mean of all sites (dispersion 0) no pair is left to calibrate.
        end = end + min(self.dispersion, 1.0) * self._offsets(own, index.tolist())
        knots_in, knots_out = landmark_curve(start, end)
        spacings = torch.tensor([site.spacing_mm for site in self.sites])
        extents = torch.tensor([site.extent for site in self.sites])
        params = {
            "knots_in": knots_in,
            "knots_out": knots_out,
            "fat_ratio": fat_ratio(start, end),
            "has_scalp": torch.tensor([float(scan.has_scalp) for scan in known]),
            "sigma_source": start[:, 0].exp(),
            "sigma_target": end[:, 0].exp(),
            "variance_source_mm2": start[:, 1:4],
            "variance_target_mm2": end[:, 1:4],
            "coefficients_source": start[:, BIAS],
            "coefficients_target": end[:, BIAS],
            "noise_field_source": start[:, FIELD],
            "noise_field_target": end[:, FIELD],
            "spacing_source_mm": torch.tensor([scan.spacing_mm for scan in known]),
            "spacing_target_mm": spacings[index],
            "extent_source": torch.tensor([scan.extent for scan in known]),
            "extent_target": extents[index],
            **self._calibrated(own, index.tolist()),
            "coils_source": torch.tensor([scan.coils for scan in known]),
            "coils_target": torch.tensor([_coils(s) for s in self.sites])[index],
            "centre_source_voxels": torch.tensor([scan.centre for scan in known]),
            "field_of_view_mm": draw_faces(self.sites, index, self.dispersion, rng),
        }
        plain = {key: value.float().contiguous() for key, value in params.items()}
        shape = torch.tensor([scan.shape for scan in known])
        return {**plain, "shape_source": shape, "target": index}

    def _origin(self, source: object) -> _Origin:
        """What is known of a volume's own scanner, as ``draw`` was told it."""
        known = self.source if source is None else source
        if known is None:
            return self._unknown()
        if isinstance(known, str):
            return self._from_label(known)
        if isinstance(known, ScanEstimate):
            return self._from_estimate(known)
        raise ValueError(
            "scanner: source must be a site label or a ScanEstimate, "
            f"got {type(known).__name__}."
        )

    def _from_estimate(self, scan: ScanEstimate) -> _Origin:
        """The scan's own numbers; where it cannot say, what is typical of its site."""
        own = self.labels.index(scan.site) if scan.site in self.labels else None
        typical = self._mean() if own is None else np.array(self.sites[own].mean)
        coils = scan.coils
        if np.isnan(coils):
            coils = 1.0 if own is None else _coils(self.sites[own])
        return _Origin(
            site=own,
            vector=np.where(np.isnan(scan.vector), typical, scan.vector),
            spacing_mm=scan.spacing_mm,
            has_scalp=STRIPPED not in scan.flags,
            extent=scan.extent,
            coils=coils,
            shape=scan.shape,
            centre=scan.centre_voxels,
            is_measured=True,
        )

    def _from_label(self, label: str) -> _Origin:
        """What is typical of a site."""
        own = self._index(label, "source")
        site = self.sites[own]
        return _Origin(
            site=own,
            vector=np.array(site.mean),
            spacing_mm=site.spacing_mm,
            has_scalp=STRIPPED not in site.flags,
            extent=site.extent,
            coils=_coils(site),
        )

    def _unknown(self) -> _Origin:
        """What is typical of all sites."""
        x, y, z = np.median([site.spacing_mm for site in self.sites], axis=0).tolist()
        stripped = sum(STRIPPED in site.flags for site in self.sites)
        return _Origin(
            site=None,
            vector=self._mean(),
            spacing_mm=(x, y, z),
            has_scalp=2 * stripped < len(self.sites),
        )

    def _mean(self) -> NDArray[np.float64]:
        """Parameters of the average site, (K,)."""
        return np.asarray(np.array([site.mean for site in self.sites]).mean(0))

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

    def _draw_scanners(
        self, start: Tensor, known: Sequence[_Origin], index: Tensor, rng: Generator
    ) -> Tensor:
        """Parameters (n, K) from the sites' distributions, spread by ``dispersion``."""
        means = torch.tensor([site.mean for site in self.sites], dtype=torch.float64)
        roots = torch.stack([_root(self.sites[k].covariance) for k in index.tolist()])
        size = (len(index), means.shape[1])
        normal = torch.randn(size, generator=rng, device=rng.device).double().cpu()
        drawn = means[index] + (roots @ normal[:, :, None])[:, :, 0]
        rows = []
        for row, (scan, goal) in enumerate(zip(known, index.tolist(), strict=True)):
            one = drawn[row : row + 1]
            pair = None if scan.site is None else self._pair(scan.site, goal)
            if scan.is_measured and scan.site is not None and pair and pair.inherited:
                sites = self.sites[scan.site], self.sites[goal]
                one = inherit(start[row : row + 1], one, *sites, pair.inherited)
            rows.append(one)
        grand = means.mean(0)
        return grand + self.dispersion * (torch.cat(rows) - grand)

    def _calibrated(self, own: Sequence[int | None], target: Sequence[int]) -> Params:
        """Apodisation and grain of each volume's pair, as calibrated, (n,)."""
        weight = min(self.dispersion, 1.0)
        rows = [
            np.mean([(pair.apodisation, pair.grain) for pair in found], axis=0)
            if (found := self._into(mine, goal))
            else np.zeros(2)
            for mine, goal in zip(own, target, strict=True)
        ]
        apodisation, grain = (weight * torch.tensor(np.stack(rows))).unbind(1)
        return {"apodisation": apodisation, "grain": grain}

    def _into(self, source: int | None, target: int) -> list[Pair]:
        """The pair of a volume; of one of unknown origin all into its target."""
        sources = range(len(self.sites)) if source is None else [source]
        return [pair for k in sources if (pair := self._pair(k, target))]

    def _pair(self, source: int, target: int) -> Pair | None:
        return self.record.pairs.get(pair_key(self.labels[source], self.labels[target]))

    def _offsets(self, own: Sequence[int | None], target: Sequence[int]) -> Tensor:
        """Calibration of each volume's pair, (n, K).

        A volume of unknown origin takes the mean of what is known into its target.
        """
        rows = []
        for mine, goal in zip(own, target, strict=True):
            known = [pair.offset for pair in self._into(mine, goal) if pair.offset]
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
        native = on_native_grid(params, grid)
        if len(native) and bool((native == native[0]).all()):
            kind = bool(native[0])
            return as_given(degrade(clean, params, rng, grid, is_native=kind), x)
        y = torch.empty_like(clean)
        for kind in (True, False):
            which = torch.nonzero(native == kind)[:, 0]
            if len(which):
                part = {key: value[which.cpu()] for key, value in params.items()}
                y[which] = degrade(clean[which], part, rng, grid, is_native=kind)
        return as_given(y, x)

    def _repr_html_(self) -> str:
        """The fit as a notebook shows it."""
        from noise_models.scanner.notebook import as_html

        return as_html(self)


def open_ended(noise: ScannerNoise) -> ScannerNoise:
    """The same noise, whose corrupted scans show all that the scans show."""
    sites = tuple(replace(site, field_of_view_mm=EVERYWHERE) for site in noise.sites)
    return replace(noise, sites=sites)


@lru_cache(maxsize=256)
def _root(covariance: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.as_tensor(matrix_root(np.array(covariance)))


def _coils(site: Site) -> float:
    return 1.0 if np.isnan(site.coils) else site.coils
