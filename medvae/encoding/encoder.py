"""``medvae.Encoder``: load a run, encode scans, decode codes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args, overload

import nibabel as nib
import numpy as np
import numpy.typing as npt
import torch
from nibabel.spatialimages import SpatialImage
from torch import Tensor

from medvae.encoding.latent import Latent
from medvae.encoding.reading import Arrival, Cover, read_scan
from medvae.encoding.repainting import repaint
from medvae.encoding.scannable import Scannable, as_image, as_images, is_one
from medvae.encoding.windows import decode_windows, encode_windows
from medvae.errors import UserError
from medvae.files import digest
from medvae.model.acquired_region import ended, in_voxels
from medvae.model.network import DenoisingVAE
from medvae.model.weights import find_device, load_model
from medvae.volume import Grid


class Encoder:
    """A trained denoising VAE as a reader of scans.

    The code of a scan is the posterior of the scan as it is; nothing is corrupted at
    inference. `AveragedEncoder` is the other choice.

    Args:
        vae: The model, in evaluation mode.
        device: Where it runs.
        model_digest: SHA-256 of the weights' file, kept in every code.

    Example:
        >>> from medvae.model.network import NetworkConfig
        >>> vae = DenoisingVAE(NetworkConfig(
        ...     grid_shape=(16, 16, 16), spacing_mm=(8, 8, 8), channels=(4, 8),
        ...     latent_channels=2, sites=("A", "B"))).eval()
        >>> ball = np.linalg.norm(np.indices((40, 40, 40)) - 19.5, axis=0) < 15
        >>> affine = np.diag([4.0, 4.0, 4.0, 1.0])
        >>> scan = nib.Nifti1Image(700 * ball.astype(np.float32), affine)
        >>> encoder = Encoder(vae)
        >>> encoder
        <Encoder: sites A, B; grid 16x16x16 of 8x8x8 mm; code 2x4x4x4; on cpu>
        >>> latent = encoder.encode(scan)
        >>> latent.mean.shape, latent.vector.shape
        ((2, 4, 4, 4), (128,))
        >>> encoder.decode(latent, site="B").shape
        (40, 40, 40)
    """

    def __init__(
        self, vae: DenoisingVAE, device: str = "cpu", model_digest: str | None = None
    ) -> None:
        self.vae = vae.to(device).eval()
        self.device = torch.device(device)
        self.model_digest = model_digest

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.grid.shape))
        step = "x".join(f"{mm:g}" for mm in self.grid.spacing_mm)
        code = "x".join(map(str, self.vae.config.latent_shape))
        sites = ", ".join(self.sites) or "none"
        return (
            f"<Encoder: sites {sites}; grid {shape} of {step} mm; code {code}; "
            f"on {self.device}>"
        )

    @classmethod
    def load(cls, run: str | os.PathLike[str], device: str = "cpu") -> Encoder:
        """Read the model of a run folder, or of any folder of the Hugging Face layout.

        Args:
            run: The folder.
            device: auto (a GPU where there is one), cpu, cuda or mps.

        Raises:
            UserError: Not a run folder, an unfinished one, or no such device.
        """
        found = find_device(device)
        vae = load_model(Path(run))
        return cls(vae, found, digest(Path(run) / "model.safetensors"))

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
    def detail(self) -> Tensor:
        """How much of what a code lacks stays in a harmonised scan, by frequency.

        (BANDS,); see `medvae.model.detail`.
        """
        return self.vae.detail.cpu()

    def faces(self, site: str) -> Tensor:
        """Where scans of a training site end, mm from the grid's middle, (3, 2)."""
        return self.vae.field_of_view[self.sites.index(site)].cpu()

    def within_field_of_view(self, x: Tensor, site: str | None) -> Tensor:
        """Volumes (B, 1, X, Y, Z) on :attr:`grid`, 0 where scans of ``site`` end.

        ``x`` itself where they show all of it, and without a site.
        """
        if site is None:
            return x
        grid = self.grid
        return ended(x, in_voxels(self.faces(site), grid.shape, grid.spacing_mm))

    @property
    def likelihood(self) -> str:
        """Of scans around decoded ones: gaussian or laplace."""
        return self.vae.config.likelihood

    @property
    def scale(self) -> float:
        """Width of the likelihood, reference units: a Gaussian's SD, a Laplace's b."""
        return float(self.vae.likelihood.scale.item())

    @overload
    def encode(
        self,
        scan: Scannable,
        *,
        affine: npt.ArrayLike | None = None,
        batch_size: int = 4,
        cover: Cover = "head",
    ) -> Latent: ...

    @overload
    def encode(
        self,
        scan: Sequence[Scannable],
        *,
        affine: npt.ArrayLike | None = None,
        batch_size: int = 4,
        cover: Cover = "head",
    ) -> list[Latent]: ...

    def encode(
        self,
        scan: Scannable | Sequence[Scannable],
        *,
        affine: npt.ArrayLike | None = None,
        batch_size: int = 4,
        cover: Cover = "head",
    ) -> Latent | list[Latent]:
        """Encode one scan, or a list of them in batches.

        No mask is used; ``medvae encode`` uses those that a cohort names.

        Args:
            scan: A NIfTI file, a folder of one DICOM series, a nibabel image, an array
                or tensor (X, Y, Z), or a list of these. An array may come as a pair
                with its affine, ``(array, affine)``; a MONAI ``MetaTensor`` has one.
            affine: Voxel to world (RAS, mm) of arrays that come without; they need one.
            batch_size: Scans that go through the network together.
            cover: ``head`` lays the training grid over the head and leaves out what
                is beyond it; ``scan`` encodes the whole field of view in overlapping
                windows of the training grid (``map`` models only).

        Returns:
            One :class:`Latent`, or one for each scan of the list.

        Raises:
            UserError: A scan cannot be read, or is not of these kinds; names it.
            ValueError: ``batch_size`` is below 1, or ``cover`` unknown.
        """
        if is_one(scan):
            image = as_image(cast(Scannable, scan), affine)
            return next(self.encode_each([image], batch_size, cover))
        images = as_images(cast(Sequence[Scannable], scan), affine)
        return list(self.encode_each(images, batch_size, cover))

    def encode_each(
        self,
        scans: Sequence[Path | SpatialImage],
        batch_size: int = 4,
        cover: Cover = "head",
    ) -> Iterator[Latent]:
        """Encode scans batch by batch, in order, holding one batch in memory."""
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        for start in range(0, len(scans), batch_size):
            batch = scans[start : start + batch_size]
            read = [self._read(scan, cover) for scan in batch]
            yield from self.encode_read(read)

    def _read(self, scan: Path | SpatialImage, cover: Cover) -> Arrival:
        arrived = read_scan(scan, self.grid, self.reach(cover))
        if arrived.problem:
            raise UserError(arrived.problem)
        return arrived

    def reach(self, cover: Cover) -> int | None:
        """The stride that a grid over the whole scan must keep; None for the head.

        Raises:
            UserError: The model is tied to its grid.
            ValueError: ``cover`` is neither.
        """
        if cover not in get_args(Cover):
            raise ValueError(f"cover must be 'head' or 'scan', got {cover!r}.")
        if cover == "head":
            return None
        if self.vae.config.latent == "vector":
            raise UserError(
                "cover 'scan' needs a map of codes, but this model has one vector for "
                "its grid. Use cover 'head', or train with network.latent: map."
            )
        return self.vae.config.stride

    def encode_read(self, read: Sequence[Arrival]) -> list[Latent]:
        """Encode scans that have been read and prepared; all in one batch.

        Scans whose grid is larger than the training grid go window by window.
        """
        ready = [arrived.ready for arrived in read]
        if all(one.placement.grid.shape == self.grid.shape for one in ready):
            x = torch.from_numpy(np.stack([one.image for one in ready]))[:, None]
            mean, std = self.encode_batch(x)
            codes = list(zip(mean.cpu(), std.cpu(), strict=True))
        else:
            codes = [
                encode_windows(
                    self.encode_batch,
                    torch.from_numpy(one.image),
                    self.grid.shape,
                    self.vae.config.stride,
                )
                for one in ready
            ]
        for arrived, (mean, std) in zip(read, codes, strict=True):
            if not (torch.isfinite(mean).all() and torch.isfinite(std).all()):
                raise UserError(
                    f"{arrived.name}: its code is not finite. Look at the scan, or "
                    "train the model again."
                )
        return [
            Latent(
                code[0].numpy(),
                code[1].numpy(),
                one.placement,
                one.source,
                one.reference,
                arrived.name,
                arrived.digest,
                self.model_digest,
            )
            for code, one, arrived in zip(codes, ready, read, strict=True)
        ]

    def encode_again(self, latent: Latent, image: npt.NDArray[np.float32]) -> Latent:
        """The code of another image (X, Y, Z) on the grid of a code, as of its scan."""
        x = torch.from_numpy(image)
        if image.shape == self.grid.shape:
            mean, std = (code[0].cpu() for code in self.encode_batch(x[None, None]))
        else:
            mean, std = encode_windows(
                self.encode_batch, x, self.grid.shape, self.vae.config.stride
            )
        return replace(latent, mean=mean.numpy(), std=std.numpy())

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

        Without a site the decoder is given the mean of its site inputs.

        Raises:
            UserError: The decoder does not know the site.
        """
        inputs = self._site_inputs(site, len(z))
        return self.vae.decode(z.to(self.device, torch.float32), inputs)

    def check_site(self, site: str | None) -> None:
        """Refuse a site that the decoder does not know, before any work.

        Raises:
            UserError: Names the sites it knows.
        """
        self._site_inputs(site, 1)

    def _site_inputs(self, site: str | None, n: int) -> Tensor:
        try:
            return self.vae.site_inputs([site] * n)
        except ValueError as error:
            raise UserError(str(error)) from None

    def decode(self, latent: Latent, site: str | None = None) -> nib.Nifti1Image:
        """Paint the image of a code on the grid of the scan that it came from.

        Args:
            latent: What :meth:`encode` returned.
            site: A training site; ``None`` gives the average scanner.

        Returns:
            A float32 image with the scan's shape, orientation, affine, qform and
            sform, in its own intensity units; 0 outside the latent's grid.

        Raises:
            UserError: The code lies on a grid that the model cannot paint.
        """
        native = latent.placement.to_native(self.paint(latent, site))
        return latent.source.image(native * np.float32(latent.reference))

    def paint(self, latent: Latent, site: str | None = None) -> npt.NDArray[np.float32]:
        """The image of a code on the latent's grid (X, Y, Z), in reference units.

        Raises:
            UserError: The code lies on a grid that the model cannot paint.
        """
        self._refuse_other_grid(latent)
        z = torch.from_numpy(latent.mean)
        places = self.vae.config.latent_shape[1:]
        if tuple(z.shape[1:]) == places:
            painted = self.decode_batch(z[None], site)[0, 0].cpu()
        else:
            painted = decode_windows(
                lambda part: self.decode_batch(part, site),
                z,
                places,
                self.vae.config.stride,
            )
        return np.asarray(painted.numpy())

    def _refuse_other_grid(self, latent: Latent) -> None:
        places = latent.mean.shape[1:]
        if self.vae.config.latent == "vector":
            fits = latent.placement.grid == self.grid
        else:
            covered = tuple(n * self.vae.config.stride for n in places)
            fits = covered == latent.placement.grid.shape
        spacing = latent.placement.grid.spacing_mm
        if not fits or spacing != self.grid.spacing_mm:
            raise UserError(
                f"{latent.name}: was encoded on the grid {latent.placement.grid.shape} "
                f"of {spacing} mm, which this model cannot paint. Encode it again."
            )

    def harmonize(
        self,
        scan: Scannable,
        to: str,
        *,
        made_at: str | None = None,
        detail: bool = True,
        affine: npt.ArrayLike | None = None,
        cover: Cover = "head",
    ) -> nib.Nifti1Image:
        """The scan as training site ``to`` would have made it, on its own grid.

        No mask is used; ``medvae harmonize`` uses those that a cohort names.

        Args:
            scan: As for :meth:`encode`.
            to: The training site to imitate.
            made_at: The training site that made it, if one did.
            detail: Keep the scan's own detail (`medvae.encoding.repainting`); else the
                image is painted from the code alone, blurred (:meth:`decode`).
            affine: As for :meth:`encode`.
            cover: As for :meth:`encode`.

        Raises:
            UserError: The scan cannot be read, or the decoder does not know a site.
            ValueError: ``made_at`` without ``detail``, which would change nothing.
        """
        if made_at is not None and not detail:
            raise ValueError(
                f"made_at={made_at!r} changes nothing where detail is False: an image "
                "painted from its code alone has no origin. Leave one of them out."
            )
        image = as_image(scan, affine)
        latent = next(self.encode_each([image], 1, cover))
        if not detail:
            return self.decode(latent, to)
        return repaint(self, image, latent, to, made_at).image
