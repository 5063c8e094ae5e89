"""Left and right: the letters tell the truth of the affine, however a file lies."""

import asyncio

import nibabel as nib
import numpy as np
import pytest
import torch
from browser import in_browser, opened
from matplotlib.figure import Figure

from medvae.evaluation import Evaluation
from medvae.evaluation.pictures import draw_sheet, picture_of
from medvae.evaluation.report import write_report
from medvae.noise.scan import preview
from medvae.report.notebook import pictures
from medvae.volume import read_volume
from noise_models.none import Nothing

BRIGHT = 0.95  # between the ball and the blob
LYING = ("RAS", "LAS", "PIR")


@pytest.fixture(params=LYING)
def scan(request, tmp_path):
    """A ball with a bright blob in its right half, in front, on disk as it may lie."""
    world = 3.0 * (
        np.indices((40, 44, 36)) - np.array([20, 22, 18]).reshape(3, 1, 1, 1)
    )
    away = np.linalg.norm(world - np.array([15, 15, 0]).reshape(3, 1, 1, 1), axis=0)
    ball = 0.7 * (np.linalg.norm(world, axis=0) < 50) + 0.5 * (away < 22)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -60, -66, -54
    image = nib.Nifti1Image(ball.astype(np.float32), affine)
    codes = (nib.orientations.axcodes2ornt(c) for c in ("RAS", request.param))
    path = tmp_path / f"{request.param}.nii.gz"
    nib.save(image.as_reoriented(nib.orientations.ornt_transform(*codes)), path)
    assert nib.aff2axcodes(nib.load(path).affine) == tuple(request.param)
    return path


@pytest.fixture
def drawn(monkeypatch):
    """Figures in the order in which they were saved."""
    figures, save = [], Figure.savefig

    def keep(self, *words, **options):
        figures.append(self)
        save(self, *words, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def row_of(scan):
    volume = read_volume(scan)
    shown = torch.from_numpy(volume.data)[None, None]
    return picture_of(scan.stem, {"as scanned": shown}, volume.spacing_mm)


def bright_side(axes):
    """The letter that stands on the side of the blob."""
    (image,) = axes.images
    bright = np.nonzero(np.asarray(image.get_array()) > BRIGHT)[1].mean()
    pixel = axes.transData.transform([bright, 0])[0]
    place = axes.transAxes.inverted().transform([pixel, 0])[0]
    low, high = sorted(axes.texts, key=lambda text: text.get_position()[0])
    assert low.get_position()[0] < 0.5 < high.get_position()[0]
    return (low if place < 0.5 else high).get_text()


def test_a_preview_s_letters_stand_on_the_patient_s_sides(scan, drawn, tmp_path):
    preview(Nothing(), "none", scan, tmp_path / "p.png", seeds=[0])
    (figure,) = drawn
    found = [bright_side(axes) for axes in figure.axes]
    assert found == ["R"] * 4 + ["A"] * 2  # axial, coronal, sagittal; scan and draw
    assert "L, R: the patient's left and right." in figure.get_supxlabel()


def test_a_sheet_s_letters_stand_on_the_patient_s_sides(scan, drawn, tmp_path):
    draw_sheet(tmp_path / "sheet.png", [row_of(scan)])
    (figure,) = drawn
    assert [bright_side(axes) for axes in figure.axes] == ["R"]


BRIGHT_SIDES = """
  Array.from(document.querySelectorAll(".sided, figure:has(small)")).map(box => {
    const seen = box.querySelector("img, canvas");
    const sheet = document.createElement("canvas");
    const place = seen.getBoundingClientRect();
    [sheet.width, sheet.height] = [place.width, place.height];
    const pen = sheet.getContext("2d");
    pen.drawImage(seen, 0, 0, place.width, place.height);
    const data = pen.getImageData(0, 0, sheet.width, sheet.height).data;
    let sum = 0, count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (Math.min(data[i], data[i + 1], data[i + 2]) > LEVEL) {
        sum += (i / 4) % sheet.width; count++;
      }
    const bright = place.left + sum / count;
    const far = letter => {
      const b = letter.getBoundingClientRect();
      return Math.abs((b.left + b.right) / 2 - bright);
    };
    const letters = Array.from(box.querySelectorAll(".side, small"));
    return letters.sort((a, b) => far(a) - far(b))[0].textContent;
  })""".replace("LEVEL", str(round(255 * BRIGHT / 1.3)))


def sides_in_browser(page):
    async def visit():
        async with opened(page) as tab:
            await tab.wait(
                "Array.from(document.querySelectorAll('.viewer'))"
                ".every(v => 'ready' in v.dataset)"
            )
            return await tab.ask(BRIGHT_SIDES)

    return asyncio.run(visit())


@in_browser
@pytest.mark.parametrize("scan", ["LAS"], indirect=True)
def test_a_report_s_letters_stand_on_the_patient_s_sides(scan, tmp_path):
    numbers = {"run": Evaluation("run", (), {})}
    page = tmp_path / "report.html"
    write_report(page, title="t", evaluations=numbers, pictures=[row_of(scan)])
    assert sides_in_browser(page) == ["R", "R", "R", "A"]  # picture; viewer's planes
    assert "L, R: the patient&#39;s left and right." in page.read_text()


@in_browser
@pytest.mark.parametrize("scan", ["LAS"], indirect=True)
def test_a_notebook_s_letters_stand_on_the_patient_s_sides(scan, tmp_path):
    page = tmp_path / "cell.html"
    page.write_text(pictures({"channel 0": read_volume(scan).data}))
    assert sides_in_browser(page) == ["R"]
