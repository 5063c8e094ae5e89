"""Finding models by file name and by entry point."""

import importlib.metadata
import subprocess
import sys
import types
from importlib.metadata import EntryPoint

import pytest

import noise_models
from noise_models import registry
from noise_models.gaussian import Gaussian

PLUGIN = """
from dataclasses import dataclass
from noise_models.gaussian import Gaussian
from noise_models import register

@register("speckle")
@dataclass(frozen=True)
class Speckle(Gaussian):
    pass

@dataclass(frozen=True)
class Undecorated(Gaussian):
    pass
"""


@pytest.fixture
def plugins(monkeypatch, tmp_path, spare_registry):
    """Pretend that installed packages declare these entry points."""
    (tmp_path / "speckle_package.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)

    def declare(*pairs):
        points = [EntryPoint(n, v, registry.GROUP) for n, v in pairs]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)

    yield declare
    sys.modules.pop("speckle_package", None)


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_listing_loads_neither_torch_nor_any_model():
    code = (
        "import sys, noise_models; assert 'rician' in noise_models.names(); "
        "heavy = {'torch', 'numpy', 'scipy', 'monai', 'noise_models.rician'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(code) == "[]"


def test_getting_one_model_imports_no_other():
    code = (
        "import sys, noise_models; noise_models.get('gaussian'); "
        "print('noise_models.rician' in sys.modules)"
    )
    assert run(code) == "False"


def test_base_registry_and_chain_are_not_models():
    support = {"base", "registry", "chain", "presets", "cosine", "separable"}
    assert not support & set(noise_models.names())


def test_folder_with_a_model_counts_as_its_name():
    assert "scanner" in noise_models.names()


def test_unknown_name_lists_the_known_and_the_nearest():
    with pytest.raises(ValueError, match=r"'rican'; known: .*Did you mean 'rician'\?"):
        noise_models.get("rican")


def test_unknown_option_names_the_nearest():
    with pytest.raises(ValueError, match=r"rician has no option 'sigme'.*'sigma'"):
        noise_models.get("rician", sigme=0.1)


def test_option_for_a_model_without_options_is_refused():
    with pytest.raises(ValueError, match="none has no option 'p'"):
        noise_models.get("none", p=0.1)


def test_entry_point_is_listed_before_it_is_imported(plugins):
    plugins(("speckle", "speckle_package:Speckle"))
    assert "speckle" in noise_models.names()
    assert "speckle_package" not in sys.modules


def test_entry_point_builds_with_its_options(plugins):
    plugins(("speckle", "speckle_package:Speckle"))
    assert noise_models.get("speckle", sigma=0.3).sigma == 0.3


def test_entry_point_needs_no_decorator(plugins):
    plugins(("bare", "speckle_package:Undecorated"))
    model = noise_models.get("bare")
    assert (type(model).__name__, model.name) == ("Undecorated", "bare")


def test_two_packages_with_one_name_are_an_error(plugins):
    plugins(("speckle", "speckle_package:Speckle"), ("speckle", "other:Speckle"))
    with pytest.raises(ValueError, match=r"two packages register.*'speckle'"):
        noise_models.names()


def test_entry_point_cannot_replace_a_file(plugins):
    plugins(("rician", "speckle_package:Speckle"))
    with pytest.raises(ValueError, match="claims 'rician', which noise_models has"):
        noise_models.get("rician")


def test_class_cannot_take_the_name_of_a_file_not_yet_imported(plugins):
    plugins()
    registry._registered.pop("rician", None)
    with pytest.raises(ValueError, match="'rician', which noise_models has already"):
        noise_models.register("rician")(type("Mine", (Gaussian,), {}))


def test_second_class_under_one_name_is_an_error(plugins):
    plugins()
    noise_models.register("mine")(type("Mine", (Gaussian,), {}))
    with pytest.raises(ValueError, match=r"Other registers as 'mine'.*Mine has"):
        noise_models.register("mine")(type("Other", (Gaussian,), {}))


def test_file_must_carry_its_own_name(plugins):
    plugins()
    fields = {"__module__": "noise_models.speckle"}
    with pytest.raises(ValueError, match="must be the file name, 'speckle'"):
        noise_models.register("spekle")(type("Speckle", (Gaussian,), fields))


def test_file_that_registers_nothing_is_named(plugins, monkeypatch):
    plugins()
    monkeypatch.setattr(registry, "_files", lambda: {"empty"})
    monkeypatch.setitem(sys.modules, "noise_models.empty", types.ModuleType("empty"))
    with pytest.raises(ValueError, match="must register a class as 'empty', got none"):
        noise_models.get("empty")


def test_missing_attribute_is_named():
    with pytest.raises(AttributeError, match="no attribute 'Rican'"):
        _ = noise_models.Rican


def test_lazy_names_are_listed():
    assert set(noise_models.__all__) <= set(dir(noise_models))
