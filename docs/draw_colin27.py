"""A real head through a run that has seen only simulated ones: does it come back?

python docs/draw_colin27.py RUN ch2.nii.gz [--site NYU]

Writes docs/colin27.png: the scan, the decoded image, and the edges of the latent map's
places on the scan, read from the NIfTI files that a user would get. Prints whether the
affine is exact, and the agreement inside the head.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

from medvae.encoding import Encoder
from medvae.encoding.folder import Item, encode_folder
from medvae.encoding.images import decode_files
from medvae.report.sides import LEGEND, PLANES, mark
from medvae.volume import foreground_mask

PICTURE = Path(__file__).with_name("colin27.png")


def main() -> None:
    """Encode, decode, compare, draw."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--site")
    asked = parser.parse_args()
    encoder = Encoder.load(asked.run)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        encode_folder(encoder, [Item(asked.scan)], out)
        (code,) = out.glob("*_latent.nii.gz")
        decode_files(encoder, [code], [out / "back.nii.gz"], asked.site)
        scan, back = nib.load(asked.scan), nib.load(out / "back.nii.gz")
        latent = nib.load(code)
        lying, painted = (nib.as_closest_canonical(image) for image in (scan, back))
        x = np.asarray(lying.dataobj, dtype=np.float32)
        y = painted.get_fdata(dtype=np.float32)
        places, affine = latent.shape, latent.affine
    spacing = tuple(float(s) for s in lying.header.get_zooms()[:3])
    head = foreground_mask(x, (spacing[0], spacing[1], spacing[2]))
    error = float(np.square(x - y)[head].mean() / x[head].var())
    # What the training grid could hold at best: the scan at its resolution.
    step = np.array(encoder.grid.spacing_mm) / np.array(spacing)
    best = ndimage.gaussian_filter(x, np.sqrt(np.maximum(step**2 - 1, 0)) / 2.355)
    floor = float(np.square(x - best)[head].mean() / x[head].var())
    print(
        json.dumps(
            {
                "shape_same": bool(scan.shape == back.shape),
                "affine_exact": bool(np.array_equal(scan.affine, back.affine)),
                "dtype": str(back.get_data_dtype()),
                "correlation_in_head": round(
                    float(np.corrcoef(x[head], y[head])[0, 1]), 4
                ),
                "error_over_variance": round(error, 4),
                "error_of_the_grid_alone": round(floor, 4),
                "latent": [int(n) for n in places],
                "place_mm": np.linalg.norm(affine[:3, :3], axis=0).round(3).tolist(),
            },
            indent=2,
        )
    )
    draw(x, y, np.linalg.inv(affine) @ lying.affine, np.array(spacing))


def draw(x: np.ndarray, y: np.ndarray, to_place: np.ndarray, mm: np.ndarray) -> None:
    """Scan, decoded image, and scan with the borders of the latent's places."""
    top = float(np.percentile(x, 99.5))
    middle = [n // 2 for n in x.shape]
    figure = Figure(figsize=(7.2, 7.6), layout="constrained")
    axes = figure.subplots(3, 3)
    columns = {"Colin27, as scanned": x, "decoded": y, "places of the code": x}
    for j, (name, volume) in enumerate(columns.items()):
        for shown, (axis, sides) in zip(axes[:, j], PLANES.values(), strict=True):
            across, up = (a for a in range(3) if a != axis)
            plane = volume.take(middle[axis], axis).T
            shown.imshow(
                plane, cmap="gray", vmin=0, vmax=top, origin="lower",
                aspect=mm[up] / mm[across],
            )  # fmt: skip
            mark(shown, sides)
            if j == 2:
                for a, line in ((across, shown.axvline), (up, shown.axhline)):
                    ends = to_place[a, a], to_place[a, 3]
                    for edge in np.arange(-0.5, 30):
                        at = (edge - ends[1]) / ends[0]
                        if 0 <= at < x.shape[a]:
                            line(at, color="#5fc4c4", linewidth=0.5)
            shown.set_axis_off()
        axes[0, j].set_title(name, fontsize=10)
    figure.supxlabel(LEGEND, fontsize=9)
    figure.savefig(PICTURE, dpi=80)


if __name__ == "__main__":
    main()
