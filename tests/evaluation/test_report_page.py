import base64
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import FakeEncoder, fake_cohort
from page_outline import Outline

import noise_models
from medvae.errors import UserError
from medvae.evaluation import Estimate, Evaluation, evaluate
from medvae.evaluation.pictures import pictures
from medvae.evaluation.report import Picture, describe, figures, write_report
from medvae.evaluation.report.page import _transfers
from medvae.evaluation.report.rows import headline_rows, number_rows
from medvae.evaluation.report.targets import target_rows
from medvae.evaluation.report.words import words_of
from medvae.evaluation.result import TravelerTransfer


@pytest.fixture(scope="module")
def runs():
    return {
        arm: evaluate(
            FakeEncoder(blind=blind),
            fake_cohort(),
            held_out=["N"],
            permutations=200,  # the fewest by which nine probes can say so
            align=False,
            run=arm,
        )
        for arm, blind in (("scanner", 1.0), ("none", 0.0))
    }


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    rows = [{"epoch": k, "train_bound": -9.0 + k, "train_kl": 1.0} for k in range(3)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(text)
    pictures = [
        Picture("sub-1 at N", {"input": np.ones((9, 9, 9)), "as A": np.ones((9, 9))}),
        Picture("sub-2 at A", {"input": np.ones((9, 9))}),
    ]
    path = write_report(
        folder / "report.html",
        title="Sites <&> scanners",
        evaluations=runs,
        noise={"scanner": "fitted"},
        pictures=pictures,
        curves={"scanner": folder / "metrics.jsonl"},
    )
    return path.read_text(encoding="utf-8")


def test_nothing_is_fetched_from_elsewhere(page):
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(a.startswith(("data:", "#")) for a in addresses)
    assert "url(" not in page
    assert "<script" not in page


def test_text_from_outside_is_escaped(page):
    assert "Sites &lt;&amp;&gt; scanners" in page
    assert "Sites <&>" not in page


def test_every_picture_says_what_it_shows(page):
    images = Outline(page).images
    assert len(images) >= 10
    assert all(image["alt"].strip() for image in images)


def test_tags_close_and_headings_skip_no_level(page):
    outline = Outline(page)
    assert outline.open == ["html"] or not [t for t in outline.open if t != "!doctype"]
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert max(np.diff(outline.headings)) <= 1


def test_every_inner_link_has_its_section(page):
    targets = re.findall(r'href="#([^"]+)"', page)
    assert targets
    assert all(f'id="{target}"' in page for target in targets)


def test_the_page_opens_with_the_comparison_and_its_numbers(page):
    first = re.search(r'<ol class="findings">\s*<li>(.*?)</li>', page, re.S).group(1)
    assert "6 travelers" in first
    assert "outside the margin of error" in first


def test_one_run_alone_makes_a_page(runs, tmp_path):
    path = tmp_path / "one.html"
    write_report(path, title="One", evaluations={"scanner": runs["scanner"]})
    assert "latents by site" in path.read_text()


def test_an_evaluation_that_answered_nothing_makes_a_page(tmp_path):
    path = tmp_path / "none.html"
    write_report(path, title="Nothing", evaluations={"r": Evaluation("r", (), {})})
    assert "What this does not show" in path.read_text()


def test_the_same_numbers_make_the_same_page(runs, tmp_path):
    pages = [
        write_report(tmp_path / name, title="t", evaluations=runs).read_bytes()
        for name in ("a.html", "b.html")
    ]
    assert pages[0] == pages[1]


def test_sentences_say_when_no_site_could_be_read(runs):
    text = " ".join(describe(runs["none"]))
    assert "The site can be read" in text
    assert "never seen in training" in text


def leak(n, p):
    numbers = {
        f"auc_rbf_{view}": Estimate(value, (0.25, 1.0), n, 0.5, p)
        for view, value in (("mean", 1.0), ("sample", 0.67))
    }
    return describe(Evaluation("r", (), {"leakage": numbers}))[0]


def test_with_few_people_leakage_is_not_judged_and_the_codes_come_first():
    text = leak(4, 0.14)
    assert text.startswith("With 4 test subjects leakage cannot be judged, 10 are the")
    assert text.index("(posterior means) 1.00") < text.index("posterior samples 0.67")
    assert leak(40, 0.14).startswith("No site could be read: AUC from the codes (")
    assert leak(4, 0.01).startswith("The site can be read: AUC from the codes (")
    assert leak(40, 0.03).startswith("Perhaps the site can be read: AUC from the codes")


def probed(group, *values):
    """By view and kind of probe: AUC and p, of forty people."""
    numbers = {
        f"auc_{name}": Estimate(auc, None, 40, 0.5, p) for name, auc, p in values
    }
    return describe(Evaluation("r", ("N",), {group: numbers}))


def test_the_leakage_sentence_names_its_probe_and_the_one_that_reads_most():
    values = (("rbf_mean", 0.6, 0.3), ("rbf_sample", 0.5, 0.4), ("knn_mean", 0.55, 0.2))
    (text,) = probed("leakage", *values, ("linear_mean", 0.98, 0.2))
    assert text.startswith("No site could be read: ")
    assert (
        "0.60 by the RBF probe (p = 0.30) and 0.98 by the linear probe (p = 0.20)"
        in text
    )
    assert "0.55" not in text
    (text,) = probed("leakage", *values, ("linear_mean", 0.98, 0.01))
    assert text.startswith("The site can be read: ")
    (text,) = probed("leakage", *values, ("linear_whitened", 0.7, 0.2))
    assert "from whitened codes 0.70 by the linear probe" in text
    (text,) = probed("leakage", *values, ("linear_whitened", 0.6, 0.2))
    assert "whitened" not in text


def test_an_unseen_site_that_one_probe_tells_apart_is_told_by_that_probe():
    values = (("rbf_sample", 0.76, 0.2), ("knn_sample", 0.97, 0.01))
    (text,) = probed("held_out_distance", *values, ("linear_sample", 0.85, 0.1))
    assert "0.76 by the RBF probe (p = 0.20) and 0.97 by nearest neighbours" in text


def test_people_are_recognised_at_named_sites():
    numbers = {
        "reidentification_held_out": Estimate(0.83, None, 3, 1 / 3),
        "reidentification_seen": Estimate(0.667, None, 3, 1 / 3),
    }
    (text,) = describe(Evaluation("r", ("N",), {"travelers": numbers}))
    assert "in 83% of cases between N and the training sites (chance 33%, 3" in text
    assert "in 67% of cases between training sites (chance 33%" in text
    del numbers["reidentification_held_out"]
    (text,) = describe(Evaluation("r", ("N",), {"travelers": numbers}))
    assert "83%" not in text


def apart(p):
    numbers = {"auc_rbf_sample": Estimate(0.74, (0.54, 0.94), 8, 0.5, p)}
    return describe(Evaluation("r", ("N",), {"held_out_distance": numbers}))


def test_an_unseen_site_that_lies_apart_is_told_with_interval_and_p():
    (text,) = apart(0.01)
    assert text.startswith("Codes of N can be told from those of the training sites")
    assert "posterior samples 0.74 (0.54 to 0.94) by the RBF probe (p = 0.01)" in text
    assert "; chance 0.50 (8 subjects)" in text
    assert apart(0.2) == []


def test_the_age_questions_have_names_of_their_own():
    numbers = {
        "mae_years_across": Estimate(10.2, None, 7, 19.4),
        "mae_years_one_site": Estimate(11.0, None, 7, 19.4),
    }
    (text,) = describe(Evaluation("r", ("N",), {"age": numbers}))
    assert "trained on all training sites together" in text
    assert words_of("mae_years_across").endswith(
        "all training sites together to the held-out one"
    )
    assert "each training site alone" in words_of("mae_years_one_site")


def test_the_age_sentence_prints_the_interval_and_p_that_it_judges_by():
    numbers = {
        "mae_years_across": Estimate(10.2, (6.3, 14.6), 7, 19.4, 0.13),
        "share_of_chance_across": Estimate(0.53, (0.25, 1.18), 7, 1.0, 0.13),
    }
    (text,) = describe(Evaluation("r", ("N",), {"age": numbers}))
    assert "0.53 (0.25 to 1.18)" in text
    assert "p = 0.13, not better beyond the margin of error" in text
    assert "6.3" not in text


def transferred():
    """Numbers in the order of the files."""
    numbers = {
        name: Estimate(value, None, 3)
        for name, value in (
            ("error", 0.66),
            ("do_nothing", 0.54),
            ("with_detail", 0.29),
            ("share_of_do_nothing", 1.22),
            ("with_detail_share_of_do_nothing", 0.54),
        )
    }
    rows = [
        TravelerTransfer(
            *("T", "test", "N", "A", 0.66, 0.54, 0.6, (0, 0, 0), (0, 0, 0)),
            with_detail=0.29,
        )
    ]
    return Evaluation("r", ("N",), {"transfer": numbers}, tuple(rows))


def test_sentence_tables_and_plot_tell_of_transfer_in_one_order():
    run = transferred()
    text = describe(run)[0]
    assert text.startswith("Left alone, a traveler's scan from N misses")
    assert re.findall(r"0\.\d\d", text) == ["0.54", "0.29", "0.66"]
    assert "harmonised" in text.partition("0.29")[0]
    (table,) = number_rows({"r": run})
    keys = [line["key"] for line in table["lines"]]
    assert keys[:3] == ["do_nothing", "with_detail", "error"]
    assert keys[3:] == ["with_detail_share_of_do_nothing", "share_of_do_nothing"]
    assert [*target_rows({"r": run})[0]][3:6] == [
        "left alone",
        "harmonised, detail kept",
        "decoded alone",
    ]
    (measures, _) = _transfers(1)[0]
    (axes,) = figures.transfer_lines({"r": run}, measures).axes
    drawn = [" ".join(t.get_text().split()) for t in axes.get_xticklabels()]
    assert drawn == ["left alone", "harmonised, detail kept", "decoded alone"]


def test_every_transfer_error_says_its_unit():
    run = transferred()
    for row in headline_rows({"r": run}):
        assert row["words"].endswith("error (variances)")
    for line in number_rows({"r": run})[0]["lines"][:3]:
        assert "in variances of the real scan" in line["name"]


def test_counts_are_whole_numbers():
    numbers = {
        "dimensions": Estimate(1152.0, None, 21),
        "kl_nats": Estimate(55, None, 21),
    }
    (table,) = number_rows({"r": Evaluation("r", (), {"collapse": numbers})})
    assert [line["cells"][0]["value"] for line in table["lines"]] == ["1152", "55.0"]


def test_no_p_is_0_and_what_is_0_by_definition_has_no_decimals():
    apart = Estimate(1.09, (0.7, 1.6), 8, chance=0.0, p=0.0001)
    read = Estimate(0.9, None, 8, chance=1 / 3, p=0.035)
    run = Evaluation("r", (), {"age": {"gap": apart, "auc_rbf_mean": read}})
    first, second = (row["cells"][0] for row in number_rows({"r": run})[0]["lines"])
    assert (first["against"], first["p"]) == ("0", "p < 0.001")
    assert (second["against"], second["p"]) == ("0.333", "p = 0.04")


def test_bits_that_may_be_below_0_are_said_to_be_of_a_density():
    assert "density" in words_of("bits_per_voxel_held_out")


def test_the_glossary_has_the_terms_of_the_reports():
    glossary = (Path(__file__).parents[2] / "docs/words.md").read_text()
    entries = re.findall(r"^### (.+)$", glossary, re.M)
    assert entries == sorted(entries, key=lambda entry: entry.lower())
    terms = {"Probe", "RBF", "Whitened", "Bright volume", "Shading", "Site input"}
    assert terms <= {*entries}
    for word in ("trend", "bowl", "wave", "by bottom-top"):
        assert word in glossary


def test_errors_are_told_by_site_imitated_and_in_words(page):
    assert "By the site imitated" in page
    assert "harmonised, detail kept" in page
    assert "AUC, RBF probe, of codes (posterior means)" in page
    assert not re.search(r">[^<]*auc rbf", page)
    assert "left alone</td>" in page  # what a transfer error is held against
    assert re.search(r"<small>n \d+, against 1.000", page)  # of a ratio
    assert not re.search(r"<small>n \d+, chance", page)


def test_ink_of_plots_follows_the_page(page):
    svg = next(a for a in Outline(page).images if "svg" in a["src"])["src"]
    text = base64.b64decode(svg.partition(",")[2]).decode()
    assert "prefers-color-scheme:dark" in text
    assert "fill: currentColor" in text
    assert "#1d2b36" not in text.partition("</style>")[2]
    assert "#ffffff; stroke: none" not in text  # no card of its own


def test_an_unknown_reference_is_refused(runs, tmp_path):
    with pytest.raises(ValueError, match="no arm named 'oracle'"):
        write_report(tmp_path / "x", title="t", evaluations=runs, reference="oracle")


def test_a_broken_metrics_line_is_named(runs, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 0}\n{"epo')
    with pytest.raises(UserError, match=r"metrics.jsonl:2: not JSON"):
        write_report(
            tmp_path / "x",
            title="t",
            evaluations=runs,
            curves={"a": tmp_path / "metrics.jsonl"},
        )


def test_the_viewer_has_the_scan_harmonised_with_its_detail_kept():
    encoder = FakeEncoder()
    scan = next(s for s in fake_cohort() if s.site == "N")
    noise = noise_models.get("gaussian", sigma=0.1)
    (row,) = pictures({"run": encoder}, [scan], noise, "A")
    x = torch.from_numpy(scan.image)[None, None]
    z = encoder.encode_batch(x)[0]
    as_a, average = (encoder.decode_batch(z, s)[0, 0].numpy() for s in ("A", None))
    want = np.maximum(scan.image + as_a - average, 0)
    kept = row.volumes["as A, detail kept (run)"]
    np.testing.assert_allclose(kept, want, atol=1e-5)
