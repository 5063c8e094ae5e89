"""``medvae.Encoder``: load a run, encode scans, decode codes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, overload

import nibabel as nib
import numpy as np
import torch
from nibabel.spatialimages import SpatialImage
from torch import Tensor

from medvae.encoding.latent import Latent
from medvae.errors import UserError
from medvae.files import digest
from medvae.model.network import DenoisingVAE
from medvae.model.weights import check_device, load_model
from medvae.volume import Grid, prepare, read_volume
from medvae.volume.nifti import nifti_image

Scannable: TypeAlias = str | os.PathLike[str] | SpatialImage


class Encoder:
    """A trained denoising VAE as a reader of scans.

    The code of a scan is the posterior of the scan as it is; nothing is corrupted at
    inference. `AveragedEncoder` is the other choice.

    Args:
        vae: The model, in evaluation mode.
        device: Where it runs.

    Example:
        >>> from medvae.model.network import NetworkConfig
        >>> vae = DenoisingVAE(NetworkConfig(
        ...     grid_shape=(16, 16, 16), spacing_mm=(8, 8, 8), channels=(4, 8),
        ...     latent_channels=2, sites=("A", "B"))).eval()
        >>> ball = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0) < 15
        >>> scan = nib.Nifti1Image(700 * ball.astype(np.float32), 4 * np.eye(4))
        >>> encoder = Encoder(vae)
        >>> latent = encoder.encode(scan)
        >>> latent.mean.shape, latent.vector.shape
        ((2, 4, 4, 4), (128,))
        >>> encoder.decode(latent, site="B").shape
        (40, 40, 40)
    """

    def __init__(self, vae: DenoisingVAE, device: str = "cpu") -> None:
        self.vae = vae.to(device).eval()
        self.device = torch.device(device)

    @classmethod
    def load(cls, run: str | os.PathLike[str], device: str = "cpu") -> Encoder:
        """Read the model of a run folder.

        Raises:
            UserError: Not a run folder, an unfinished one, or no such device.
        """
        check_device(device)
        return cls(load_model(Path(run)), device)

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites the decoder can paint for."""
        return self.vae.config.sites

    @property
    def grid(self) -> Grid:
        """The training grid."""
        config = self.vae.config
        x, y, z = config.grid_shape
        dx, dy, dz = config.spacing_mm
        return Grid((x, y, z), (dx, dy, dz))

    @property
    def scale(self) -> float:
        """Standard deviation of the likelihood, in reference units."""
        return float(self.vae.likelihood.scale.item())

    @overload
    def encode(self, scan: Scannable, *, batch_size: int = 4) -> Latent: ...

    @overload
    def encode(
        self, scan: Sequence[Scannable], *, batch_size: int = 4
    ) -> list[Latent]: ...

    def encode(
        self, scan: Scannable | Sequence[Scannable], *, batch_size: int = 4
    ) -> Latent | list[Latent]:
        """Encode one scan, or a list of them in batches.

        Args:
            scan: A path, a nibabel image, or a list of either.
            batch_size: Scans that go through the network together.

        Returns:
            One :class:`Latent`, or one for each scan of the list.

        Raises:
            UserError: A scan cannot be read; names it.
        """
        if isinstance(scan, str | os.PathLike | SpatialImage):
            return next(self.encode_each([scan], 1))
        return list(self.encode_each(scan, batch_size))

    def encode_each(
        self, scans: Sequence[Scannable], batch_size: int = 4
    ) -> Iterator[Latent]:
        """Encode scans batch by batch, in order, holding one batch in memory."""
        for start in range(0, len(scans), batch_size):
            batch = scans[start : start + batch_size]
            ready = [prepare(read_volume(_readable(scan)), self.grid) for scan in batch]
            x = torch.from_numpy(np.stack([item.image for item in ready]))[:, None]
            mean, std = self.encode_batch(x)
            for i, (scan, item) in enumerate(zip(batch, ready, strict=True)):
                path = None if isinstance(scan, SpatialImage) else Path(scan)
                if not (torch.isfinite(mean[i]).all() and torch.isfinite(std[i]).all()):
                    raise UserError(
                        f"{path or 'image'}: its code is not finite. Look at the scan, "
                        "or train the model again."
                    )
                yield Latent(
                    mean[i].cpu().numpy(),
                    std[i].cpu().numpy(),
                    item.placement,
                    item.source,
                    item.reference,
                    path.name if path else "image",
                    digest(path) if path else None,
                )

    @torch.inference_mode()
    def encode_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std of codes (B, C, x, y, z) for volumes (B, 1, X, Y, Z).

        Volumes lie on :attr:`grid`, in reference units.
        """
        posterior = self.vae.encode(x.to(self.device, torch.float32))
        return posterior.mean, posterior.std

    @torch.inference_mode()
    def decode_batch(self, z: Tensor, site: str | None = None) -> Tensor:
        """Images (B, 1, X, Y, Z) in reference units, as ``site`` would scan them.

        Without a site the decoder is given the mean of its site codes.

        Raises:
            UserError: The decoder does not know the site.
        """
        try:
            codes = self.vae.site_codes([site] * len(z))
        except ValueError as error:
            raise UserError(str(error)) from None
        return self.vae.decode(z.to(self.device, torch.float32), codes)

    def decode(self, latent: Latent, site: str | None = None) -> nib.Nifti1Image:
        """Paint the image of a code on the grid of the scan that it came from.

        Args:
            latent: What :meth:`encode` returned.
            site: A training site; ``None`` gives the average scanner.

        Returns:
            A float32 image with the scan's shape, orientation and affine, in its own
            intensity units; 0 outside the training grid.

        Raises:
            UserError: The code lies on another grid than the model's.
        """
        grid = latent.placement.grid
        if grid != self.grid:
            raise UserError(
                f"{latent.name}: was encoded on the grid {grid.shape}, this model's is "
                f"{self.grid.shape}. Encode the scan again."
            )
        z = torch.from_numpy(latent.mean)[None]
        painted = self.decode_batch(z, site)[0, 0].cpu().numpy()
        native = latent.placement.to_native(painted) * np.float32(latent.reference)
        data = latent.source.restore(native)
        return nifti_image(data, latent.source.affine, np.float32)


def _readable(scan: Scannable) -> Path | SpatialImage:
    return scan if isinstance(scan, SpatialImage) else Path(scan)
