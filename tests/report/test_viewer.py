"""The slice viewer: right voxels in the page, and a browser's keys move its planes."""

import asyncio
import base64
import io

import numpy as np
import pytest
from browser import in_browser, opened
from matplotlib.image import imread

from medvae.evaluation import Estimate, Evaluation
from medvae.evaluation.report import Picture, write_report
from medvae.report.viewer import MOST_VOXELS, viewer

SHAPE = (12, 16, 10)


def ramp():
    """Every voxel tells its place: bright to the front, a mark on the right."""
    x, y, z = np.indices(SHAPE)
    return (y / 16 * 0.9 + 0.3 * ((x == 9) & (z == 5))).astype(np.float32)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    volumes = {"as scanned": ramp(), "reconstructed": 0.5 * ramp()}
    slices = {name: volume[:, :, 5] for name, volume in volumes.items()}
    row = Picture("s1 at <b>", slices, volumes, (2.0, 1.0, 3.0))
    numbers = {"reconstruction": {"psnr_seen": Estimate(20.0, (19.0, 21.0), 9)}}
    return write_report(
        tmp_path_factory.mktemp("page") / "report.html",
        title="A page",
        evaluations={"run": Evaluation("run", (), numbers)},
        pictures=[row],
        findings=["One."],
    )


def test_the_mosaic_holds_every_voxel():
    shown = viewer({"a": ramp()}, (1, 1, 1))
    png = base64.b64decode(shown["sources"][0].partition(",")[2])
    sheet = imread(io.BytesIO(png)) * 1.3
    columns = shown["columns"]
    for k in (0, 3, 5, 9):
        row, column = divmod(k, columns)
        tile = sheet[row * 16 : row * 16 + 16, column * 12 : column * 12 + 12]
        assert np.allclose(tile.T, ramp()[:, :, k], atol=0.51 * 1.3 / 255)


def test_a_large_volume_is_halved_and_its_voxels_doubled():
    shown = viewer({"a": np.ones((120, 120, 121), np.float32)}, (1.0, 1.0, 1.5))
    assert shown["shape"] == [60, 60, 60]
    assert shown["spacing_mm"] == [2.0, 2.0, 3.0]


def test_the_volume_hardest_to_compress_takes_no_more_than_a_byte_a_voxel():
    shape = (108, 109, 110)  # just below the bound
    assert 0.99 * MOST_VOXELS < np.prod(shape) < MOST_VOXELS
    grain = np.random.default_rng(0).random(shape, np.float32)
    (source,) = viewer({"a": grain}, (1.0, 1.0, 1.0))["sources"]
    assert len(source) < 1.01 * MOST_VOXELS * 4 / 3  # base 64


def test_volumes_of_several_shapes_are_refused():
    with pytest.raises(ValueError, match="volumes of one shape"):
        viewer({"a": np.ones((2, 2, 2)), "b": np.ones((3, 2, 2))}, (1, 1, 1))


def test_the_page_is_one_file_with_its_text_escaped(page):
    text = page.read_text()
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "s1 at &lt;b&gt;" in text
    assert text.count('type="range"') == 3


PIXELS = (
    "Array.from(document.querySelector('canvas[data-plane={}]')"
    ".getContext('2d').getImageData(0, 0, 384, 384).data).reduce((a, b) => a + b)"
)
HAIR = (  # share of the plane that is not grey
    "(() => { const c = document.querySelector('canvas[data-plane=z]');"
    "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
    "let n = 0; for (let i = 0; i < d.length; i += 4) n += d[i] !== d[i + 1];"
    "return n / (c.width * c.height) })()"
)
READY = "document.querySelector('.viewer').dataset.ready === '{}'"


@in_browser
def test_keys_move_the_planes_and_change_the_image(page):
    async def visit():
        async with opened(page) as tab:
            await tab.wait(READY.format("as scanned"))
            mark = await tab.ask(
                "(() => { const c = document.querySelector('canvas[data-plane=z]');"
                "return Array.from(c.getContext('2d').getImageData("
                "(9 + .5) * c.width / 12, (15 - 3 + .5) * c.height / 16, 1, 1)"
                ".data) })()"
            )
            expected = (3 / 16 * 0.9 + 0.3) / 1.3 * 255
            assert mark[0] == pytest.approx(expected, abs=0.51)
            painted = await tab.ask(HAIR)
            assert 0 < painted < 0.01  # seen, and covers next to nothing
            for _ in range(40):  # reached by the tab key alone
                await tab.press("Tab", 9)
                if await tab.ask("document.activeElement.name === 'y'"):
                    break
            before = await tab.ask(PIXELS.format("y"))
            for _ in range(3):
                await tab.press("ArrowRight", 39)
            assert await tab.ask("document.activeElement.value") == "11"
            spoken = "document.activeElement.getAttribute('aria-valuetext')"
            assert await tab.ask(spoken) == "4 mm"
            assert await tab.ask(PIXELS.format("y")) > before  # brighter to the front
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert await tab.ask(outline) == "solid"
            await tab.ask("document.querySelector('.viewer select').focus()")
            await tab.press("ArrowDown", 40)
            await tab.wait(READY.format("reconstructed"))

    asyncio.run(visit())


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_s_width_holds_it_in_light_and_dark(page, dark):
    async def visit():
        async with opened(page, width=400, dark=dark) as tab:
            await tab.wait(READY.format("as scanned"))
            assert await tab.ask("document.documentElement.scrollWidth") <= 400
            widths = await tab.ask(
                "Array.from(document.querySelectorAll("
                "'.viewer :is(canvas, input, select)'))"
                ".map(e => e.getBoundingClientRect()).map(b => [b.left, b.right])"
            )
            assert all(left >= 0 and right <= 400 for left, right in widths)
            paper = await tab.ask("getComputedStyle(document.body).backgroundColor")
            light = sum(map(int, paper[4:-1].split(","))) > 380
            assert light is not dark

    asyncio.run(visit())
