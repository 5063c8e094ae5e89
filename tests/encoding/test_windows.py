"""Scans larger than the training grid: whole, without seams, in bounded memory."""

import nibabel as nib
import numpy as np
import pytest
import torch
from small_encoder import Pooling, head_image, small_encoder

from medvae.encoding import windows
from medvae.encoding.windows import decode_windows, encode_windows
from medvae.errors import UserError


def large_head():
    affine = np.diag([5.0, 5, 5, 1])
    affine[:3, 3] = (-140, -140, -140)
    return head_image(affine, (56, 58, 57))


def test_a_network_without_memory_of_its_window_gives_the_whole_exactly():
    encoder = Pooling()
    x = torch.rand(40, 32, 48, generator=torch.Generator().manual_seed(0))
    mean, std = encode_windows(encoder.encode_batch, x, (24, 24, 24), 4)
    assert torch.allclose(mean, encoder.encode_batch(x[None, None])[0][0], atol=1e-6)
    assert torch.allclose(std, torch.ones_like(std))


def own_level(code):
    """A painter that, like group norm, takes its window's own mean for the zero."""
    return Pooling().decode_batch(code - code.mean())


def roughest_step(painted):
    """Largest step between neighbouring planes over the commonest one."""
    steps = painted.diff(dim=0).abs().mean(dim=(1, 2))
    return (steps.max() / steps.median()).item()


RAMP = torch.linspace(0, 3, 24)[None, :, None, None].expand(1, 24, 6, 6)


def test_no_seam_where_windows_meet():
    assert roughest_step(decode_windows(own_level, RAMP, (6, 6, 6), 4)) < 3


def test_windows_side_by_side_would_have_shown_seams(monkeypatch):
    apart = [(slice(i, i + 6), slice(0, 6), slice(0, 6)) for i in range(0, 24, 6)]
    monkeypatch.setattr(windows, "_boxes", lambda size, window: iter(apart))
    assert roughest_step(decode_windows(own_level, RAMP, (6, 6, 6), 4)) > 10


def test_the_network_s_own_windows_leave_no_seam():
    """Between windows the image steps no more than between places within one."""
    encoder = small_encoder()
    code = torch.randn(2, 24, 6, 6, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.avg_pool3d(code[None], 5, 1, 2)[0] * 3
    painted = decode_windows(encoder.decode_batch, smooth, (6, 6, 6), 4)
    steps = painted.diff(dim=0).abs().mean(dim=(1, 2))
    between = torch.arange(len(steps)) % 4 == 3
    borders = torch.arange(len(steps)) % 12 == 11
    assert steps[borders].mean() < 1.2 * steps[between & ~borders].mean()


def test_a_large_scan_is_encoded_whole_and_its_head_as_before():
    encoder, image = Pooling(), large_head()
    part, whole = encoder.encode(image), encoder.encode(image, cover="scan")
    start = np.linalg.solve(whole.affine, part.affine)[:3, 3]
    assert np.allclose(start, np.round(start), atol=1e-6)  # on the same lattice
    i, j, k = np.round(start).astype(int)
    inner = whole.mean[:, i : i + 6, j : j + 6, k : k + 6]
    assert np.allclose(inner, part.mean, atol=1e-4)
    painted = encoder.decode(whole).get_fdata()
    assert (painted[0, 0] > 0).any()  # beyond the training grid


def test_only_windows_of_the_training_grid_enter_the_network():
    encoder = small_encoder()
    seen = []
    network = encoder.vae.encode
    encoder.vae.encode = lambda x: seen.append(tuple(x.shape)) or network(x)
    encoder.encode(large_head(), cover="scan")
    assert set(seen) == {(1, 1, 24, 24, 24)}
    assert len(seen) > 8


def test_a_vector_model_says_that_it_cannot():
    encoder = small_encoder(latent="vector")
    with pytest.raises(UserError, match="one vector for its grid"):
        encoder.encode(large_head(), cover="scan")


def test_an_array_with_an_affine_is_a_scan():
    encoder, image = small_encoder(), head_image()
    data = np.asarray(image.dataobj)
    code = encoder.encode(data, affine=image.affine)
    assert np.allclose(code.mean, encoder.encode(image).mean)
    with pytest.raises(UserError, match="Give affine="):
        encoder.encode(data)
    with pytest.raises(UserError, match=r"4 x 4, got shape \(3, 3\)"):
        encoder.encode(data, affine=np.eye(3))


def test_harmonize_without_detail_is_encode_and_decode():
    encoder, image = small_encoder(), head_image()
    moved = encoder.harmonize(image, "B", detail=False)
    expected = encoder.decode(encoder.encode(image), site="B")
    assert np.array_equal(moved.get_fdata(), expected.get_fdata())
    assert isinstance(moved, nib.Nifti1Image)


def test_a_latent_says_what_made_it(tmp_path):
    path = tmp_path / "a.nii.gz"
    nib.save(head_image(), path)
    latent = small_encoder().encode(path)
    told = latent.provenance
    assert told["scan"] == "a.nii.gz"
    assert told["model_digest"] == "digest"
    assert len(told["scan_digest"]) == 64


def test_a_seed_gives_the_same_sample():
    latent = small_encoder().encode(head_image())
    assert np.array_equal(latent.sample(3), latent.sample(3))
    assert not np.array_equal(latent.sample(3), latent.sample(4))


def test_a_notebook_shows_a_latent():
    shown = small_encoder().encode(head_image())._repr_html_()
    assert "2 × 6 × 6 × 6" in shown
    assert "32 × 32 × 32" in shown  # mm
    assert shown.count("data:image/png") == 2
