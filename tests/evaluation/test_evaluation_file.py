import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_cohort import evaluated

from medvae.errors import UserError
from medvae.evaluation import (
    Evaluation,
    read_evaluation,
)


def test_the_same_seed_gives_the_same_file():
    first, second = (evaluated(permutations=5, seed=3).as_dict() for _ in range(2))
    assert first == second


def test_numbers_survive_the_file(tmp_path, blind):
    blind.write(tmp_path / "evaluation.json")
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert set(content["metrics"]["transfer"]["error"]) >= {
        "value",
        "ci95",
        "n",
        "chance",
    }
    assert read_evaluation(tmp_path / "evaluation.json") == blind


def test_a_missing_or_broken_file_names_the_remedy(tmp_path):
    with pytest.raises(UserError, match=r"not found\. Make it with"):
        read_evaluation(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        read_evaluation(tmp_path / "x.json")


def test_another_files_format_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UserError, match="format must be"):
        read_evaluation(tmp_path / "x.json")


def test_an_evaluation_without_numbers_still_makes_a_file(tmp_path):
    empty = Evaluation("r", (), {})
    empty.write(tmp_path / "e.json")
    assert read_evaluation(tmp_path / "e.json") == empty
