"""One large scan, encoded whole by windows, in a process of its own.

    python benchmarks/encoding_large.py [--side 512] [--window 96 112 96]
                                        [--channels 16 32 64] [--no-record]

The scan is a ball of ``side`` voxels of 256 / side mm, the network is untrained and
works at that voxel size, so ``side`` cubed is what it sees. Prints, as JSON, the shape
of the code, the peak memory of the process, and the seconds, and writes
benchmarks/results/encoding_large.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import nibabel as nib
import numpy as np
import torch
from measured.result import header, write

from medvae.encoding import Encoder
from medvae.model.network import DenoisingVAE, NetworkConfig


def ball(side: int) -> nib.Nifti1Image:
    """A noisy ball in air, plane by plane, since floats of all of it are large."""
    rng = np.random.default_rng(0)
    data = np.empty((side,) * 3, np.int16)
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    for plane, height in zip(data, axis, strict=True):
        radius = height**2 + axis[:, None] ** 2 + axis**2
        plane[:] = (
            600 * (radius < 0.6) - 200 * (radius < 0.1) + rng.random(radius.shape)
        )
    affine = np.diag([256 / side] * 3 + [1.0])
    affine[:3, 3] = -128
    return nib.Nifti1Image(data, affine)


def main() -> None:
    """Encode it and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--window", type=int, nargs=3, default=[96, 112, 96])
    parser.add_argument("--channels", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--no-record", action="store_true")
    args = parser.parse_args()
    before = header(f"encoding_large.py --side {args.side}", "torch", "nibabel")
    torch.set_num_threads(1)
    config = NetworkConfig(
        grid_shape=tuple(args.window),
        spacing_mm=(256 / args.side,) * 3,
        channels=tuple(args.channels),
    )
    start = time.perf_counter()
    code = Encoder(DenoisingVAE(config)).encode(ball(args.side), cover="scan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {
        **before,
        "channels": args.channels,
        "window": args.window,
        "side": args.side,
        "code": code.mean.shape,
        "peak_mib": round(peak, 1),
        "seconds": round(time.perf_counter() - start, 1),
    }
    print(json.dumps(found))
    if not args.no_record:
        write("encoding_large", found)


if __name__ == "__main__":
    main()
