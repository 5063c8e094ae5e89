"""A whole training run: what it writes, what it learns, what it survives."""

import json
import sys
from pathlib import Path

import pytest
import torch

import noise_models
from medvae.encoding.encoder import Encoder
from medvae.errors import UserError
from medvae.model.likelihood import Laplace
from medvae.model.weights import load_model
from medvae.training.checkpoints import WholeCheckpoints
from medvae.training.material import check_held_out
from medvae.training.progress import read_metrics
from medvae.training.run import train
from medvae.training.run_folder import refuse_used

sys.path.insert(0, str(Path(__file__).parent))
from training_material import Waves, cohort, material, settings

RICIAN = noise_models.get("rician", sigma=(0.05, 0.1))


def run_in(folder, *overrides, noise=RICIAN, **options):
    return train(settings(*overrides), cohort(), material(), noise, folder, **options)


def weights(run):
    return load_model(run).state_dict()


def lines(run):
    return [json.loads(t) for t in (run / "metrics.jsonl").read_text().splitlines()]


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def stopped_after_half(done, total, label):
    if done > total // 2 + 1:
        raise KeyboardInterrupt


def test_run_folder_holds_what_the_design_promises(tmp_path):
    run = run_in(tmp_path / "run")
    expected = {"config.yaml", "config.json", "model.safetensors", "noise.yaml"}
    expected |= {"metrics.jsonl", "checkpoints", "README.md", "splits.json"}
    assert expected <= {path.name for path in run.iterdir()}
    assert noise_models.load(run / "noise.yaml") == RICIAN


def test_training_raises_the_bound(tmp_path):
    told = lines(run_in(tmp_path / "run", "optimiser.epochs=12"))
    assert told[-1]["train_bound"] > told[0]["train_bound"] + 500


@pytest.mark.parametrize(
    "overrides",
    [
        ["objective.name=sivi", "objective.extra=1"],
        ["objective.name=diwae", "objective.weighting=mixture"],
        ["objective.name=invariance", "objective.lam=2"],
    ],
    ids=lambda overrides: overrides[0].rpartition("=")[2],
)
def test_every_objective_trains_and_differs_from_the_denoising_bound(
    tmp_path, overrides
):
    told = lines(run_in(tmp_path / "run", *overrides))
    plain = lines(run_in(tmp_path / "dvae"))
    assert told[-1]["train_bound"] > told[0]["train_bound"]
    assert told[0]["train_bound"] != plain[0]["train_bound"]


@pytest.mark.parametrize("name", ["vae", "iwae"])
def test_a_clean_objective_trains_without_corruption(tmp_path, name):
    class Forbidden(type(RICIAN)):
        def apply(self, x, params, rng, *, spacing_mm=None):
            raise AssertionError("corrupted")

    config = settings(f"objective.name={name}", "objective.samples=2", noise="none")
    forbidden = Forbidden(sigma=(0.05, 0.1))
    told = lines(train(config, cohort(), material(), forbidden, tmp_path / "run"))
    assert told[-1]["train_bound"] > told[0]["train_bound"]


def test_free_bits_keep_more_in_the_code(tmp_path):
    plain = lines(run_in(tmp_path / "plain", "optimiser.epochs=6"))
    free = lines(
        run_in(tmp_path / "free", "optimiser.epochs=6", "objective.free_bits=2")
    )
    assert free[-1]["train_kl"] > plain[-1]["train_kl"]


def test_same_seed_same_weights_and_another_seed_others(tmp_path):
    first, again = run_in(tmp_path / "a"), run_in(tmp_path / "b")
    other = run_in(tmp_path / "c", "seed=1")
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_two_batches_a_step_are_one_of_twice_the_size(tmp_path):
    def told(name, *overrides):
        run = train(settings(*overrides), cohort(12), material(12), RICIAN, name)
        return [line["train_bound"] for line in lines(run)]

    large = told(tmp_path / "large", "optimiser.batch_size=4")
    small = told(tmp_path / "small", "optimiser.accumulate=2")
    assert small == pytest.approx(large, rel=1e-4)
    alone = told(tmp_path / "alone")
    assert alone != pytest.approx(large, rel=1e-4)


def test_an_interrupted_run_ends_like_an_uninterrupted_one(tmp_path):
    whole = run_in(tmp_path / "whole", "optimiser.epochs=4")

    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        run_in(broken, "optimiser.epochs=4", progress=stopped_after_half)
    resumed = run_in(broken, "optimiser.epochs=4", resume=True)
    assert same(weights(whole), weights(resumed))
    epochs = [line["epoch"] for line in lines(resumed)]
    assert epochs == [0, 1, 2, 3]
    assert all("train_bound" in line for line in lines(resumed))


def test_a_run_keeps_its_likelihood_when_resumed_and_loaded(tmp_path):
    asked = ("network.likelihood=laplace", "optimiser.epochs=4")
    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path / "run", *asked, progress=stopped_after_half)
    with pytest.raises(UserError, match=r"config\.yaml: its settings differ"):
        run_in(tmp_path / "run", "optimiser.epochs=4", resume=True)
    resumed = run_in(tmp_path / "run", *asked, resume=True)
    assert isinstance(load_model(resumed).likelihood, Laplace)
    assert Encoder.load(resumed).likelihood == "laplace"
    assert same(weights(resumed), weights(run_in(tmp_path / "whole", *asked)))
    gaussian = run_in(tmp_path / "gaussian", "optimiser.epochs=4")
    assert lines(gaussian)[-1]["train_bound"] != lines(resumed)[-1]["train_bound"]


def test_a_used_folder_is_not_overwritten(tmp_path):
    run_in(tmp_path / "run")
    with pytest.raises(UserError, match=r"not empty\. Go on with --resume"):
        run_in(tmp_path / "run")


def test_resuming_with_other_settings_is_refused(tmp_path):
    run_in(tmp_path / "run")
    with pytest.raises(UserError, match="settings differ from those"):
        run_in(tmp_path / "run", "seed=5", resume=True)


def test_resuming_with_another_noise_is_refused(tmp_path):
    run_in(tmp_path / "run")
    other = noise_models.get("rician", sigma=(0.05, 0.2))
    with pytest.raises(UserError, match=r"noise\.yaml: its corruption differ"):
        run_in(tmp_path / "run", noise=other, resume=True)


def test_resuming_with_other_people_is_refused(tmp_path):
    run_in(tmp_path / "run")
    stuff = material()
    other = type(stuff)(
        stuff.scans, stuff.volumes, stuff.splits | {"s0": "validation"}, {}
    )
    with pytest.raises(UserError, match=r"splits\.json: its subjects differ"):
        train(settings(), cohort(), other, RICIAN, tmp_path / "run", resume=True)


def test_the_number_of_processes_may_change_on_resuming(tmp_path):
    run_in(tmp_path / "run")
    run_in(tmp_path / "run", "jobs=1", resume=True)


def test_a_refused_setting_leaves_no_folder(tmp_path):
    with pytest.raises(UserError, match="multiples of 4"):
        run_in(tmp_path / "run", "grid.shape=[17,24,16]")
    assert not (tmp_path / "run").exists()


def test_held_out_site_is_neither_trained_on_nor_known(tmp_path):
    run = run_in(tmp_path / "run", "held_out=[B]")
    assert load_model(run).config.sites == ("A",)


def test_nothing_left_to_train_on_is_refused(tmp_path):
    with pytest.raises(UserError, match="no scans are left"):
        run_in(tmp_path / "run", "held_out=[A, B]")


def test_unconditional_decoder_knows_no_site(tmp_path):
    run = run_in(tmp_path / "run", "network.conditional=false")
    assert load_model(run).config.sites == ()


def test_corruption_reaches_the_input_alone(tmp_path):
    class Recorder(type(RICIAN)):
        def apply(self, x, params, rng, *, spacing_mm=None):
            before = x.clone()
            y = super().apply(x, params, rng, spacing_mm=spacing_mm)
            assert torch.equal(x, before)
            assert not torch.equal(x, y)
            return y

    run_in(tmp_path / "run", noise=Recorder(sigma=(0.05, 0.1)))


def test_a_loss_that_is_not_finite_names_its_scans(tmp_path):
    class Broken(Waves):
        def image(self, index):
            return super().image(index) * (float("nan") if index == 3 else 1)

    stuff = material()
    broken = type(stuff)(stuff.scans, Broken(), stuff.splits, {})
    with pytest.raises(UserError, match=r"B/s3"):
        train(settings(), cohort(), broken, RICIAN, tmp_path / "run")


def test_an_unknown_device_is_named(tmp_path):
    with pytest.raises(UserError, match=r"--device tpu9: must be one of"):
        run_in(tmp_path / "run", "device=tpu9")


def test_a_file_is_no_folder_to_train_into(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="run: not a folder to write to"):
        refuse_used(tmp_path / "run", resume=False)


def test_someone_must_be_left_to_learn_from():
    with pytest.raises(UserError, match="leaves no site to train on"):
        check_held_out(cohort(), ("A", "B"))
    check_held_out(cohort(), ("A",))


def test_numbers_of_a_run_that_is_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match=r"metrics\.jsonl not found\. It is written by"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_a_checkpoint_that_torch_refuses_keeps_torch_s_words(tmp_path, monkeypatch):
    def refused(*_):
        raise RuntimeError("cannot be stored")

    monkeypatch.setattr("medvae.training.checkpoints.torch.save", refused)
    with pytest.raises(RuntimeError, match="cannot be stored"):
        WholeCheckpoints().save_checkpoint({}, tmp_path / "last.ckpt")
    assert list(tmp_path.iterdir()) == []
