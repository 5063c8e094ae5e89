"""Small data sets with the names that the real ones have."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def tree(tmp_path):
    """Make files from a dict of relative path -> text; NIfTI get a small head."""

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if ".nii" in name:
                path.write_bytes(small_head(name))
            else:
                path.write_text(text)
        return tmp_path

    return make


def small_head(seed):
    """Bytes of a noisy ball, large enough to pass for a head."""
    rng = np.random.default_rng(list(str(seed).encode()))
    ball = np.linalg.norm(np.indices((20, 20, 20)) - 9.5, axis=0) < 7
    data = ball * 100 + rng.normal(5, 1, ball.shape)
    image = nib.Nifti1Image(data.astype(np.float32), np.diag([8.0, 8.0, 8.0, 1.0]))
    return image.to_bytes()
