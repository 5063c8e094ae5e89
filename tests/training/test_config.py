"""Settings: precedence, misspelt keys, and values out of range."""

import pytest

from medvae.errors import UserError
from medvae.training.config import TrainConfig, json_schema, load_config


def test_later_sources_win(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("seed: 1\noptimiser: {epochs: 5, batch_size: 2}\n")
    config = load_config(path, ["optimiser.epochs=7", "seed=2"], seed=3)
    assert (config.seed, config.optimiser.epochs) == (3, 7)
    assert config.optimiser.batch_size == 2


def test_a_flag_not_given_changes_nothing():
    assert load_config(seed=None) == load_config()


def test_a_misspelt_key_names_the_nearest():
    with pytest.raises(UserError, match=r"'optimiser\.epoch'.* mean 'epochs'"):
        load_config(overrides=["optimiser.epoch=3"])


def test_a_misspelt_section_lists_what_is_known():
    with pytest.raises(UserError, match=r"unknown key 'zzz'\. Known: noise,"):
        load_config(overrides=["zzz=3"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimiser.epochs=0", r"optimiser\.epochs: .*, got 0"),
        ("network.latent=cube", r"network\.latent: .*, got 'cube'"),
        ("network.likelihood=cauchy", r"likelihood: .*'laplace', got 'cauchy'"),
        ("epochs", "must look like key=value"),
        ("seed.deep=1", "'seed' holds a value"),
        ("noise=[unclosed", "not valid YAML"),
    ],
)
def test_a_bad_value_is_named(override, message):
    with pytest.raises(UserError, match=message):
        load_config(overrides=["seed=1", override])


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a list", "keys and values"), ("a: [", "read as YAML"), ("\x00", "read as")],
)
def test_a_file_that_is_no_mapping_is_named(tmp_path, text, message):
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        load_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: no such file"):
        load_config(tmp_path / "none.yaml")


def test_the_shipped_settings_are_the_defaults():
    from pathlib import Path

    shipped = Path(__file__).parents[2] / "configs" / "train.yaml"
    assert load_config(shipped) == load_config()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["objective.name=dvea"], r"objective\.name: Input should be 'dvae'"),
        (["objective.lam=2"], r"lam 2\.0 would change nothing: dvae reads only corr"),
        (["objective.name=diwae", "objective.beta=2"], r"beta 2\.0 would change noth"),
        (["objective.name=vae", "objective.corruptions=3"], r"corruptions 3 would"),
        (["objective.name=invariance", "objective.lam=-1.5"], r"objective\.lam: .*-1"),
        (
            ["objective.name=invariance", "objective.corruptions=1"],
            r"objective: invariance compares .* at least 2, got 1",
        ),
        (["objective.name=sivi", "objective.corruptions=1"], r"extra of at least 1"),
        (
            ["objective.name=vae", "noise=rician"],
            r"objective\.name vae never sees .* noise rician would change",
        ),
    ],
)
def test_an_objective_s_setting_that_cannot_count_is_refused(overrides, message):
    with pytest.raises(UserError, match=message):
        load_config(overrides=overrides)


def test_an_objective_makes_the_corruptions_it_reads():
    copies = {
        name: load_config(overrides=[f"objective.name={name}", *more]).objective.copies
        for name, more in {
            "dvae": [],
            "sivi": ["objective.extra=3"],
            "vae": [],
        }.items()
    }
    assert copies == {"dvae": 2, "sivi": 5, "vae": 0}


def test_every_setting_is_described_on_one_line():
    schema = json_schema()
    sections = [schema, *schema["$defs"].values()]
    assert len(sections) == 6
    for section in sections:
        for key, told in section["properties"].items():
            assert told.get("description", "").endswith("."), key
            assert "\n" not in told["description"]
        assert "Args" not in section["description"]


def test_a_section_with_all_keys_commented_out_is_at_its_defaults(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text("optimiser:\n  # epochs: 3\naugmentation:\n")
    assert load_config(path) == load_config()
    assert load_config(path, ["optimiser.epochs=3"]).optimiser.epochs == 3
    path.write_text("seed:\n")
    with pytest.raises(UserError, match="seed: Input should be a valid integer"):
        load_config(path)


def test_settings_that_are_no_mapping_are_refused():
    with pytest.raises(ValueError, match="valid dictionary"):
        TrainConfig.model_validate([1, 2])
