"""Principal components as an encoder, against scikit-learn."""

import numpy as np
import torch
from sklearn.decomposition import PCA

from medvae.evaluation.baselines.pca import fit_pca
from medvae.volume import Grid

GRID = Grid((4, 5, 6), (8.0, 8.0, 8.0))


def volumes(n, seed=0):
    rng = np.random.default_rng(seed)
    basis = np.random.default_rng(1).normal(size=(3, 4, 5, 6))
    return [
        np.tensordot(rng.normal(size=3) * [5, 3, 2], basis, 1)
        + 0.1 * rng.normal(size=(4, 5, 6))
        for _ in range(n)
    ]


def test_decoded_codes_are_scikit_learn_s_projection():
    train, test = volumes(12), volumes(3, seed=5)
    ours = fit_pca(train, volumes(4, seed=7), GRID, 3)
    x = torch.from_numpy(np.stack(test)).float()[:, None]
    mean, std = ours.encode_batch(x)
    theirs = PCA(3).fit(np.stack(train).reshape(12, -1))
    flat = np.stack(test).reshape(3, -1)
    wanted = theirs.inverse_transform(theirs.transform(flat)).reshape(3, 1, 4, 5, 6)
    np.testing.assert_allclose(ours.decode_batch(mean, None), wanted, atol=1e-3)
    assert mean.shape == std.shape == (3, 3, 1, 1, 1)
    assert ((std > 0) & (std < 0.2)).all()  # signal far above the residual of .1
    assert abs(ours.scale - 0.1) < 0.02


def test_no_more_components_than_scans_allow():
    assert len(fit_pca(volumes(5), [], GRID, 2000).variance) <= 4
