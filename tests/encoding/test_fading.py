"""A harmonised image fades into its scan in air, and where its grid ends."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from small_encoder import config

from medvae.encoding import Encoder
from medvae.encoding.fading import FADE_MM, share_of_image
from medvae.model.network import DenoisingVAE
from medvae.volume import Grid, read_volume
from medvae.volume.foreground import foreground_mask
from medvae.volume.grid import place_on_head

MM = 4.0
RADIUS_MM = 60.0


class Brighter(Encoder):
    """Paints every voxel, air too, brighter for B than for any other site."""

    def __init__(self, by):
        super().__init__(DenoisingVAE(config()))
        self.by = by

    def paint(self, latent, site=None):
        return np.full(latent.placement.grid.shape, self.by * (site == "B"), np.float32)


@pytest.fixture(scope="module")
def scan():
    """A long neck below a head, in the magnitude noise of air."""
    x, y, z = (np.indices((50, 50, 70)).T - (25, 25, 50)).T * MM
    body = np.hypot(x, y) < RADIUS_MM / 2
    body = (body & (z < 0)) | (np.linalg.norm((x, y, z), axis=0) < RADIUS_MM)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 12, (2, *body.shape))
    voxels = np.hypot(600 * body + noise[0], noise[1]).astype(np.float32)
    return nib.Nifti1Image(voxels, np.diag([MM, MM, MM, 1]))


def harmonised(scan, by):
    encoder = Brighter(by)
    placement = encoder.encode(scan).placement
    volume, image = read_volume(scan), read_volume(encoder.harmonize(scan, "B"))
    head = foreground_mask(volume.data, volume.spacing_mm)
    return volume.data, image.data, head, placement


def test_no_step_runs_through_the_neck_where_the_grid_ends(scan):
    before, after, head, placement = harmonised(scan, 0.1)
    face = placement.grid_affine[2, 3] - placement.grid.spacing_mm[2] / 2
    first = int(np.ceil(face / MM))  # the first slice inside the grid
    both = head[:, :, first - 1] & head[:, :, first]
    noise = np.diff(before, axis=2)[:, :, first - 1][both].std()
    change = (after - before)[:, :, first][both]
    assert np.array_equal(before[:, :, :first], after[:, :, :first])
    assert both.sum() > 50
    assert 0 < change.max() < noise


@pytest.mark.parametrize("by", [-0.3, 0.3])
def test_air_keeps_its_own_noise(scan, by):
    before, after, head, _ = harmonised(scan, by)
    depth = ndimage.distance_transform_edt(~head) * MM
    assert np.array_equal(before[depth > 3 * FADE_MM], after[depth > 3 * FADE_MM])
    assert (after[~head] == 0).mean() == (before[~head] == 0).mean() == 0


def test_a_background_that_was_cut_away_stays_zero(scan):
    voxels = scan.get_fdata(dtype=np.float32)
    cut = nib.Nifti1Image(np.where(voxels > 100, voxels, 0), scan.affine)
    before, after, head, _ = harmonised(cut, 0.3)
    assert np.array_equal(before[~head] == 0, after[~head] == 0)
    assert (after > before)[head].any()


def test_inside_of_the_head_the_change_is_whole(scan):
    before, after, head, placement = harmonised(scan, 0.3)
    reference = Brighter(0.3).encode(scan).reference
    brighter = np.full(placement.grid.shape, 0.3)
    want = before + placement.to_native(brighter) * np.float32(reference)
    inside = head.copy()
    inside[:, :, :25] = False  # beyond the grid, or near its lower face
    np.testing.assert_allclose(after[inside], want[inside], rtol=1e-6)
    assert inside.sum() > 0.7 * head.sum()


def test_where_the_head_ends_before_a_face_all_of_it_is_changed():
    head = np.zeros((30, 30, 40), dtype=bool)
    head[8:22, 8:22, 10:29] = True
    affine = np.diag([MM, MM, MM, 1])
    grid = Grid((20, 20, 20), (MM, MM, MM))
    for gap in (0.6, 2.0, 7.0):  # of the head to the upper face, in mm
        placement = place_on_head(affine, head, grid)
        moved = placement.grid_affine.copy()
        moved[2, 3] = (28 - 19) * MM + gap - MM / 2
        placement = type(placement)(grid, moved, head.shape, affine)
        share = share_of_image(head, placement)
        assert (share[head] == 1).all()
        assert share[:, :, 31:].max() == 0
