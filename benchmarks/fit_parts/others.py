"""What people use instead of a fitted noise."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from noise_models.scanner.common_grid import GRID_MM
from noise_models.scanner.features import scan_features
from noise_models.scanner.goodness import Half
from noise_models.scanner.two_sample import two_sample_auc

Method = Callable[[Sequence[np.ndarray], Half], list[np.ndarray]]


def auc_of(both: Sequence[Half], method: Method) -> float:
    """AUC against B after another method than the fit."""
    scores = []
    for half in both:
        volumes = method([s.volume for s in half.test], half)
        table = np.stack([scan_features(v, GRID_MM) for v in volumes])
        groups = ([s.subject for s in half.test], half.real_subjects)
        scores.append(two_sample_auc(table, half.real.features, groups=groups))
    return float(np.mean(scores))


def nyul(volumes: Sequence[np.ndarray], half: Half) -> list[np.ndarray]:
    """Histogram standardisation (Nyul & Udupa 2000) to the other half of B."""
    import nibabel as nib
    import torch
    import torchio as tio

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for k, one in enumerate(half.learn_b):
            path = Path(folder) / f"{k}.nii.gz"
            nib.save(nib.Nifti1Image(one.volume, np.eye(4)), path)
            paths.append(path)
        landmarks = tio.HistogramStandardization.train(paths, progress=False)
    match = tio.HistogramStandardization({"scan": landmarks})
    found = []
    for volume in volumes:
        subject = tio.Subject(scan=tio.ScalarImage(tensor=torch.tensor(volume)[None]))
        matched = match(subject)["scan"].data[0].numpy()
        # Its scale runs from 0 to 100; give it the unit of B's scans.
        scale = np.median([np.percentile(s.volume, 95) for s in half.learn_b])
        found.append((matched * scale / np.percentile(matched, 95)).astype(np.float32))
    return found


def ranges(volumes: Sequence[np.ndarray], half: Half) -> list[np.ndarray]:
    """TorchIO's random effects, set by hand once for every pair."""
    import torch
    import torchio as tio

    change = tio.Compose(
        [
            tio.RandomGamma(log_gamma=(-0.3, 0.3)),
            tio.RandomBlur(std=(0, 1)),
            tio.RandomBiasField(coefficients=0.3),
            tio.RandomNoise(std=(0, 0.05)),
        ]
    )
    torch.manual_seed(half.seed)
    found = []
    for volume in volumes:
        image = tio.ScalarImage(tensor=torch.tensor(volume)[None])
        found.append(change(tio.Subject(scan=image))["scan"].data[0].numpy())
    return found
