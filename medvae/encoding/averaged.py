"""Codes averaged over corrupted copies of the scan, the other choice at inference."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from medvae.encoding.encoder import Encoder
from medvae.model.network import DenoisingVAE
from medvae.model.posterior import Posterior
from noise_models.base import NoiseModel


class AveragedEncoder(Encoder):
    """Reads a scan through M corrupted copies of it, as the encoder was trained.

    A denoising encoder has never seen a clean scan and is mis-calibrated on one: it
    shrinks its codes as if there were noise to discount. Here every scan is corrupted
    M times by the noise of the run, the copies are encoded, and the code is the
    Gaussian with the moments of their mixture (:meth:`Posterior.average`). It is not
    the default: it costs M passes, adds what the copies differ by to the width, and
    which of the two codes serves better has to be measured.

    The corruptions are seeded by the voxels, so a scan has one code whoever else is
    in its batch. A fitted noise takes the scan as one of an unknown site.

    Args:
        vae: The model, in evaluation mode.
        noise: What to corrupt with; the ``noise.yaml`` of the run.
        copies: M.
        device: Where it runs.

    Raises:
        ValueError: ``copies`` is below 1.

    Example:
        >>> import noise_models
        >>> from medvae.model.network import NetworkConfig
        >>> vae = DenoisingVAE(NetworkConfig(
        ...     grid_shape=(16, 16, 16), channels=(4, 8), latent_channels=2)).eval()
        >>> noise = noise_models.get("rician", sigma=0.05)
        >>> mean, std = AveragedEncoder(vae, noise, copies=4).encode_batch(
        ...     torch.rand(1, 1, 16, 16, 16))
        >>> mean.shape, bool((std > 0).all())
        (torch.Size([1, 2, 4, 4, 4]), True)
    """

    def __init__(
        self, vae: DenoisingVAE, noise: NoiseModel, copies: int, device: str = "cpu"
    ) -> None:
        super().__init__(vae, device)
        if copies < 1:
            raise ValueError(f"copies must be at least 1, got {copies}.")
        self.noise, self.copies = noise, copies

    @torch.inference_mode()
    def encode_batch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and std of averaged codes (B, C, x, y, z), volumes as in `Encoder`."""
        parts = [self._averaged(volume) for volume in x]
        code = Posterior.cat(parts)
        return code.mean, code.std

    def _averaged(self, volume: Tensor) -> Posterior:
        clean = volume.float().cpu().contiguous()
        voxels = clean.numpy().tobytes()
        seed = int.from_bytes(hashlib.blake2b(voxels, digest_size=8).digest()) >> 1
        rng = torch.Generator().manual_seed(seed)
        copies = [  # one at a time: ten volumes of a head do not fit everywhere
            self.vae.encode(
                self.noise(
                    clean[None], rng=rng, spacing_mm=self.vae.config.spacing_mm
                ).to(self.device)
            )
            for _ in range(self.copies)
        ]
        return Posterior.average(copies)
