"""Exported models do what the run does, with the tools of their world."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import torch
import yaml
from markdown_it import MarkdownIt
from small_encoder import head_image, small_encoder
from typer.testing import CliRunner

import medvae
from medvae.cli.app import app
from medvae.encoding.table import read_table
from medvae.errors import UserError
from medvae.evaluation import Estimate, Evaluation
from medvae.export import export_run
from medvae.export.bundle import encode_files
from medvae.export.card import Story, model_card, read_story
from medvae.export.huggingface import write_huggingface
from medvae.model.weights import save_model
from medvae.training.run_folder import Plan


def test_onnx_agrees_with_torch_on_any_number_of_volumes(run, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="extra 'onnx' is missing")
    told = export_run(run, tmp_path / "onnx", "onnx")
    assert "agrees with torch" in told[0]
    encoder = medvae.Encoder.load(run)
    x = torch.rand(3, 1, 24, 24, 24, generator=torch.Generator().manual_seed(5))
    session = runtime.InferenceSession(tmp_path / "onnx" / "encoder.onnx")
    mean, std = session.run(None, {"volume": x.numpy()})
    expected = encoder.encode_batch(x)
    assert np.allclose(mean, expected[0], atol=1e-4)
    assert np.allclose(std, expected[1], atol=1e-4)
    session = runtime.InferenceSession(tmp_path / "onnx" / "decoder.onnx")
    for site, label in enumerate(("A", "B", None)):
        fed = {"code": mean, "site": np.full(3, site)}
        (image,) = session.run(None, fed)
        painted = encoder.decode_batch(torch.from_numpy(mean), label)
        assert np.allclose(image, painted, atol=1e-4)
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes["sites"]) == ["A", "B", None]


def test_an_onnx_that_differs_is_not_kept(run, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="extra 'onnx' is missing")
    monkeypatch.setattr("medvae.export.onnx.TOLERANCE", 0.0)
    with pytest.raises(UserError, match=r"encoder\.onnx differs from torch"):
        export_run(run, tmp_path / "onnx", "onnx")
    assert not (tmp_path / "onnx").exists()


def test_an_onnx_that_gives_no_numbers_is_not_kept(run, tmp_path, monkeypatch):
    nothing = SimpleNamespace(run=lambda _, fed: [np.full(1, np.nan)] * 2)
    runtime = SimpleNamespace(InferenceSession=lambda *_, **__: nothing)
    monkeypatch.setattr("medvae.export.onnx._onnxruntime", lambda: runtime)
    monkeypatch.setattr("medvae.export.onnx._write", lambda *_: None)
    with pytest.raises(UserError, match=r"encoder\.onnx differs from torch by inf"):
        export_run(run, tmp_path / "onnx", "onnx")
    assert not (tmp_path / "onnx").exists()


def test_without_onnxruntime_the_extra_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    remedy = r"needs the extra 'onnx': pip install 'medvae-denoise\[onnx\]'\.$"
    with pytest.raises(UserError, match=remedy):
        export_run(run, tmp_path / "onnx", "onnx")


def test_the_hugging_face_layout_encodes_as_the_run(run, tmp_path):
    export_run(run, tmp_path / "hub", "huggingface")
    image = head_image()
    there = medvae.Encoder.load(tmp_path / "hub").encode(image)
    assert np.array_equal(there.mean, medvae.Encoder.load(run).encode(image).mean)
    names = {path.name for path in (tmp_path / "hub").iterdir()}
    assert "splits.json" not in names  # labels of people


def test_the_card_states_sites_noise_evaluation_and_limits(run):
    story, encoder = read_story(run), medvae.Encoder.load(run)
    text = model_card(story, encoder)
    head = yaml.safe_load(text.split("---")[1])
    assert head["library_name"] == "medvae-denoise"
    for words in (
        "| Training sites | A, B |",
        "2 train, 1 validation",
        "KKI",
        "rician",
    ):
        assert words in text
    assert "Not evaluated" in text
    assert "Not a medical device" in text
    numbers = {"reconstruction": {"psnr_seen": Estimate(21.5, (20.0, 23.0), 9)}}
    numbers["reconstruction"]["psnr_held_out"] = Estimate(19.25, (18.0, 20.0), 7)
    evaluation = Evaluation("run", ("KKI",), numbers)
    text = model_card(
        type(story)(story.settings, None, story.plan, evaluation), encoder
    )
    assert "| Held-out reconstruction (dB) | 19.2 | 18.0 to 20.0 |" in text
    assert "| 95 % interval | against | n |" in text


def test_labels_are_text_in_the_card(run):
    encoder = medvae.Encoder.load(run)
    label = "<script>a</script> | ![b](http://c.d/e)"
    evaluation = Evaluation("run", (label,), {}, notes=(label,))
    text = model_card(Story(None, None, Plan((label,), {}), evaluation), encoder)
    shown = MarkdownIt("commonmark").enable("table").render(text)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<td>&lt;script&gt;a&lt;/script&gt; | ![b](http://c.d/e)</td>" in shown


@pytest.mark.slow
def test_the_bundle_runs_with_monai_s_own_command(run, tmp_path):
    bundle, scans = tmp_path / "my bundle", tmp_path / "scans"
    told = export_run(run, bundle, "monai-bundle")
    scans.mkdir()
    nib.save(head_image(), scans / "a.nii.gz")
    words = shlex.split(told[1].removeprefix("run it with: "))
    named = {"python": sys.executable, "SCANS": scans, "codes": tmp_path / "codes"}
    words = [str(named.get(word, word)) for word in words]
    subprocess.run(words, check=True, env=os.environ, capture_output=True)
    index, vectors = read_table(tmp_path / "codes")
    assert list(index.index) == ["a"]
    expected = medvae.Encoder.load(run).encode(scans / "a.nii.gz")
    assert np.allclose(vectors[0], expected.vector, atol=1e-5)


@pytest.mark.parametrize("out", ["codes", ""])
def test_a_bundle_run_again_does_not_take_its_own_codes_for_scans(run, tmp_path, out):
    nib.save(head_image(), tmp_path / "a.nii.gz")
    nib.save(head_image(seed=1), tmp_path / "b_latent.nii.gz")  # whatever its name
    wanted = ["a.nii.gz", "b_latent.nii.gz"] if out else ["a.nii.gz"]
    for _ in range(2):
        scans = sorted(map(str, tmp_path.rglob("*.nii*")))
        done = encode_files(str(run), scans, str(tmp_path / out), "cpu")
        assert [Path(scan).name for scan in done] == wanted


def test_the_metadata_has_what_monai_s_schema_requires(run, tmp_path):
    export_run(run, tmp_path / "bundle", "monai-bundle")
    required = ["schema", "version", "monai_version", "pytorch_version"]
    required += ["numpy_version", "required_packages_version", "task", "description"]
    required += ["authors", "copyright", "network_data_format"]
    content = json.loads((tmp_path / "bundle/configs/metadata.json").read_text())
    assert set(required) <= set(content)
    assert content["schema"].endswith("/meta_schema_20240725.json")


@pytest.mark.slow
def test_monai_s_check_of_the_network_s_shapes_passes(run, tmp_path):
    export_run(run, tmp_path / "bundle", "monai-bundle")
    configs = tmp_path / "bundle" / "configs"
    words = [sys.executable, "-m", "monai.bundle", "verify_net_in_out"]
    words += ["--net_id", "network_def", "--meta_file", str(configs / "metadata.json")]
    words += ["--config_file", str(configs / "inference.json"), "--device", "cpu"]
    words += ["--bundle_root", str(tmp_path / "bundle")]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_full_folder_is_not_written_over(run, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        export_run(run, tmp_path, "huggingface")
    with pytest.raises(UserError, match="not a run folder"):
        export_run(tmp_path, tmp_path / "out", "onnx")


def test_the_command_writes_beside_the_run(run, tmp_path):
    result = CliRunner().invoke(
        app, ["export", str(run), "--format", "huggingface", "-o", str(tmp_path / "x")]
    )
    assert result.exit_code == 0
    written, look = result.output.splitlines()
    assert written.endswith("the card is README.md")
    assert look.startswith("noise.yaml may name the scans")


def test_weights_alone_are_exported_with_a_card_that_says_what_is_not_known(tmp_path):
    (tmp_path / "bare").mkdir()
    encoder = small_encoder()
    save_model(encoder.vae, tmp_path / "bare")
    (tmp_path / "out").mkdir()
    told = write_huggingface(tmp_path / "bare", encoder, tmp_path / "out")
    assert len(told) == 1  # no noise to warn of
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| Subjects | not recorded |" in card
    assert "| Objective | not recorded |" in card
    assert not (tmp_path / "out" / "noise.yaml").exists()


def test_a_bundle_names_the_scans_that_it_could_not_encode(run, tmp_path):
    with pytest.raises(UserError, match="no scans: give --dataset_dir"):
        encode_files(str(run), [], str(tmp_path / "out"), "cpu")
    (tmp_path / "bad.nii").write_bytes(b"not a scan")
    with pytest.raises(UserError, match=r"bad\.nii: not a readable NIfTI"):
        encode_files(str(run), [str(tmp_path / "bad.nii")], str(tmp_path / "o"), "cpu")
