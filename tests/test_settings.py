"""Settings that are wrong are told in one line, with what was perhaps meant."""

from __future__ import annotations

import pytest
import yaml

from medvae.comparison.plan import Plan
from medvae.errors import UserError
from medvae.settings import check_settings, read_settings
from medvae.training.config import TrainConfig
from noise_models.plain_yaml import MAX_TEXT, read_plain


@pytest.mark.parametrize(
    ("model", "content", "told"),
    [
        (Plan, {"sed": 1}, "unknown key 'sed'. Did you mean 'seeds'?"),
        (
            Plan,
            {"arms": [{"name": "a", "dispersal": 2}]},
            "unknown key 'arms.0.dispersal'. Did you mean 'dispersion'?",
        ),
        (
            Plan,
            {"phantom": {"sites": ["NYU"], "seeed": 1}},
            "unknown key 'phantom.seeed'. Did you mean 'seed'?",
        ),
        (TrainConfig, {"network": {"chanels": [4]}}, "Did you mean 'channels'?"),
        (TrainConfig, {"seed": -1}, "seed: Input should be greater than"),
    ],
)
def test_the_nearest_key_of_its_own_section_is_named(model, content, told):
    with pytest.raises(UserError) as error:
        check_settings(model, content, "settings.yaml")
    assert str(error.value).startswith("settings.yaml: ")
    assert told in str(error.value)


def test_a_file_that_holds_no_mapping_is_refused_and_an_empty_one_is_not(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("- 1\n")
    with pytest.raises(UserError, match=r"settings\.yaml: must hold keys and values"):
        read_settings(path)
    path.write_text("# nothing yet\n")
    assert read_settings(path) == {}


def test_yaml_longer_than_any_settings_is_refused_unread():
    with pytest.raises(yaml.YAMLError, match="longer than"):
        read_plain("a: " + "1" * MAX_TEXT)
