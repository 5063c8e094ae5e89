"""Folders of codes: resumable, shared, and one bad scan stops no other."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from small_encoder import head_image, small_encoder

from medvae.encoding.earlier import is_free_for
from medvae.encoding.folder import Item, Share, encode_folder
from medvae.encoding.images import harmonize_files
from medvae.encoding.latent_file import read_latent
from medvae.encoding.names import find_latents, stems
from medvae.encoding.reading import read_ahead
from medvae.encoding.table import read_table
from medvae.errors import UserError
from medvae.model.weights import save_model
from medvae.version import software
from medvae.volume import check_scan


@pytest.fixture(scope="module")
def encoder():
    return small_encoder()


def folder_of(tmp_path, n=3):
    items = []
    for i in range(n):
        path = tmp_path / f"scan{i}.nii.gz"
        nib.save(head_image(seed=i, shape=(30, 34, 32)), path)
        items.append(Item(path, f"s{i}", "A"))
    return items


def test_a_folder_of_codes_reads_back(encoder, tmp_path):
    items, out = folder_of(tmp_path), tmp_path / "out"
    assert encode_folder(encoder, items, out, batch_size=2) == []
    index, vectors = read_table(out)
    assert vectors.dtype == np.float32
    assert list(index.index) == ["scan0", "scan1", "scan2"]
    assert list(index["site"]) == ["A"] * 3
    latent = read_latent(out / index.loc["scan1", "file"])
    assert np.array_equal(latent.vector, vectors[1])
    alone = encoder.encode(items[1].path)
    assert np.allclose(latent.std, alone.std, atol=1e-5)
    assert latent.provenance["scan_digest"] == alone.digest


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index.tsv", "path\toriginal\nmine\tyours\n"),
        ("dataset_description.json", '{"Name": "mine", "BIDSVersion": "1.10.0"}'),
        ("dataset_description.json", "{"),
    ],
)
def test_a_table_or_description_of_others_is_not_written_over(
    encoder, tmp_path, name, content
):
    items, out = folder_of(tmp_path, n=1), tmp_path / "out"
    out.mkdir()
    (out / name).write_text(content)
    with pytest.raises(UserError, match=f"{name}: not written by medvae encode"):
        encode_folder(encoder, items, out)
    assert [path.name for path in out.iterdir()] == [name]
    assert (out / name).read_text() == content


def test_a_folder_is_free_for_the_scans_and_the_model_it_holds_alone(encoder, tmp_path):
    items, out = folder_of(tmp_path), tmp_path / "out"
    scans = [item.path for item in items]
    encoder = copy.copy(encoder)
    encoder.model_digest = "ab"
    assert is_free_for(out, scans, "ab")
    out.mkdir()
    assert is_free_for(out, scans, "ab")
    encode_folder(encoder, items, out)
    assert is_free_for(out, scans, "ab")
    assert is_free_for(out, [*scans, tmp_path / "more.nii"], "ab")
    assert not is_free_for(out, scans[:2], "ab")  # the third would be gone
    assert not is_free_for(out, scans, "cd")
    (out / "index.tsv").write_text("path\tmodel\nx\n")
    assert not is_free_for(out, scans, "ab")
    (out / "index.tsv").unlink()  # as if killed before it was written
    assert is_free_for(out, scans, "ab")
    assert not is_free_for(out, scans[:2], "ab")
    assert not is_free_for(scans[0], scans, "ab")  # a file


def test_finished_scans_are_skipped_until_scan_or_model_changes(encoder, tmp_path):
    items, out = folder_of(tmp_path), tmp_path / "out"
    encode_folder(encoder, items, out)
    target = out / "scan0_latent.nii.gz"
    before = target.stat().st_mtime_ns
    encode_folder(encoder, items, out)
    assert target.stat().st_mtime_ns == before
    other = small_encoder()
    other.model_digest = "another"
    encode_folder(other, items, out)
    assert target.stat().st_mtime_ns > before
    assert set(read_table(out)[0]["model"]) == {"another"}
    nib.save(head_image(seed=9, shape=(30, 34, 32)), items[0].path)
    encode_folder(other, items, out)
    assert np.allclose(read_table(out)[1][0], other.encode(items[0].path).vector)


@pytest.mark.parametrize("name", ["scan0_latent.nii.gz", "scan0_latentstd.nii.gz"])
def test_a_damaged_latent_is_made_again(encoder, tmp_path, name):
    items, out = folder_of(tmp_path, 1), tmp_path / "out"
    encode_folder(encoder, items, out)
    (out / name).write_bytes(b"half")
    encode_folder(encoder, items, out)
    assert read_latent(out / "scan0_latent.nii.gz").name == "scan0.nii.gz"


@pytest.mark.parametrize("jobs", [0, 2])
def test_one_bad_scan_does_not_stop_the_others(encoder, tmp_path, jobs):
    items, out = folder_of(tmp_path), tmp_path / "out"
    items[1].path.write_bytes(b"no image")
    missing = Item(tmp_path / "gone.nii.gz")
    problems = encode_folder(encoder, [*items, missing], out, jobs=jobs)
    assert len(problems) == 2
    assert any("scan1.nii.gz" in text for text in problems)
    assert any("gone.nii.gz: file not found" in text for text in problems)
    assert list(read_table(out)[0].index) == ["scan0", "scan2"]


@pytest.mark.parametrize("jobs", [0, 2])
def test_a_localiser_is_refused_in_the_words_of_the_cohort(encoder, tmp_path, jobs):
    items, out = folder_of(tmp_path), tmp_path / "out"
    thin = items[1].path
    nib.save(head_image(shape=(64, 64, 3)), thin)
    words = [str(problem) for problem in check_scan(thin, header_only=True)]
    assert words == [
        f"{thin}: shape (64, 64, 3) is thinner than 8 voxels. Is it a localiser? "
        "Remove it."
    ]
    assert encode_folder(encoder, items, out, jobs=jobs) == words
    assert list(read_table(out)[0].index) == ["scan0", "scan2"]
    targets = [tmp_path / f"as_b_{i}.nii.gz" for i in range(3)]
    rows, problems = harmonize_files(encoder, items, targets, "B", jobs=jobs)
    assert problems == words
    assert [row.original for row in rows] == [items[0].path, items[2].path]


def test_scans_read_ahead_come_in_order_and_few_wait(encoder, tmp_path):
    items = folder_of(tmp_path, 6)
    paths = [item.path for item in items]
    read = read_ahead(paths, encoder.grid, jobs=2, ahead=1)
    alone = [one.ready.image for one in read_ahead(paths, encoder.grid)]
    for arrived, path, image in zip(read, paths, alone, strict=True):
        assert arrived.name == path.name
        assert np.array_equal(arrived.ready.image, image)


def test_every_process_takes_its_share_once():
    taken = [n for rank in range(3) for n in Share(rank, 3).of(list(range(10)))]
    assert sorted(taken) == list(range(10))
    assert Share.here({}) == Share()
    assert Share.here({"RANK": "2", "WORLD_SIZE": "4"}) == Share(2, 4)
    step = {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "2"}
    assert Share.here(step) == Share(1, 2)
    assert Share.here({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}) == Share()
    with pytest.raises(UserError, match="RANK=4 and WORLD_SIZE=4 must satisfy"):
        Share.here({"RANK": "4", "WORLD_SIZE": "4"})


@pytest.mark.slow
def test_two_processes_encode_every_scan_once_and_the_table_has_all(encoder, tmp_path):
    items, run = folder_of(tmp_path, 5), tmp_path / "run"
    run.mkdir()
    save_model(encoder.vae, run)
    words = [sys.executable, "-c", "from medvae.cli import main; main()", "encode"]
    words += [str(run), *(str(i.path) for i in items), "-o", str(tmp_path / "out")]
    ranks = [
        subprocess.Popen(
            [*words, "--jobs", "0"],
            env=os.environ | {"RANK": str(rank), "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [rank.communicate()[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0]
    assert "3 of 3 scans" in told[0]
    assert "2 of 2 scans" in told[1]
    index, vectors = read_table(tmp_path / "out")
    assert list(index.index) == [f"scan{i}" for i in range(5)]
    assert np.isfinite(vectors).all()


def small_bids(root):
    root.mkdir()
    words = {"Name": "small", "BIDSVersion": "1.10.0"}
    (root / "dataset_description.json").write_text(json.dumps(words))
    items = []
    for session in ("a", "b"):
        folder = root / "sub-01" / f"ses-{session}" / "anat"
        folder.mkdir(parents=True)
        path = folder / f"sub-01_ses-{session}_T1w.nii.gz"
        nib.save(head_image(seed=1, shape=(30, 34, 32)), path)
        items.append(Item(path, "01", None, session))
    return items


def test_codes_of_a_bids_data_set_are_a_bids_derivative(encoder, tmp_path):
    items, out = small_bids(tmp_path / "raw"), tmp_path / "derivatives"
    encode_folder(encoder, items, out)
    stem = out / "sub-01/ses-a/anat/sub-01_ses-a_desc-medvaeT1w_latent"
    content = json.loads(stem.with_suffix(".json").read_text())
    assert content["Sources"] == ["bids:raw1:sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz"]
    about = json.loads((out / "dataset_description.json").read_text())
    assert about["DatasetType"] == "derivative"
    made = json.loads((out / "provenance.json").read_text())
    assert made["software"] == software()
    assert made["model_digest"] == content["model_digest"]
    assert about["DatasetLinks"] == {"raw1": (tmp_path / "raw").as_uri()}
    assert len(find_latents([out])) == 2


def test_codes_of_a_second_data_set_leave_the_first_one_its_name(encoder, tmp_path):
    first, second = (small_bids(tmp_path / name) for name in ("raw b", "raw a"))
    for item in second:
        item.path.rename(item.path.with_name(item.path.name.replace("01", "02")))
    second = [Item(p, "02") for p in sorted((tmp_path / "raw a").rglob("*_T1w.nii.gz"))]
    out = tmp_path / "derivatives"
    for items in (first, second, first[:1]):
        encode_folder(encoder, items, out)
    about = json.loads((out / "dataset_description.json").read_text())
    links = {"raw1": tmp_path / "raw b", "raw2": tmp_path / "raw a"}
    assert about["DatasetLinks"] == {n: at.as_uri() for n, at in links.items()}
    for item, name in ((first[0], "raw1"), (second[0], "raw2")):
        who = item.path.name.removesuffix("_T1w.nii.gz")
        (told,) = out.rglob(f"{who}_desc-medvaeT1w_latent.json")
        (source,) = json.loads(told.read_text())["Sources"]
        assert source.startswith(f"bids:{name}:")


def test_the_bids_validator_accepts_the_derivative(encoder, tmp_path):
    beside = Path(sys.executable).with_name("bids-validator-deno")
    validator = str(beside) if beside.exists() else shutil.which("bids-validator-deno")
    if not validator:
        pytest.skip("bids-validator-deno is not installed")
    out = tmp_path / "derivatives"
    encode_folder(encoder, small_bids(tmp_path / "raw"), out)
    words = [validator, str(out), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue["severity"] == "error"]
    assert errors == []
    assert done.returncode == 0


def test_codes_of_unequal_size_have_maps_but_no_matrix(encoder, tmp_path):
    paths = [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"]
    for path, shape in zip(paths, [(30, 34, 32), (56, 58, 57)], strict=True):
        nib.save(head_image(shape=shape), path)
    out = tmp_path / "out"
    encode_folder(encoder, [Item(path) for path in paths], out, cover="scan")
    assert len((out / "index.tsv").read_text().splitlines()) == 3
    with pytest.raises(UserError, match=r"latents\.npy: not found"):
        read_table(out)


def test_a_latent_without_its_description_is_refused(encoder, tmp_path):
    encode_folder(encoder, folder_of(tmp_path, 1), tmp_path / "out")
    (tmp_path / "out" / "scan0_latent.json").unlink()
    with pytest.raises(UserError, match=r"scan0_latent\.json: cannot be read"):
        read_latent(tmp_path / "out" / "scan0_latent.nii.gz")


def test_a_latent_of_another_model_is_refused(encoder, tmp_path):
    encode_folder(encoder, folder_of(tmp_path, 1), tmp_path / "out")
    with pytest.raises(UserError, match="encoded by another model"):
        read_latent(tmp_path / "out" / "scan0_latent.nii.gz", "other")


def test_a_truncated_latent_is_named(encoder, tmp_path):
    encode_folder(encoder, folder_of(tmp_path, 1), tmp_path / "out")
    target = tmp_path / "out" / "scan0_latent.nii.gz"
    target.write_bytes(target.read_bytes()[:100])
    with pytest.raises(UserError, match=r"scan0_latent\.nii\.gz: does not fit"):
        read_latent(target)


def test_what_is_no_latent_is_refused(tmp_path):
    plain = tmp_path / "scan.nii.gz"
    plain.touch()
    with pytest.raises(UserError, match="not a latent"):
        find_latents([plain])
    with pytest.raises(UserError, match="holds no"):
        find_latents([tmp_path])
    with pytest.raises(UserError, match="file not found"):
        find_latents([tmp_path / "x_latent.nii.gz"])


def test_a_scan_given_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="named twice"):
        stems([tmp_path / "a.nii", tmp_path / "a.nii"])


def test_no_lock_stays_in_a_folder_of_codes(encoder, tmp_path):
    encode_folder(encoder, folder_of(tmp_path, 1), tmp_path / "out")
    hidden = {p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".")}
    assert hidden == {".bidsignore"}
