"""A scan harmonised to a site whose scans end within the head."""

import nibabel as nib
import numpy as np
import pytest
import torch
from small_encoder import Pooling

from medvae.evaluation.harmonising import harmonised
from medvae.volume import Grid, read_volume
from medvae.volume.foreground import foreground_mask
from medvae.volume.grid import head_centre_mm

MM = 4.0
END_MM = -16.0  # of B's scans, from the middle of the grid


class Noting(Pooling):
    """Notes what it is given to encode; paints B twice as bright as the code."""

    def __init__(self):
        super().__init__(grid_shape=(24, 24, 24), spacing_mm=(8.0, 8.0, 8.0))
        self.vae.field_of_view[1, 2, 0] = END_MM
        self.given = []

    def encode_batch(self, x):
        self.given.append(x.clone())
        return super().encode_batch(x)

    def decode_batch(self, z, site=None):
        return super().decode_batch(z, site) * (2 if site == "B" else 1)


@pytest.fixture(scope="module")
def scan():
    """A head on a long neck."""
    x, y, z = (np.indices((50, 50, 70)).T - (25, 25, 45)).T * MM
    body = (np.hypot(x, y) < 40) & (z < 0)
    body |= np.linalg.norm((x, y, z), axis=0) < 80
    voxels = 600 * body + np.random.default_rng(0).random(body.shape)
    return nib.Nifti1Image(voxels.astype(np.float32), np.diag([MM, MM, MM, 1]))


def heights(scan):
    """Of every slice above the place where B's scans end, mm."""
    volume = read_volume(scan)
    head = foreground_mask(volume.data, volume.spacing_mm)
    middle = head_centre_mm(volume.affine, head, 192.0)[2]
    return (
        (np.arange(volume.data.shape[2]) * MM + volume.affine[2, 3]) - middle - END_MM
    )


@pytest.mark.parametrize("cover", ["head", "scan"])
def test_the_code_is_made_of_what_the_site_would_show(scan, cover):
    encoder = Noting()
    encoder.harmonize(scan, "B", cover=cover)
    whole, *ended = encoder.given[-2:] if cover == "head" else encoder.given[-4:]
    # 24 voxels of 8 mm about the middle: B's scans end at 11.5 - 2 = 9.5.
    if cover == "head":
        assert (whole[0, 0, :, :, 9] != 0).any()
        assert not ended[0][0, 0, :, :, :10].any()
        torch.testing.assert_close(ended[0][..., 10:], whole[..., 10:])
    else:
        assert any(not part[..., :4].any() for part in ended)


@pytest.mark.parametrize("cover", ["head", "scan"])
def test_beyond_the_site_s_end_the_scan_stays_and_fades_into_the_image(scan, cover):
    before = scan.get_fdata()
    after = Noting().harmonize(scan, "B", cover=cover).get_fdata()
    above = heights(scan)
    change = np.abs(after - before)[20:30, 20:30]
    assert change[:, :, above < 0].max() == 0
    assert change[:, :, (above > 12) & (above < 60)].min() > 300
    near = change[:, :, (above > 0) & (above < 6)]
    assert 0 < near.max() < 300


def test_to_a_site_that_shows_all_of_it_one_code_does(scan):
    encoder = Noting()
    encoder.harmonize(scan, "A")
    assert len(encoder.given) == 1


def test_on_the_grid_the_protocol_does_the_same(scan):
    encoder = Noting()
    x = torch.rand(1, 1, *encoder.grid.shape) + 0.1
    y = harmonised(encoder, x, "B")
    assert isinstance(encoder.grid, Grid)
    assert torch.equal(y[..., :10], x[..., :10])
    assert not encoder.given[0][..., :10].any()
    assert (y[..., 12:-4] > 1.5 * x[..., 12:-4]).float().mean() > 0.5
