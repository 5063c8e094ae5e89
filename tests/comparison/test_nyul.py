"""Histogram matching: invariances, and agreement with TorchIO."""

import numpy as np
import pytest
import torch

from medvae.evaluation.baselines.nyul import fit_matching, landmarks


def scan(seed, gain=1.0, power=1.0):
    rng = np.random.default_rng(seed)
    body = np.zeros((16, 16, 16))
    body[3:13, 3:13, 3:13] = rng.gamma(6, 0.15, (10, 10, 10))
    return (gain * body**power + 0.01 * rng.random(body.shape)).astype(np.float32)


def test_a_scanner_s_gain_disappears():
    matching = fit_matching([scan(k) for k in range(4)])
    one, two = matching.apply(scan(9)), matching.apply(3.0 * scan(9))
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_landmarks_land_on_the_standard_scale():
    matching = fit_matching([scan(k) for k in range(4)])
    moved = matching.apply(scan(9, gain=2.0, power=1.3))
    own = scan(9, gain=2.0, power=1.3)
    inside = moved[own > own.mean()]
    found = np.percentile(inside, [1, 50, 99])
    np.testing.assert_allclose(
        found, np.array(matching.standard)[[0, 6, 12]], rtol=0.02
    )


def test_the_unit_of_training_scans_is_kept():
    scans = [scan(k) for k in range(6)]
    matching = fit_matching(scans)
    ends = np.mean([landmarks(s)[[0, -1]] for s in scans], axis=0)
    np.testing.assert_allclose(np.array(matching.standard)[[0, -1]], ends, rtol=1e-6)


def test_it_is_torchio_s_up_to_the_unit():
    tio = pytest.importorskip("torchio")
    scans = [scan(k, gain=1 + 0.3 * k, power=1 + 0.1 * k) for k in range(4)]
    subjects = [
        tio.Subject(x=tio.ScalarImage(tensor=torch.from_numpy(s)[None])) for s in scans
    ]
    above = tio.transforms.HistogramStandardization
    paths = []
    from tempfile import mkdtemp

    for k, subject in enumerate(subjects):
        path = f"{mkdtemp()}/{k}.nii.gz"
        subject.x.save(path)
        paths.append(path)
    theirs = above.train(paths, masking_function=lambda x: x > x.float().mean())
    ours = np.array(fit_matching(scans).standard)
    scaled = (ours - ours[0]) / (ours[-1] - ours[0])
    span = theirs[-1] - theirs[0]
    np.testing.assert_allclose(scaled, (theirs - theirs[0]) / span, atol=2e-3)
