"""Settings: precedence, misspelt keys, and values out of range."""

import pytest

from medvae.errors import UserError
from medvae.training.config import load_config


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
