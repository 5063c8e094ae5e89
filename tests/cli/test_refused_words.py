"""What needs neither a phantom nor a training run: files, words and odd fits."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cohort"))
sys.path.insert(0, str(Path(__file__).parents[1] / "adapters"))
sys.path.insert(0, str(Path(__file__).parents[1] / "reliability"))
sys.path.insert(0, str(Path(__file__).parent))
import odd_fits
import small_tree
from fitted_noise import fitted_noise
from odd_fits import of_travelers, run
from permissions import as_anybody

import noise_models
from medvae import cli
from medvae.cli.advice import advice
from medvae.cli.cohorts import other_sites, site_scans
from medvae.cohort import Cohort, Scan
from medvae.errors import UserError
from medvae.noise.fitted import fit_sites, needs_estimates
from medvae.noise.named import freeze, open_noise
from noise_models.chain import Chain
from noise_models.scanner import save_scanner

tree, fit = small_tree.tree, odd_fits.fit


def test_two_folders_are_two_sites_and_there_is_no_third(tree):
    names = [f"{site}/sub-{site}{k}_T1w.nii" for site in "AB" for k in range(2)]
    root = tree(dict.fromkeys(names, ""))
    folders = [str(root / "A"), str(root / "B")]
    found = site_scans(folders, None, None, skip_bad=False)
    assert found.sites == ("A", "B")
    assert len(found) == 4
    assert other_sites(folders, None, None) == []
    with pytest.raises(UserError, match="two different sites are needed"):
        site_scans([folders[0]] * 2, None, None, skip_bad=False)


def test_two_hospitals_are_not_made_one_by_the_names_of_their_folders(tree):
    root = tree({f"{at}/NYU/{at}{k}.nii": "" for at in "AB" for k in range(2)})
    with pytest.raises(UserError, match="both are called 'NYU'"):
        run("fit-noise", root / "A/NYU", root / "B/NYU", "--dry-run")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (
            ("noise", "preview", "rician", "a.nii", "-o", "a.nii"),
            "a .png file",
        ),
        (
            ("noise", "report", "scanner.yaml", "-o", "scanner.yaml"),
            "a .html file",
        ),
        (("fit-noise", "A", "B", "--report", "a.nii"), "Name it a.html"),
        (
            ("config", "schema", "-o", "a.nii"),
            r"a \.json file is written\. Name it a\.j",
        ),
        (("config", "schema", "-o", "new.yaml"), r"Name it new\.json"),
        (("config", "schema", "-o", "mine.json"), "is there and holds no schema"),
        (("config", "schema", "-o", "list.json"), "is there and holds no schema"),
        (("config", "schema", "-o", "torn.json"), "is there and holds no schema"),
        (("axes", "r", "-o", "a.nii"), "Name it a.safetensors"),
        (("axes", "r", "-o", "model.safetensors"), "there and holds no axes"),
        (
            (
                *("harmonize", "r", "a.nii", "-o", "out"),
                *("--to", "A", "--from", "B", "--no-detail"),
            ),
            "--from B changes nothing with --no-detail",
        ),
        (("noise", "score", "scanner.yaml", "a.nii", "--site", "b"), "'b' was not fi"),
        (
            ("noise", "apply", "scanner.yaml", "a.nii", "-o", "out"),
            r"scanner.yaml: --to must name the site that .* one of A, B; got none\.",
        ),
        (
            ("noise", "apply", "scanner", "a.nii", "--from", "C", "-o", "out"),
            r"--from C: no site of scanner.yaml; known: A, B\.",
        ),
        (
            (
                *("noise", "apply", "scanner.yaml", "a.nii", "-o", "out"),
                *("--from", "A", "--to", "A"),
            ),
            r"--from A --to A would change nothing\. Name two sites\.",
        ),
        (
            ("noise", "preview", "bias_field", "a.nii", "--to", "A", "-o", "a.png"),
            "bias_field: --from and --to need a fitted scanner noise, got bias_field",
        ),
    ],
)
def test_words_that_would_do_harm_or_nothing_are_refused(
    words, match, fit, tree, tmp_path, monkeypatch
):
    mine = {"mine.json": '{"title": "mine"}', "list.json": "[1]", "torn.json": "{"}
    monkeypatch.chdir(tree({"a.nii": "", "model.safetensors": "weights", **mine}))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=match):
        run(*words)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_columns_to_adjust_for_must_be_named(tree):
    names = [f"{site}/sub-{site}{k}_T1w.nii" for site in "AB" for k in range(2)]
    root = tree(dict.fromkeys(names, ""))
    words = ("fit-noise", "A", "B", "--data", root, "--adjust", " , ")
    with pytest.raises(UserError, match="must name columns, or none"):
        run(*words, "-o", root / "scanner.yaml")


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("afile/x", "afile: no folder, so"),
        ("afile/deep/x", "afile: no folder, so"),
        ("link/x", "link: no folder, so"),
        ("shut/deep/x", "shut: a folder that you may not write to, so"),
        (f"new/{'x' * 300}", "cannot be written"),
    ],
)
def test_a_fit_that_cannot_be_written_is_refused_before_the_scans_are_read(
    place, says, option, dry, tree, monkeypatch
):
    names = [f"{site}/sub-{site}{k}_T1w.nii" for site in "AB" for k in range(2)]
    root = tree(dict.fromkeys([*names, "afile"], ""))
    (root / "link").symlink_to("nowhere")
    (root / "shut").mkdir(mode=0o500)
    (root / "new").mkdir()
    monkeypatch.setattr("medvae.cli.cohorts.site_scans", lambda *_, **__: 1 / 0)
    before = sorted(root.rglob("*"))
    ending = ".yaml" if option == "-o" else ".html"
    words = ("fit-noise", root / "A", root / "B", option, root / f"{place}{ending}")
    with as_anybody(), pytest.raises(UserError, match=says):
        run(*words, *dry)
    assert sorted(root.rglob("*")) == before


def test_a_fit_whose_file_cannot_be_written_after_all_says_so(tmp_path, monkeypatch):
    (tmp_path / "afile").write_text("")
    monkeypatch.setattr("noise_models.scanner.fit", lambda *_, **__: fitted_noise())
    scans = Cohort(tmp_path, "table", (Scan(tmp_path / "a.nii", "01", "A"),))
    with pytest.raises(UserError, match="cannot be written"):
        fit_sites(scans, tmp_path / "afile" / "x.yaml", cache=tmp_path)


def test_noise_that_would_be_applied_is_said_and_not_written(tree):
    root = tree({"a.nii": "", "b.nii": ""})
    words = ("noise", "apply", "rician", root / "a.nii", root / "b.nii", "--dry-run")
    told = run(*words, "-o", root / "out").output
    assert "would write 2 corrupted scans into" in told
    assert not (root / "out").exists()


def test_a_fit_made_in_python_is_shown_without_a_command(fit):
    told = run("noise", "show", fit).output
    assert "made by" not in told
    assert "adjusted for" not in told


def test_a_fit_with_travelers_and_ages_says_what_it_used(tmp_path):
    path = save_scanner(of_travelers(), tmp_path / "scanner.yaml")
    told = " ".join(run("noise", "show", path).output.split())
    assert "adjusted for age" in told
    assert "not adjusted for sex: not asked for" in told
    assert "not adjusted for age" not in told
    assert "by arm: raw / as B" in told


def test_a_folder_is_corrupted_scan_by_scan_and_not_into_itself(tree):
    root = tree({"new/a.nii": "", "new/b.nii": "", "none/a.txt": ""})
    words = ("noise", "apply", "rician", root / "new", "--dry-run", "-o")
    assert "would write 2 corrupted scans into" in run(*words, root / "out").output
    with pytest.raises(UserError, match="taken for scans the next time"):
        run(*words, root / "new" / "out")
    with pytest.raises(UserError, match="none"):
        run("noise", "apply", "rician", root / "none", "-o", root / "out")


@pytest.mark.parametrize("name", ["a\0.nii", "\ud800.nii"])
def test_a_name_that_no_file_can_have_is_told(tree, name):
    root = tree({"list.json": json.dumps([{"image": name, "site": "A"}])})
    with pytest.raises(UserError, match="no file can be called"):
        run("noise", "apply", "rician", root / "list.json", "-o", root / "out")


def test_what_trains_nothing_ends_in_json_as_well(tree, monkeypatch, tmp_path):
    names = [f"{site}/sub-{site}{k}_T1w.nii" for site in "AB" for k in range(3)]
    root, prepared = tree(dict.fromkeys(names, "")), SimpleNamespace(scans=names)
    monkeypatch.setattr("medvae.training.material.gather", lambda *_, **__: prepared)
    words = ("train", "--noise", "rician", "--data", root, "-o", root / "run")
    done = run(*words, "--prepare-only", "--json")
    assert json.loads(done.stdout) == {"written": [], "failed": []}
    assert "6 scans prepared" in done.stderr
    words = ("compare", "--config", "compare-small", "--dry-run", "-o", tmp_path)
    done = run(*words, "--json")
    assert json.loads(done.stdout) == {"written": [], "failed": []}
    assert "would run" in done.stderr


def test_a_folder_for_a_file_of_axes_is_refused_before_the_work(tmp_path):
    with pytest.raises(UserError, match=r"is a folder\. Name a file"):
        run("axes", tmp_path / "run", "-o", tmp_path)


def test_a_noise_that_saw_the_held_out_site_is_warned_of(fit, tree):
    names = [f"{site}/sub-{site}{k}_T1w.nii" for site in "ABC" for k in range(3)]
    root = tree(dict.fromkeys(names, ""))
    words = ("train", "--noise", fit, "--data", root, "-o", root / "r", "--dry-run")
    told = " ".join(run(*words, "--held-out", "B").output.split())
    assert "the noise was fitted on scans of held-out B: report it as" in told
    assert "was fitted on scans" not in run(*words, "--held-out", "C").output


def test_a_table_whose_scans_are_all_missing_says_so(tree):
    text = "Partition_ID,Subject_ID\n1,FeTS_1\n2,FeTS_2\n"
    root = tree({"partitioning_1.csv": text})
    result = run("cohort", root / "partitioning_1.csv")
    assert result.exit_code == 2
    assert "FeTS partitioning, 0 scans" in result.output
    assert result.output.count("no FeTS_") == 2


def test_the_schema_is_printed_or_written(tmp_path):
    printed = json.loads(run("config", "schema").stdout)
    run("config", "schema", "-o", tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == printed
    older = {name: told for name, told in printed.items() if name != "properties"}
    (tmp_path / "schema.json").write_text(json.dumps(older))
    run("config", "schema", "-o", tmp_path / "schema.json")
    assert json.loads((tmp_path / "schema.json").read_text()) == printed


def test_the_demo_ends_with_its_findings(monkeypatch, tmp_path):
    done = SimpleNamespace(report=tmp_path / "report.html", findings=["one", "two"])
    monkeypatch.setattr("medvae.demo.run_demo", lambda *_, **__: done)
    told = run("demo", tmp_path).output
    assert "report.html" in told
    assert told.splitlines()[-2:] == ["- one", "- two"]


@pytest.mark.parametrize(
    "error",
    [
        OSError("4096 requested and 1024 written"),  # numpy, of a full disk
        RuntimeError("[enforce fail] file write failed"),  # torch
        RuntimeError("write: No space left on device"),
    ],
)
def test_a_full_disk_is_told_whichever_library_met_it(error):
    assert "Free some space" in advice(error)


def test_a_mistake_of_ours_is_raised_and_not_advised(monkeypatch):
    def broken():
        raise ZeroDivisionError

    monkeypatch.setattr("medvae.cli.app.app", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(("given", "counted"), [(None, "5000"), ("passive", None)])
def test_how_threads_wait_is_left_to_whoever_says_it(given, counted, monkeypatch):
    monkeypatch.setattr(cli.os, "environ", {"OMP_WAIT_POLICY": given} if given else {})
    cli.wait_briefly()
    assert cli.os.environ.get("GOMP_SPINCOUNT") == counted


def test_what_widens_a_fit_alone_is_refused_for_any_other_noise(fit):
    assert open_noise(str(fit), 2.0)[0].dispersion == 2.0
    with pytest.raises(UserError, match="dispersion 2 changes nothing for rician"):
        open_noise("rician", 2.0)


def test_a_chain_is_frozen_with_its_steps_and_asks_for_what_they_ask(tmp_path):
    steps = (noise_models.get("rician", sigma=0.1), noise_models.get("gibbs"))
    freeze(Chain(steps), tmp_path / "chain.yaml")
    assert open_noise(str(tmp_path / "chain.yaml"))[0] == Chain(steps)
    assert not needs_estimates(Chain(steps))
    assert needs_estimates(Chain((*steps, fitted_noise())))


def test_a_scan_without_a_site_is_named_before_a_fit(tmp_path):
    scans = (Scan(tmp_path / "a.nii", "a", "A"), Scan(tmp_path / "b.nii", "b", None))
    with pytest.raises(UserError, match=r"b\.nii: no site\. Use --site-from"):
        fit_sites(Cohort(tmp_path, "table", scans), tmp_path / "scanner.yaml")
