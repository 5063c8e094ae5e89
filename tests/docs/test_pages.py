"""The site: every code block, every picture, every link."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pages import DOCS, blocks, follow

import noise_models
from medvae.phantom import make_phantom
from noise_models.presets import PRESETS

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from browser import in_browser, opened

ROOT = DOCS.parent
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory, own_cache):
    """An empty folder in which the tutorial was followed to its end."""
    folder = tmp_path_factory.mktemp("reader")
    space = follow("tutorial.md", folder)
    assert space["vectors"].shape[0] == 21
    assert (folder / "scanner.html").exists()
    assert 'type="range"' in (folder / "runs/scanner/report.html").read_text()
    assert len(list((folder / "as_nyu").glob("*.nii.gz"))) == 21
    return folder


def scans_of(world, site):
    return sorted((world / "my_scans").glob(f"sub-{site}*/**/*_T1w.nii.gz"))


@pytest.fixture(scope="module")
def supplied(world):
    """Data that the how-to pages take for granted, from the tutorial's phantom."""
    for site, name, first in (("NYU", "Guys", 100), ("KKI", "HH", 200)):
        for i, scan in enumerate(scans_of(world, site)):
            target = world / "IXI-T1" / f"IXI{first + i}-{name}-{800 + i:04d}-T1.nii.gz"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(scan, target)
    supply_harmony(world / "on-harmony", world / "travelers")
    return world


def supply_harmony(harmony, phantom):
    """Travelers under ON-Harmony's names, on voxels fine enough to register."""
    make_phantom(
        phantom, sites=("NYU", "UM_1"), subjects=0, travelers=3, voxel_scale=3.0
    )
    sessions = {"NYU": "OXF2PRI001", "UM1": "NOT1ACH001"}
    for scan in sorted(phantom.glob("sub-T*/**/*_T1w.nii.gz")):
        who, visit = re.match(r"sub-(\w+?)_ses-(\w+?)_", scan.name).groups()
        name = f"sub-{who}_ses-{sessions[visit]}"
        target = harmony / f"sub-{who}" / f"ses-{sessions[visit]}" / "anat"
        target.mkdir(parents=True)
        shutil.copy(scan, target / f"{name}_T1w.nii.gz")
    (harmony / "dataset_description.json").write_text(
        '{"Name": "x", "BIDSVersion": "1.10.0"}'
    )


PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in [*DOCS.glob("how-to/*.md"), *DOCS.glob("concepts/*.md")]
    if blocks(path.relative_to(DOCS))
)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_s_code_runs_as_written(page, supplied, monkeypatch, spare_registry):
    module = type(sys)("__page__")
    monkeypatch.setitem(sys.modules, "__page__", module)
    follow(page, supplied)


def test_ranks_of_the_cluster_page_encoded_every_scan_once(supplied):
    follow("how-to/slurm.md", supplied)
    codes = np.load(supplied / "cluster_codes" / "latents.npy")
    assert codes.shape[0] == 21
    whole = np.load(supplied / "codes" / "latents.npy")
    assert np.allclose(codes, whole, atol=1e-4)


def test_the_readme_s_encoder_example_runs_as_written(world, monkeypatch):
    shutil.copy(scans_of(world, "KKI")[0], world / "sub-01_T1w.nii.gz")
    (example,) = (
        block for block in blocks("../README.md") if "Encoder.load" in block.text
    )
    monkeypatch.chdir(world)
    space = {}
    exec(example.text, space)
    assert space["latent"].sample(0).shape == space["latent"].std.shape


def test_every_model_has_its_picture():
    page = (DOCS / "models.md").read_text()
    names = {path.stem for path in PRESETS.glob("*.yaml")}
    assert set(noise_models.names()) - {"scanner"} <= names
    for name in names:
        assert f"\n## {name}\n" in page
        preset = (PRESETS / f"{name}.yaml").read_text().strip()
        assert f"```yaml\n{preset}\n```" in page  # else make_pictures.py is due
        assert (DOCS / "pictures" / f"{name}.png").stat().st_size < 120_000


def test_tests_named_by_the_table_of_requests_exist():
    text = (DOCS / "requests.md").read_text()
    named = re.findall(r"`((?:tests|benchmarks)/[\w/.]+)(?:::(\w+))?`", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 12
    for row in rows:  # what holds it stands last
        assert re.search(r"`(tests|benchmarks)/", row.split("|")[-2]), row
    for file, name in named:
        path = ROOT / file
        assert path.exists(), file
        assert not name or f"def {name}(" in path.read_text(), name


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages; a warning is an error."""
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    out = tmp_path_factory.mktemp("site")
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", out]
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def test_the_site_s_reference_is_made_of_docstrings(site):
    page = (site / "api" / "encoding.html").read_text()
    assert "Encoder.load" in page or "encoder.Encoder.load" in page


def test_no_page_fetches_anything_from_elsewhere(site):
    for path in site.rglob("*.html"):
        page = path.read_text()
        loading = re.findall(r"<(?:script|img|iframe|link)\b[^>]*>", page)
        loading = [tag for tag in loading if 'rel="canonical"' not in tag]
        assert not [tag for tag in loading if re.search(r"=[\"']?(https?:)?//", tag)]


def test_words_of_reports_are_explained_where_they_stand(site):
    page = (site / "generalisation.html").read_text()
    for word in ("ICC", "AUC", "posterior"):
        assert re.search(rf'<abbr title="[A-Z][^"]+">{word}</abbr>', page), word
    glossary = (site / "words.html").read_text()
    assert "<abbr" not in glossary
    assert 'id="dispersion"' in glossary


@in_browser
def test_the_search_works_from_a_folder_without_server_and_network(site):
    hits = "document.querySelectorAll('.md-search-result__item').length"

    async def search():
        async with opened(site / "index.html") as page:
            await page.ask("document.querySelector('.md-search__input').focus()")
            await page.send("Input.insertText", text="traveler")
            await page.wait(f"{hits} > 0")
            return await page.ask(
                "document.querySelector('.md-search-result__link').href"
            )

    assert asyncio.run(search()).startswith(site.as_uri())


def test_every_shell_block_is_one_that_is_run():
    for path in DOCS.rglob("*.md"):
        for block in blocks(path.relative_to(DOCS)):
            assert block.language in ("bash", "python", "yaml", "csv"), (
                path,
                block.language,
            )
