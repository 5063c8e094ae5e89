"""Corrupted scans end where those of the target end."""

from dataclasses import replace
from math import ceil, floor

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from simulated_head import SHARP, STEP
from simulated_head import scan as simulated

from medvae.noise.scan import corrupt_scan
from medvae.volume.foreground import foreground_mask
from medvae.volume.grid import Grid, place_on_head
from noise_models.chain import Chain
from noise_models.none import Nothing
from noise_models.scanner import estimate_scan, load_scanner, save_scanner
from noise_models.scanner.artefact import content_digest
from noise_models.scanner.common_grid import features_of, specimen, spectrum_of
from noise_models.scanner.contrasts import earlier_mm
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.fields import head_centres
from noise_models.scanner.head import find_head
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.summary import describe_pair

SHAPE = (40, 40, 50)
SPACING = (4.0, 4.0, 4.0)
MIDDLE = (19.5, 19.5, 30.0)


def scan(short: float = 0.0, shift: float = 0.0) -> ScanEstimate:
    """Its head centre 30.5 voxels above the lower face, or ``short`` mm less."""
    values = tuple({**dict.fromkeys(NAMES, 0.0), "log_sigma": -9.0}.values())
    lost = round(short / 4)
    centre = (19.5, 19.5, 30.0 - lost + shift / 4)
    shape = (40, 40, 50 - lost)
    return ScanEstimate(values, SPACING, 1.0, "air", shape=shape, centre_voxels=centre)


def sites(short_a: float = 0.0, short_b: float = 80.0):
    shifts = (-6.0, -2.0, 0.0, 2.0, 6.0)
    return tuple(
        summarise_site(label, [scan(short, shift) for shift in shifts])
        for label, short in (("A", short_a), ("B", short_b))
    )


def corrupted(noise: ScannerNoise, x: torch.Tensor, origin, seed=0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return noise(x, rng=rng, spacing_mm=SPACING, source=[origin] * len(x))


def lowest(y: torch.Tensor) -> list[int]:
    """The first plane of each volume that is not empty, from below."""
    planes = (y != 0).flatten(1, 3).any(1) if y.ndim == 4 else (y != 0).any(3).any(2)
    return [int(torch.nonzero(p)[0]) for p in planes[:, 0]]


def test_a_site_is_described_by_where_its_scans_end_from_the_head_s_centre():
    a, b = sites()
    assert a.field_of_view_mm == ((-80, 80), (-80, 80), (-122, 78))
    assert b.field_of_view_mm == ((-80, 80), (-80, 80), (-42, 78))
    assert a.placing_sd_mm == pytest.approx((0, 0, 1.2533 * 3.2))


def test_volumes_of_two_sizes_are_no_spread_of_heads():
    two = summarise_site("A", [scan(short) for short in (0.0, 60.0) * 4])
    assert two.placing_sd_mm == (0, 0, 0)


def test_corrupted_scans_end_where_the_target_s_do_as_heads_lie_in_them():
    noise = ScannerNoise(sites(), source="A", target="B")
    x = torch.ones(200, 1, *SHAPE)
    planes = torch.tensor(lowest(corrupted(noise, x, scan()))).double()
    # 42 mm below the centre is at 30 - 10.5, give or take 3 mm; the next is the first.
    assert planes.mean().item() == pytest.approx(20, abs=0.15)
    assert 0.4 < planes.std().item() < 1.2


def test_what_lies_beyond_is_zero_and_the_rest_is_as_without_the_end():
    few = [replace(site, placing_sd_mm=(0, 0, 0)) for site in sites()]
    x = torch.ones(1, 1, *SHAPE)
    y = corrupted(ScannerNoise(tuple(few), target="B"), x, scan())
    assert torch.equal(y[..., :19], torch.zeros_like(y[..., :19]))
    open_ended = [replace(s, field_of_view_mm=((-1e4, 1e4),) * 3) for s in few]
    z = corrupted(ScannerNoise(tuple(open_ended), target="B"), x, scan())
    assert torch.equal(y[..., 21:], z[..., 21:])
    assert z[..., :19].min() > 0.9


def test_on_a_training_grid_the_middle_lies_5_mm_below_the_head_s_centre():
    few = [replace(site, placing_sd_mm=(0, 0, 0)) for site in sites()]
    noise = ScannerNoise(tuple(few), target="B")
    y = corrupted(noise, torch.ones(1, 1, 40, 40, 40), scan())
    # The centre is at voxel 19.5 + 5 / 4, B's end 42 mm below, at 10.25.
    assert lowest(y) == [11]


def test_the_last_plane_has_the_noise_of_any_other():
    loud = [
        replace(s, placing_sd_mm=(0, 0, 0), mean=(-3.0, *s.mean[1:])) for s in sites()
    ]
    y = corrupted(
        ScannerNoise(tuple(loud), target="B"), torch.ones(1, 1, 40, 40, 40), scan()
    )
    first = y[0, 0, :, :, 11]
    assert first.std() == pytest.approx(y[0, 0, :, :, 25].std().item(), rel=0.1)


def test_a_scan_that_ends_before_the_target_s_is_not_made_up():
    noise = ScannerNoise(sites(80.0, 0.0), target="B")
    x = torch.ones(1, 1, 40, 40, 30)
    assert corrupted(noise, x, scan(80.0)).min() > 0.9


def test_a_wider_spread_does_not_end_scans_within_the_brain():
    few = tuple(replace(site, placing_sd_mm=(0, 0, 0)) for site in sites())
    x = torch.ones(1, 1, *SHAPE)
    ends = [
        lowest(corrupted(ScannerNoise(few, target="B", dispersion=d), x, scan()))[0]
        for d in (0.0, 0.5, 1.0, 2.0)
    ]
    assert ends == [10, 15, 20, 20]


def test_the_file_keeps_the_field_of_view(tmp_path):
    noise = ScannerNoise(sites())
    save_scanner(noise, tmp_path / "scanner.yaml")
    for read, made in zip(
        load_scanner(tmp_path / "scanner.yaml").sites, noise.sites, strict=True
    ):
        assert read.field_of_view_mm == made.field_of_view_mm
        assert read.placing_sd_mm == pytest.approx(made.placing_sd_mm)


@pytest.fixture
def changed(tmp_path):
    """Write a file whose first site has other fields."""
    path = tmp_path / "scanner.yaml"
    save_scanner(ScannerNoise(sites()), path)
    content = yaml.safe_load(path.read_text())

    def write(**fields):
        for key, value in fields.items():
            content["sites"]["A"][key] = value
            if value is None:
                del content["sites"]["A"][key]
        content["digest"] = content_digest(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return path

    return write


def test_a_file_of_before_has_none_and_ends_nothing(changed):
    path = changed(field_of_view_mm=None, placing_sd_mm=None)
    noise = load_scanner(path, target="A")
    assert corrupted(noise, torch.ones(1, 1, *SHAPE), scan()).min() > 0.9


def test_faces_the_wrong_way_round_are_refused(changed):
    path = changed(field_of_view_mm=[[-80, 80], [80, -80], [-10, 10]])
    with pytest.raises(ValueError, match=r"lower face of each axis first"):
        load_scanner(path)


def test_the_summary_says_what_no_corruption_makes_up():
    a, b = sites()
    said = "Scans of B show less of the head than those of A: they end earlier by 80 mm"
    assert said in describe_pair(a, b)
    assert said in describe_pair(b, a)
    assert "show less of the head" not in describe_pair(a, a)


def test_air_above_the_vertex_is_no_head_that_a_scan_does_not_show():
    a, b = sites(0.0, 0.0)
    high = (*a.field_of_view_mm[:2], (-122.0, 140.0))
    # The vertex is 85 mm above the centre, B's end 78.
    lacks = earlier_mm(replace(a, field_of_view_mm=high), b)["at the top"]
    assert lacks.value == pytest.approx(7)


def test_features_are_of_what_is_shown_as_those_of_a_scan_that_ends_there():
    volume, step = simulated(0, SHARP), STEP
    short = np.ascontiguousarray(volume[8:-6, :, 20:])
    one = specimen((short, step), estimate_scan(short, step), "p")
    padded = np.zeros(volume.shape, np.float32)
    padded[8:-6, :, 20:] = one.volume
    x, y, z = one.origin.centre_voxels
    origin = replace(one.origin, centre_voxels=(x + 8, y, z + 20))
    whole = replace(one, volume=volume, origin=origin)
    assert features_of(padded, whole) == pytest.approx(one.features, abs=1e-4)
    assert spectrum_of(padded, whole) == pytest.approx(one.spectrum, abs=1e-4)


@pytest.mark.parametrize("kept", ["zeroed air", "empty planes"])
def test_an_untouched_scan_has_its_own_features(kept):
    volume = simulated(0, SHARP)
    if kept == "zeroed air":
        volume[~foreground_mask(volume, STEP)] = 0
    else:
        volume = np.pad(volume, ((12, 12), (0, 0), (0, 16)))
    one = specimen((volume, STEP), estimate_scan(volume, STEP), "p")
    assert features_of(one.volume, one) == pytest.approx(one.features)
    assert spectrum_of(one.volume, one) == pytest.approx(one.spectrum)


def high_head():
    """A head on a neck, its vertex 20 mm below the top of a volume 260 mm high."""
    x, y, z = (np.indices((50, 50, 65)).T - (25, 25, 38)).T * 4.0
    body = (np.hypot(x, y) < 45) & (z < 0)
    body |= np.linalg.norm((x, y, z), axis=0) < 85
    air = np.random.default_rng(0).random(body.shape)
    return (600 * body + 5 * air + 1).astype(np.float32)


@pytest.mark.parametrize("planes", [48, 32, 24])
def test_a_training_grid_of_any_height_is_known_to_lie_on_the_head_as_it_does(planes):
    volume, grid = high_head(), Grid((48, 56, planes), SPACING)
    affine = np.diag([*SPACING, 1.0])
    placement = place_on_head(affine, foreground_mask(volume, SPACING), grid)
    here = [*find_head(volume, SPACING).centre_voxels, 1.0]
    wanted = (np.linalg.inv(placement.matrix) @ here)[:3]
    params = ScannerNoise(sites()).draw(1, torch.Generator())
    found = head_centres(torch.ones(1, 1, *grid.shape), params, SPACING)[0]
    # A block of 4 mm is as well as either finds the vertex.
    assert found.numpy() == pytest.approx(wanted, abs=1.0)


@pytest.mark.parametrize("chained", [False, True])
def test_a_scan_of_a_known_site_alone_ends_about_its_own_head(tmp_path, chained):
    volume = high_head()
    nib.save(nib.Nifti1Image(volume, np.diag([*SPACING, 1.0])), tmp_path / "a.nii")
    few = [replace(site, placing_sd_mm=(0, 0, 0)) for site in sites()]
    noise = ScannerNoise(tuple(few), source="A", target="B")
    chosen = Chain([Nothing(), noise]) if chained else noise
    _, image = corrupt_scan(chosen, tmp_path / "a.nii")
    shown = np.flatnonzero(np.asarray(image.dataobj).any((0, 1)))
    centre = find_head(volume, SPACING).centre_voxels[2]
    # 42 mm below the centre and 78 above; planes whose middle is inside are seen.
    assert shown[[0, -1]].tolist() == [ceil(centre - 10.5), floor(centre + 19.5)]
