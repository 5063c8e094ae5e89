"""The page on a fit: every promised section, nothing from outside, all text escaped."""

import base64
import html
import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from matplotlib.image import imread

sys.path.insert(0, str(Path(__file__).parents[1] / "volume"))
from page_outline import Outline
from simple_head import make_head

from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.noise.report import inputs_among, write_fit_report
from medvae.noise.report.examples import REACH_MM, box_mm, plane_mm
from medvae.noise.report.fields import percent_field
from medvae.noise.report.measures import measures
from noise_models.scanner import Goodness, Record, ScannerNoise, estimate_cached
from noise_models.scanner.contrasts import blur_mm
from noise_models.scanner.features import FEATURES
from noise_models.scanner.record import MeanSpectra
from noise_models.scanner.sites import summarise_site
from noise_models.scanner.summary import DRAWS
from noise_models.scanner.transfer import summarise_pair

SECTIONS = {
    "verdicts": "Evidence and verdicts",
    "differences": "What differs",
    "limits": "What is out of reach",
    "examples": "Real scans beside corrupted ones",
    "parameters": "Fitted parameters",
    "spectra": "Radial spectra",
    "fields": "Shading",
    "goodness": "Do corrupted scans of A pass for scans of B?",
    "warnings": "Warnings and outliers",
    "provenance": "Where this comes from",
}
HOSTILE = "<script>alert(1)<"  # no slash: it is a file's name, too
LABELS = ("<b>A$_{x", "B&B")


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Two heads a site, one of them with a name that would run."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("scans")
    found = []
    for label, noise in zip(LABELS, (0.02, 0.04), strict=True):
        for seed in (0, 1):
            subject = f"{HOSTILE}{seed}{len(found)}"
            path = folder / f"sub-{subject}_T1w.nii.gz"
            nib.save(make_head(spacing_mm=3.0, noise=noise, seed=seed).nifti(), path)
            found.append(Scan(path, subject, label))
    return found


@pytest.fixture(scope="module")
def noise(scans, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    estimates = [estimate_cached(s.path, str(s.path), s.site, cache) for s in scans]
    a, b = (
        replace(
            summarise_site(label, [e for e in estimates if e.site == label]),
            outliers=(f"{HOSTILE}: log_sigma 9.0 SD away",),
        )
        for label in LABELS
    )
    tried = Goodness(
        0.99,
        0.62,
        0.5,
        "pass",
        (9, 9),
        features=dict.fromkeys(FEATURES, (0.3, 1.0)) | {"head q95": (0.9, 0.01)},
        quantiles=dict.fromkeys(FEATURES, (tuple(range(11)),) * 3),
        spectra=MeanSpectra((0.1, 0.2), (0.0, -1.0), (-0.5, -1.0), (-0.4, -1.1)),
    )
    key = "->".join(LABELS)
    record = Record(
        pairs={key: summarise_pair(a, b)},
        goodness={key: tried},
        seed=7,
        versions={"torch": "0"},
        command=f"medvae fit-noise {HOSTILE} B",
        inputs={e.label: e.digest for e in estimates},
        warnings=(f"{HOSTILE} is small.",),
    )
    return ScannerNoise((a, b), record=record)


@pytest.fixture(scope="module")
def page(noise, scans, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    path = write_fit_report(folder / "a.html", noise, scans, cache=folder)
    return path.read_text(encoding="utf-8")


def section(page, name):
    return re.search(rf'<section id="{name}".*?</section>', page, re.S).group(0)


def test_every_promised_section_is_there_in_reading_order(page):
    found = re.findall(r'<section id="(\w+)".*?<h2[^>]*>(.*?)</h2>', page, re.S)
    assert found == list(SECTIONS.items())
    assert all(f'href="#{name}"' in page for name in SECTIONS)


def test_names_from_outside_never_become_markup(page):
    assert page.count("<script") == page.count("</script>") == 2  # the viewer's own
    assert "alert(1)<" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in section(page, "examples")
    assert "&lt;script&gt;" in section(page, "warnings")
    assert "&lt;script&gt;" in section(page, "provenance")
    assert "&lt;b&gt;A$_{x" in section(page, "differences")


def test_nothing_is_fetched_from_elsewhere(page):
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(a.startswith(("data:", "#")) for a in addresses)
    assert "url(" not in page


def test_tags_close_and_headings_skip_no_level(page):
    outline = Outline(page)
    assert outline.open == ["html"] or not [t for t in outline.open if t != "!doctype"]
    assert outline.headings[0] == 1
    assert max(np.diff(outline.headings)) <= 1
    assert all(image["alt"].strip() for image in outline.images)


def test_a_pair_is_shown_in_three_planes_beside_a_real_scan(page):
    images = Outline(section(page, "examples")).images
    assert len(images) == 9
    assert len({image["src"] for image in images}) == 9
    assert sum(f"{LABELS[0]} as {LABELS[1]}" in image["alt"] for image in images) == 3


def test_a_file_s_name_breaks_at_its_separators(page):
    assert re.search(r"<th scope=.col.>.*?, real: .*?\.<wbr>nii", page)


def test_what_a_draw_is_stands_beside_what_the_draws_add(page):
    assert DRAWS.split(";")[0] in html.unescape(section(page, "limits"))


def test_numbers_of_the_trial_are_on_the_page(page):
    found = section(page, "goodness")
    assert all(number in found for number in ("0.99", "0.62", "0.50"))
    assert f"1 of {len(FEATURES)} features differ" in found
    assert len(Outline(found).images) == len(FEATURES)
    assert "pass up to 0.65; warn up to 0.80" in found
    first = re.search(r'<figure class="differs"><figcaption>(.*?)<', found).group(1)
    assert first == "head, 95 % quantile"


def test_provenance_counts_the_inputs_and_lists_their_digests(page, noise):
    found = section(page, "provenance")
    assert "4 scans" in found
    assert all(digest in found for digest in noise.record.inputs.values())
    assert "<dd>7</dd>" in found
    assert "medvae fit-noise &lt;script&gt;" in found


def test_every_scan_has_its_own_point(page):
    assert "each scan's own value (4 of 4 scans)" in section(page, "parameters")


def test_without_scans_the_page_says_that_it_has_none(noise, tmp_path):
    text = write_fit_report(tmp_path / "a.html", noise).read_text()
    assert "No pictures: the page was made without the scans" in text
    assert "Each scan's own value is not shown" in text
    assert not Outline(section(text, "examples")).images


def test_a_fit_that_was_not_tried_makes_a_page(noise, tmp_path):
    bare = replace(noise, record=Record())
    text = write_fit_report(tmp_path / "a.html", bare).read_text()
    assert "there is no verdict" in text
    assert "keeps no spectra" in text
    assert "keeps no deciles" in text


def test_the_same_fit_makes_the_same_page(noise, page, scans, tmp_path):
    again = write_fit_report(tmp_path / "b.html", noise, scans, cache=tmp_path)
    assert again.read_text() == page


def test_scans_are_found_again_by_content(noise, scans, tmp_path):
    other = tmp_path / "other.nii.gz"
    nib.save(make_head(spacing_mm=3.0, noise=0.1, seed=5).nifti(), other)
    mixed = Cohort(tmp_path, "table", (Scan(other, "x", LABELS[0]), *scans[:3]))
    assert inputs_among(noise, mixed, Path("scanner.yaml")) == scans[:3]
    foreign = Cohort(tmp_path, "table", (Scan(other, "x", LABELS[0]),))
    with pytest.raises(UserError, match=r"none of its 1 scans .* among the 4 that"):
        inputs_among(noise, foreign, Path("scanner.yaml"))


def test_a_plane_shows_the_head_where_it_is():
    volume = np.zeros((40, 50, 30), np.float32)
    volume[10, 20, 25] = 1
    plane = plane_mm(volume, (2.0, 3.0, 4.0), (12.0, 18.0, 20.0), 1, 6.0)
    x, z = np.argwhere(plane == 1).mean(0)
    assert x + REACH_MM[0][0] == pytest.approx(-4.0, abs=1)
    assert z + REACH_MM[2][0] == pytest.approx(20.0, abs=2)
    assert not plane_mm(volume, (2.0, 3.0, 4.0), (12.0, 18.0, 20.0), 1, 300.0).any()


def test_the_ratio_of_a_site_over_itself_is_flat(noise):
    for plane in percent_field(noise.sites[0], noise.sites[0]):
        inside = plane[np.isfinite(plane)]
        assert inside.size > 1000
        assert np.abs(inside).max() == 0


def test_the_corrupted_scan_has_the_noise_of_its_target(page):
    images = {i["alt"]: i["src"] for i in Outline(section(page, "examples")).images}
    start = (
        f"{LABELS[0]}, real",
        f"{LABELS[0]} as {LABELS[1]}, ax",
        f"{LABELS[1]}, real",
    )
    shown = (next(v for alt, v in images.items() if alt.startswith(s)) for s in start)
    a, corrupted, b = (_air(_pixels(source)) for source in shown)
    assert corrupted.std() / b.std() == pytest.approx(1.0, rel=0.2)
    assert corrupted.mean() / b.mean() == pytest.approx(1.0, rel=0.2)
    assert b.mean() > 1.8 * a.mean()  # 0.04 against 0.02


def _air(pixels):
    """The corners, but for where there is no scan."""
    top, bottom, left, right = slice(30), slice(-30, None), slice(30), slice(-30, None)
    corners = [pixels[v, h] for v in (top, bottom) for h in (left, right)]
    return np.concatenate([corner[corner > 0] for corner in corners])


def _pixels(source):
    content = base64.b64decode(source.split(",", 1)[1])
    return imread(io.BytesIO(content), format="png")[..., 0]


def test_a_notebook_shows_the_fit_with_its_text_escaped(noise):
    shown = noise._repr_html_()
    assert "&lt;b&gt;A$_{x" in shown
    assert "<b>A" not in shown
    assert f"{noise.sites[0].scans}</td>" in shown
    assert any(verdict in shown for verdict in (": pass", ": warn", ": fail"))


def test_a_box_about_the_head_keeps_its_voxels_in_place():
    x = np.zeros((60, 70, 60), np.float32)
    x[40, 35, 30] = 1
    box = box_mm(x, (4.0, 3.0, 4.0), (30.0, 35.0, 30.0))
    places = np.argwhere(box) * 2.0 + [low for low, _ in REACH_MM]
    assert np.abs(places.mean(0) - (40, 0, 0)).max() <= 2


def test_numbers_go_by_the_names_that_readers_use(page):
    assert "noise 9.0 SD away" in section(page, "warnings")
    assert "log_sigma" not in page
    assert "fine detail along x" in section(page, "goodness")
    assert "corrupt(" not in page


def test_too_few_scans_are_not_said_to_agree(noise, tmp_path):
    (key,) = noise.record.goodness
    few = replace(
        noise.record.goodness[key],
        scans=(4, 4),
        verdict="not enough evidence",
        auc_after_ci95=(float("nan"),) * 2,
    )
    record = replace(noise.record, goodness={key: few})
    page = write_fit_report(tmp_path / "a.html", replace(noise, record=record))
    found = section(page.read_text(), "goodness")
    assert "4 and 4 scans are too few to test" in found
    assert "KS 0." not in found
    assert 'class="differs"' not in found
    assert "––" not in found


def test_blur_is_drawn_in_the_unit_of_the_sentences(noise):
    (blur,) = (m for m in measures(noise) if m.caption.startswith("Blur along y"))
    first, second = (blur.of_site(site).value for site in noise.sites)
    told = blur_mm(*noise.sites, 1).value
    assert max(first, second) == pytest.approx(abs(told))
    assert min(first, second) == 0
    assert "FWHM, mm" in blur.axis
