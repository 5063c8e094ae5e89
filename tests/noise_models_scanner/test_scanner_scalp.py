"""Fat near the surface answers by its own ratio; the brain by the curve."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from noise_models.scalp import scalp_share
from noise_models.scanner.estimate import NAMES, ScanEstimate
from noise_models.scanner.flags import STRIPPED
from noise_models.scanner.model import ScannerNoise
from noise_models.scanner.response import Response
from noise_models.scanner.sites import summarise_site

STEP = (4.0, 4.0, 4.0)


def scan(fat: float, changes: dict[str, float] | None = None, **more) -> ScanEstimate:
    """Of a scanner without noise, blur or shading; grey matter at .7, CSF at .35."""
    values = dict.fromkeys(NAMES, 0.0) | {"log_sigma": -9.0}
    values["logit_gm_over_wm"] = float(np.log(0.7 / 0.3))
    values["log_upper_excess"] = float(np.log(fat - 1))
    values |= changes or {}
    return ScanEstimate(tuple(values.values()), STEP, 1.0, "air", **more)


def noise(fat_a: float, fat_b: float, **more) -> ScannerNoise:
    fats = {"A": fat_a, "B": fat_b}
    sites = [summarise_site(k, [scan(v, **more)] * 4) for k, v in fats.items()]
    return ScannerNoise(tuple(sites), source="A", target="B")


@pytest.fixture
def head():
    """A ball: 8 mm of fat, 12 mm of bone, and a grey and white inside."""
    at = torch.arange(64) - 31.5
    x, y, z = torch.meshgrid(at, at, at, indexing="ij")
    depth = 96 - 4 * (x**2 + y**2 + z**2).sqrt()
    image = torch.where(x > 0, 1.0, 0.7)
    image[depth < 20] = 0.02
    image[depth < 8] = 1.3
    image[depth < 0] = 0
    return image[None, None], depth[None, None]


def corrupted(model: ScannerNoise, x: torch.Tensor) -> torch.Tensor:
    return model(x, rng=torch.Generator().manual_seed(0), spacing_mm=STEP)


def test_fat_fades_and_the_brain_stays(head):
    x, depth = head
    y = corrupted(noise(1.3, 1.05), x)
    fat = (y / x)[(depth > 0) & (depth < 2)]
    assert fat.mean().item() == pytest.approx(1.05 / 1.3, abs=0.03)
    inner = depth > 32
    assert torch.allclose(y[inner], x[inner], atol=0.005)


def test_a_voxel_half_of_fat_fades_as_fat_does_not_as_tissue(head):
    x, depth = head
    half = (depth > 4) & (depth < 6)  # with bone, under the skin
    x = torch.where(half, x / 2, x)  # .65: the curve would leave it alone
    y = corrupted(noise(1.3, 1.05), x)
    share = scalp_share(x, STEP)[half].mean().item()
    assert share > 0.5
    expected = 1 - share * (1 - 1.05 / 1.3)
    assert (y / x)[half].mean().item() == pytest.approx(expected, abs=0.03)


def test_skin_that_shares_its_voxel_with_air_does_not_fade_as_fat_does(head):
    x, depth = head
    outermost = (depth > 0) & (depth < 2)
    x = torch.where(outermost, 0.3, x)  # grey matter is .7, skin .56
    y = corrupted(noise(1.3, 1.05), x)
    assert (y / x)[outermost].mean().item() == pytest.approx(1, abs=0.05)


def test_skin_shines_where_grey_matter_does(head):
    x, depth = head
    outermost = (depth > 0) & (depth < 2)
    x = torch.where(outermost, 0.3, x)
    brighter = {"logit_gm_over_wm": float(np.log(0.85 / 0.15))}
    a, b = (
        summarise_site(k, [scan(1.3, more)] * 4)
        for k, more in (("A", {}), ("B", brighter))
    )
    y = corrupted(ScannerNoise((a, b), source="A", target="B"), x)
    inner = (depth > 32) & (x < 0.71)  # grey matter
    gain = (y / x)[inner].mean().item()
    assert gain == pytest.approx(0.85 / 0.7, abs=0.02)
    assert (y / x)[outermost].mean().item() == pytest.approx(gain, abs=0.08)


def test_noise_in_the_scalp_is_scaled_with_it(head):
    x, depth = head
    model = noise(1.3, 1.05)
    loud = x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    own = replace(scan(1.3), values=(np.log(0.02), *scan(1.3).values[1:]))
    change = [
        model(v, rng=torch.Generator().manual_seed(0), spacing_mm=STEP, source=[own])
        for v in (x, loud)
    ]
    fat = (depth > 0) & (depth < 2)
    left = (change[1] - change[0])[fat].std() / (loud - x)[fat].std()
    # Of two tissues, skin at .56 of both sites and fat: the slope between them.
    assert left.item() == pytest.approx((1.05 - 0.56) / (1.3 - 0.56), abs=0.05)


@pytest.mark.parametrize("told_by", ["the scan", "the site", "most sites"])
def test_a_brain_without_a_skull_has_no_scalp(head, told_by):
    x, depth = head
    brain = torch.where(depth < 20, 0.0, x)
    bare = noise(1.3, 1.05, flags=(STRIPPED,))
    rng = torch.Generator().manual_seed(0)
    if told_by == "the scan":
        told = {"source": [scan(1.3, flags=(STRIPPED,))]}
        y = noise(1.3, 1.05)(brain, rng=rng, spacing_mm=STEP, **told)
    elif told_by == "the site":
        y = bare(brain, rng=rng, spacing_mm=STEP)
    else:
        y = replace(bare, source=None)(brain, rng=rng, spacing_mm=STEP)
    assert torch.allclose(y, brain, atol=0.02)


def test_the_slope_is_that_of_the_response(head):
    x, _ = head
    model = noise(1.3, 1.05)
    params = model.draw(1, torch.Generator().manual_seed(0))
    response = Response.of(params, x, STEP)
    where = torch.linspace(0.0, 1.6, x.numel()).view(1, -1)  # every place another value
    here = slice(0, 1), slice(0, x.numel())
    step = 1e-3
    rise = response.at(where + step, *here) - response.at(where - step, *here)
    off = (rise / (2 * step) - response.slope_at(where, *here)).abs()
    assert off.median() < 1e-3
    assert (off > 0.01).float().mean() < 0.01  # at the kinks alone
