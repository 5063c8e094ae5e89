"""Names from outside lead nowhere, run nowhere and reach no terminal as they are."""

import io
import json
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
from bad_input import command
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scan_bytes import head, scan, written

from medvae.cli import console
from medvae.cohort import read_cohort
from medvae.comparison.plan import load_plan
from medvae.comparison.report import write_comparison_report
from medvae.comparison.run import no_bar, open_data, run_comparison
from medvae.comparison.stage import Stage, open_store
from medvae.comparison.unit import Unit
from medvae.encoding.names import check_outputs, stems
from medvae.errors import UserError
from medvae.evaluation import evaluate
from medvae.evaluation.pictures import draw_sheet
from medvae.evaluation.report import Picture, write_report
from medvae.plain import one_line, plain

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from fake_cohort import FakeEncoder, fake_cohort

NAMES = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=12)


@given(st.lists(st.lists(NAMES, min_size=1, max_size=4), min_size=1, max_size=5))
def test_names_of_outputs_lead_nowhere_else(parts):
    paths = [Path("/", *words, "x.nii") for words in parts]
    try:
        names = stems(paths)
    except UserError:
        return  # two paths are one
    assert all("/" not in name and name not in {"", ".", ".."} for name in names)
    assert len(set(names)) == len(paths)


def test_an_output_never_replaces_a_scan_behind_a_link(tmp_path):
    written(scan(), "real/a.nii")(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UserError, match="would be overwritten"):
        check_outputs(tmp_path / "link", ["a.nii"], [tmp_path / "real" / "a.nii"])


def test_what_is_written_is_never_read_as_a_scan(
    run_folder, tmp_path, monkeypatch, capsys
):
    for site in "AB":
        written(scan(head() + ord(site)), f"data/{site}/{site}_T1w.nii")(tmp_path)
    data = tmp_path / "data"
    for words in (["encode", run_folder, data], ["harmonize", run_folder, data]):
        more = ["--to", "A"] if words[0] == "harmonize" else []
        for out in (data, data / "out", data / "A" / "x", tmp_path / "a/../data/o"):
            assert command(monkeypatch, [*words, *more, "-o", out]) == 2
            assert "taken for scans the next time" in capsys.readouterr().err
        out = data / "derivatives" / words[0]
        for _ in range(2):
            assert command(monkeypatch, [*words, *more, "-o", out, "--jobs", "0"]) == 0
            assert len((out / "index.tsv").read_text().splitlines()) == 1 + 2


COMPOSED, APART = (
    "Jos\N{LATIN SMALL LETTER E WITH ACUTE}",
    "Jose\N{COMBINING ACUTE ACCENT}",
)


def test_one_person_spelt_in_two_ways_is_in_one_split(tmp_path, monkeypatch, capsys):
    rows = f"a.nii,{COMPOSED},A,train\nb.nii,{APART},B,test\n"
    (tmp_path / "scans.csv").write_text("path,subject,site,split\n" + rows)
    for name in ("a.nii", "b.nii"):
        written(scan(head() + ord(name[0])), name)(tmp_path)
    assert command(monkeypatch, ["cohort", tmp_path / "scans.csv"]) == 2
    assert "is in splits test, train" in capsys.readouterr().err


def test_one_site_spelt_in_two_ways_is_one(tmp_path):
    for i, site in enumerate((COMPOSED, APART)):
        written(scan(head() + i), f"{site}/{i}_T1w.nii")(tmp_path)
    found = read_cohort(tmp_path)
    assert found.sites == (COMPOSED,)
    assert found.subjects == ("0_T1w", "1_T1w")


def test_sites_that_differ_by_case_are_warned_of(tmp_path, monkeypatch, capsys):
    for i, site in enumerate(("NYU", "nyu")):
        written(scan(head() + i), f"{site}/{i}_T1w.nii")(tmp_path)
    assert command(monkeypatch, ["cohort", tmp_path]) == 0
    assert "sites 'NYU', 'nyu' are written alike" in capsys.readouterr().err


FORGING = st.text(st.sampled_from("a \n\r\x1b\x85\u2028[]\\"), max_size=20) | NAMES


@given(FORGING)
def test_what_is_printed_holds_no_control_character(text):
    assert one_line(text).isprintable()
    assert plain(text).isprintable()


PRINTED = {
    "say": lambda name: console.say(f"a {name}"),
    "warn": lambda name: console.warn(f"a {name}"),
    "fail": lambda name: console.fail(f"a {name}"),
    "a row": lambda name: console.show_table(["site"], [[f"a {name}"]]),
    "progress": lambda name: console._plain("a")(1, 1, name),
}


@pytest.mark.parametrize("how", PRINTED)
@given(name=FORGING)
def test_a_name_forges_no_line_of_the_terminal(how, name):
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for stream in ("out", "err"):
            patch.setattr(console, stream, Console(file=shown, width=999))
        PRINTED[how](name)
    head = ["site"] if how == "a row" else []
    lines = shown.getvalue().rstrip("\n").splitlines()
    assert [line.strip() for line in lines[:-1]] == head
    assert lines[-1].isprintable()


@pytest.mark.parametrize("name", [r"\[/]", r"\[red]x", "[/]", r"\\[/b]", "a\\", "[["])
def test_a_name_like_markup_is_shown_as_it_is(name):
    shown = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "out", Console(file=shown, width=999))
        console.show_table(["site", "scans"], [[name, 3]])
    assert shown.getvalue().splitlines()[-1].split() == [name, "3"]


VIEWER = (files("medvae.report") / "viewer.js").read_text(encoding="utf-8")
SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'


class Scripts(HTMLParser):
    """What a browser would run of a page."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.run = None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = dict(attrs) if tag == "script" else None

    def handle_data(self, data):
        if self.inside is not None and self.inside.get("type") != "application/json":
            self.run.append(data)

    def handle_endtag(self, tag):
        self.inside = None


def test_a_script_in_a_page_is_found():
    page = f"<p>a</p>{SCRIPT}<script type='application/json'>[1]</script><p>b</p>"
    assert Scripts(page).run == ["alert(1)"]


def assert_harmless(page):
    text = page.read_text(encoding="utf-8")
    assert set(Scripts(text).run) <= {VIEWER}
    assert SCRIPT not in text.casefold()
    assert "<img src=x" not in text.casefold()
    assert "&lt;script&gt;" in text


def test_a_report_shows_a_script_as_text(tmp_path):
    scans = fake_cohort()
    for scan_ in scans:
        scan_.subject = f"{SCRIPT}{scan_.subject}"
        scan_.site = f"{IMAGE}{scan_.site}" if scan_.site == "N" else scan_.site
    found = evaluate(
        FakeEncoder(),
        scans,
        held_out=[f"{IMAGE}N"],
        permutations=5,
        align=False,
        run=SCRIPT,
    )
    picture = Picture(f"{SCRIPT} at {IMAGE}", {"input": head()[10]})
    page = write_report(
        tmp_path / "r.html",
        title=SCRIPT,
        evaluations={SCRIPT: found},
        noise={SCRIPT: IMAGE},
        pictures=[picture],
    )
    assert_harmless(page)


FORMULA = "$x^$"  # which matplotlib cannot set


def test_a_name_like_a_formula_stops_no_picture(tmp_path, monkeypatch, recwarn):
    scans = fake_cohort()
    for scan_ in scans:
        scan_.site = f"{FORMULA}{scan_.site}"
    away = f"{FORMULA}N"
    found = evaluate(
        FakeEncoder(), scans, held_out=[away], permutations=5, align=False, run=FORMULA
    )
    arms = {FORMULA: found, "\N{CJK UNIFIED IDEOGRAPH-65E5}": found}
    write_report(
        *(tmp_path / "r.html",), title="t", evaluations=arms, noise=dict.fromkeys(arms)
    )
    rows = [Picture(f"1 at {FORMULA}", {f"as {FORMULA}": head()[:, :, 10]})]
    draw_sheet(tmp_path / "sheet.png", rows)
    written(scan(), f"{FORMULA}_T1w.nii")(tmp_path)
    words = ("noise", "preview", "gaussian", tmp_path / f"{FORMULA}_T1w.nii")
    assert command(monkeypatch, [*words, "-o", tmp_path / "p.png"]) == 0
    assert not [told for told in recwarn if "Glyph" in str(told.message)]


PLAN = f"""
held_out: ['{IMAGE}']
challenger: none
seeds: 1
energy_scans: 2
permutations: 5
train:
  device: cpu
  grid: {{shape: [16, 16, 16], spacing_mm: [12.0, 12.0, 12.0]}}
  network: {{channels: [2, 4], latent_channels: 1}}
  optimiser: {{epochs: 1}}
arms: [{{name: none, noise: none}}]
"""


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """Of sites and people with hostile names: its folder, and its one arm."""
    root = tmp_path_factory.mktemp("compared")
    rows = ["path,subject,site,age"]
    for i in range(12):
        site = ("A", SCRIPT, IMAGE)[i % 3]
        who = f"{SCRIPT}{max(i, 2)}"  # the first was scanned at every site
        written(scan(head() * (1 + i)), f"{i}.nii")(root)
        rows.append(f'{i}.nii,"{who}","{site.replace(chr(34), 2 * chr(34))}",{30 + i}')
    (root / "scans.csv").write_text("\n".join(rows))
    (root / "plan.yaml").write_text(PLAN)
    plan = load_plan(root / "plan.yaml")
    cohort = open_data(plan, root / "scans.csv", root, 1, no_bar)
    run_comparison(
        plan, cohort, root, cache=root, jobs=1, command=SCRIPT, say=print, bar=no_bar
    )
    store = open_store(plan, cohort, root, 1, no_bar)
    return root, Unit(
        plan.arm("none"), Stage(plan, cohort, store, 0, root, root, 1, no_bar)
    )


def test_a_comparison_shows_scripts_in_subjects_and_sites_as_text(comparison):
    root, _ = comparison
    assert_harmless(root / "report.html")


def test_a_comparison_shows_a_script_in_an_arm_s_name_as_text(comparison, tmp_path):
    root, unit = comparison  # a plan refuses such a name; the page does not rely on it
    text = (root / "compare.json").read_text(encoding="utf-8")
    content = json.loads(text.replace('"none"', json.dumps(SCRIPT)))
    assert_harmless(
        write_comparison_report(tmp_path / "r.html", content, {SCRIPT: [unit]})
    )


def test_json_of_a_cohort_survives_strange_names(tmp_path, monkeypatch, capsys):
    written(scan(), f"{SCRIPT.replace('/', '_')}/a_T1w.nii")(tmp_path)
    assert command(monkeypatch, ["cohort", tmp_path, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["sites"][0]["site"].startswith("<script>")


def test_a_name_that_is_not_utf_8_is_told_not_crashed_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "A").mkdir()
    bad = bytes(tmp_path / "A") + b"/\xff_T1w.nii"
    Path(bad.decode(errors="surrogateescape")).write_bytes(scan())
    assert command(monkeypatch, ["cohort", tmp_path]) == 2
    assert r"\udcff_T1w.nii: its name" in capsys.readouterr().err
