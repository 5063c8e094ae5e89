"""ONNX: an encoder and a decoder, each run against torch before it is kept."""

from __future__ import annotations

import json
import logging
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medvae.encoding import Encoder
from medvae.errors import UserError
from medvae.files import atomic_path
from medvae.model.network import DenoisingVAE

TOLERANCE = 1e-4
"""Largest difference from torch, as a share of the largest value torch gives."""


class CodeOf(nn.Module):
    """Volumes (B, 1, X, Y, Z) in reference units to mean and std of their codes."""

    def __init__(self, vae: DenoisingVAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Encode."""
        posterior = self.vae.encode(volume)
        return posterior.mean, posterior.std


class ImageOf(nn.Module):
    """Codes and site numbers (B,) to images (B, 1, X, Y, Z) in reference units.

    Sites count in the order of ``config.json``; one more is the average of all.
    """

    codes: Tensor  # site inputs, a row a site; the name is that of exported files

    def __init__(self, vae: DenoisingVAE) -> None:
        super().__init__()
        self.vae = vae
        labels: list[str | None] = [*vae.config.sites, None]
        self.register_buffer("codes", vae.site_inputs(labels).detach())

    def forward(self, code: Tensor, site: Tensor) -> Tensor:
        """Decode."""
        return self.vae.decode(code, self.codes[site])


def write_onnx(encoder: Encoder, out: Path) -> list[str]:
    """Write ``encoder.onnx`` and ``decoder.onnx``.

    Raises:
        UserError: The extra is not installed, or onnxruntime does not agree with torch
            within :data:`TOLERANCE`; then nothing is kept.
    """
    runtime = _onnxruntime()
    vae = encoder.vae.cpu().eval()
    config = vae.config
    rng = torch.Generator().manual_seed(0)
    volume = torch.rand(2, 1, *config.grid_shape, generator=rng)
    code = torch.randn(2, *config.latent_shape, generator=rng)
    site = torch.tensor([0, len(config.sites)])
    notes = {
        "format": "medvae-onnx-1",
        "sites": json.dumps([*config.sites, None]),
        "spacing_mm": json.dumps(config.spacing_mm),
        "model_sha256": str(encoder.model_digest),
    }
    parts: dict[str, tuple[nn.Module, tuple[Tensor, ...], list[str], list[str]]] = {
        "encoder": (CodeOf(vae), (volume,), ["volume"], ["mean", "std"]),
        "decoder": (ImageOf(vae), (code, site), ["code", "site"], ["image"]),
    }
    told = []
    for name, (module, inputs, ins, outs) in parts.items():
        with atomic_path(out / f"{name}.onnx") as partial:
            _write(module, inputs, (ins, outs), partial, notes)
            worst = _difference(runtime, partial, module, inputs, ins)
            if not worst <= TOLERANCE:
                raise UserError(
                    f"{name}.onnx differs from torch by {worst:.1e} of its largest "
                    f"value, more than {TOLERANCE:g}. Report this with your versions."
                )
        told.append(
            f"{name}.onnx agrees with torch within {worst:.1e} of its largest value "
            f"(tolerance {TOLERANCE:g}, batches of 2 and 1)"
        )
    return told


def _write(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: tuple[list[str], list[str]],
    path: Path,
    notes: dict[str, str],
) -> None:
    import onnx

    batch = torch.export.Dim("batch", min=1, max=1024)
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter's own code
            made: Any = torch.onnx.export(
                module.eval(),
                inputs,
                input_names=names[0],
                output_names=names[1],
                dynamic_shapes=tuple({0: batch} for _ in inputs),
                dynamo=True,
                verbose=False,
            )
    finally:
        chatter.setLevel(level)
    model = made.model_proto
    onnx.helper.set_model_props(model, notes)
    onnx.save(model, str(path))


def _difference(
    runtime: Any,  # noqa: ANN401 (onnxruntime has no types)
    path: Path,
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
) -> float:
    session = runtime.InferenceSession(
        path.read_bytes(), providers=["CPUExecutionProvider"]
    )
    worst = 0.0
    for n in (2, 1):
        fed = [one[:n] for one in inputs]
        with torch.inference_mode():
            expected = module(*fed)
        expected = expected if isinstance(expected, tuple) else (expected,)
        got = session.run(None, {k: v.numpy() for k, v in zip(names, fed, strict=True)})
        for a, b in zip(expected, got, strict=True):
            scale = float(a.abs().max()) or 1.0
            apart = float(np.abs(a.numpy() - b).max()) / scale
            if not math.isfinite(apart):  # max() would pass NaN over
                return math.inf
            worst = max(worst, apart)
    return worst


def _onnxruntime() -> Any:  # noqa: ANN401 (onnxruntime has no types)
    try:
        import onnx  # noqa: F401 (needed by the exporter)
        import onnxruntime
        import onnxscript  # noqa: F401 (needed by the exporter)
    except ImportError:
        raise UserError(
            "ONNX needs the extra 'onnx': pip install 'medvae-denoise[onnx]'."
        ) from None
    return onnxruntime
