"""A cohort is refused before any work starts, or used without its bad scans."""

import threading

import nibabel as nib
import pytest
import small_tree

from medvae.cli.cohorts import show_left_out
from medvae.cohort import check, check_cohort, examine_cohort, read_cohort, summarise
from medvae.errors import UserError
from medvae.volume.header import silent_nibabel
from medvae.volume.memory import within_memory

tree = small_tree.tree


def said(cohort, severity="error"):
    return [p.message for p in cohort.problems if p.severity == severity]


@pytest.fixture
def good(tree):
    return tree({f"{site}/{site}{i}.nii": "" for site in "AB" for i in range(2)})


def test_a_good_cohort_has_no_error(good):
    assert said(check_cohort(read_cohort(good))) == []


def test_one_bad_scan_stops_everything_unless_skipped(good):
    (good / "A" / "A0.nii").write_bytes(b"broken")
    cohort = read_cohort(good)
    with pytest.raises(UserError, match=r"A0\.nii: not a readable NIfTI.*--skip-bad"):
        check_cohort(cohort)
    kept = check_cohort(cohort, skip_bad=True)
    assert [s.subject for s in kept.scans] == ["A1", "B0", "B1"]
    assert [p.path.name for p in kept.problems if p.severity == "error"] == ["A0.nii"]


def test_several_errors_are_counted(good):
    for name in ("A/A0.nii", "B/B1.nii"):
        (good / name).write_bytes(name.encode())
    with pytest.raises(UserError, match=r"1 more: medvae cohort"):
        check_cohort(read_cohort(good))


def test_a_cohort_of_nothing_usable_is_refused_even_with_skip_bad(tree):
    root = tree({"A/a.nii": ""})
    (root / "A" / "a.nii").write_bytes(b"")
    with pytest.raises(UserError, match="no usable scan"):
        check_cohort(read_cohort(root), skip_bad=True)


def test_a_cut_file_passes_the_header_and_fails_in_full(good):
    path = good / "A" / "A0.nii"
    path.write_bytes(path.read_bytes()[:-40])
    cohort = read_cohort(good)
    assert said(examine_cohort(cohort, header_only=True)) == []
    assert "the voxels cannot be read" in said(examine_cohort(cohort))[0]


def test_the_same_bytes_twice_are_found(good):
    (good / "B" / "B9.nii").write_bytes((good / "A" / "A0.nii").read_bytes())
    found = said(examine_cohort(read_cohort(good)))
    assert len(found) == 1
    assert found[0].startswith("the same bytes as ")
    assert said(examine_cohort(read_cohort(good), header_only=True)) == []


def rows(root, text):
    (root / "c.csv").write_text(text)
    return read_cohort(root / "c.csv")


def test_a_scan_listed_twice_is_found_and_kept_once(good):
    cohort = rows(good, "path,site\nA/A0.nii,A\nB/B0.nii,B\nA/A0.nii,A\n")
    assert said(examine_cohort(cohort)) == ["listed twice"]
    kept = check_cohort(cohort, skip_bad=True)
    assert [s.path.name for s in kept.scans] == ["A0.nii", "B0.nii"]


def test_a_person_in_two_splits_is_an_error(good):
    text = "path,subject,site,split\nA/A0.nii,p,A,train\nB/B0.nii,p,B,test\n"
    found = said(examine_cohort(rows(good, text)))
    assert found == ["subject 'p' is in splits test, train"] * 2


@pytest.mark.parametrize(
    "other", ["nyu 1", "NYU  1", "NYU\N{NO-BREAK SPACE}1", "NY\u200bU 1"]
)
def test_labels_that_only_look_alike_are_a_warning(good, other):
    alike = ", ".join(repr(label) for label in sorted(["NYU 1", other]))
    text = f"path,subject,site\nA/A0.nii,p,NYU 1\nB/B0.nii,q,{other}\n"
    (warned,) = said(examine_cohort(rows(good, text)), "warning")
    assert warned == f"sites {alike} are written alike"
    text = f"path,subject,site\nA/A0.nii,NYU 1,A\nB/B0.nii,{other},B\n"
    (warned,) = said(examine_cohort(rows(good, text)), "warning")
    assert warned == f"subjects {alike} are written alike"


def test_a_missing_site_is_named_by_file(good):
    cohort = examine_cohort(rows(good, "path,site\nA/A0.nii,A\nB/B0.nii,\n"))
    bad = [p for p in cohort.problems if p.severity == "error"]
    assert [(p.path.name, p.message) for p in bad] == [
        ("B0.nii", "its site is not known")
    ]
    assert "--site-from" in bad[0].remedy


def test_one_site_only_is_a_warning(good):
    cohort = examine_cohort(read_cohort(good / "A"))
    assert said(cohort, "warning") == ["only one site, 'A'"]


def test_a_missing_mask_is_an_error(good):
    cohort = rows(good, "path,site,mask\nA/A0.nii,A,no.nii\nB/B0.nii,B,B/B0.nii\n")
    assert said(examine_cohort(cohort)) == ["file not found"]
    assert len(check_cohort(cohort, skip_bad=True)) == 1


def test_progress_counts_every_scan(good):
    calls = []
    examine_cohort(read_cohort(good), progress=lambda *a: calls.append(a[:2]))
    assert calls == [(i, 4) for i in range(1, 5)]


def test_a_summary_has_a_row_a_site(tree):
    root = tree(
        {
            "c.csv": "path,subject,site,age,sex\na.nii,p,A,20,F\nb.nii,q,A,31.5,M\n"
            "c.nii,p,B,20,F\nd.nii,r,,,\ngone.nii,s,B,,\n",
            **dict.fromkeys(("a.nii", "b.nii", "c.nii", "d.nii")),
        }
    )
    a, b, unknown = summarise(read_cohort(root / "c.csv"))
    assert a == {
        "site": "A",
        "scans": 2,
        "subjects": 2,
        "travelers": 1,
        "voxel (mm)": "8×8×8",
        "shape": "20×20×20",
        "age": "20-31.5",
        "sex": "1 F 1 M",
    }
    assert (b["scans"], b["travelers"], b["age"]) == (2, 1, "20")
    assert (unknown["site"], unknown["sex"]) == ("?", "-")


def test_one_site_is_news_to_a_fit_and_none_to_an_evaluation(good, capsys):
    cohort = examine_cohort(read_cohort(good / "A"))
    show_left_out(cohort, one_site_will_do=True)
    assert "only one site" not in capsys.readouterr().err
    show_left_out(cohort)
    assert "only one site" in capsys.readouterr().err


def test_memory_that_several_scans_do_not_share_does_for_each_alone(good, monkeypatch):
    monkeypatch.setattr(check, "cpu_count", lambda: 2)
    inside, together, real = [], threading.Barrier(2), check.check_scan

    def crowded(path, **options):
        if len(inside) < 2:
            inside.append(path)
            together.wait(timeout=20)
            with pytest.raises(UserError) as lack, within_memory(path, (9, 9, 9)):
                raise MemoryError
            return [check.Problem(path, str(lack.value), "")]
        return real(path, **options)

    monkeypatch.setattr(check, "check_scan", crowded)
    assert said(examine_cohort(read_cohort(good))) == []
    assert len(inside) == 2


def test_nibabel_is_silent_for_those_who_asked_and_for_no_longer(caplog):
    log, entered, left = nib.imageglobals.logger, threading.Event(), threading.Event()

    def other():
        with silent_nibabel():
            entered.set()
            left.wait(20)
            log.error("unheard")

    thread = threading.Thread(target=other)
    with silent_nibabel():
        thread.start()
        entered.wait(20)
        log.error("unheard")
    log.error("heard")
    left.set()
    thread.join()
    log.error("heard again")
    assert [record.message for record in caplog.records] == ["heard", "heard again"]
