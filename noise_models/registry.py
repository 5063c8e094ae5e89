"""Which corruption models exist, found without importing any of them.

A model is a file ``noise_models/<name>.py`` (or folder ``noise_models/<name>/``) whose
class carries ``@register("<name>")``, or an entry point of the group
``medvae.noise_models`` in any installed package. Listing reads file names only.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from noise_models.base import NoiseModel

    Model = TypeVar("Model", bound=type[NoiseModel])

GROUP = "medvae.noise_models"
_SUPPORT = frozenset(
    {"adapters", "base", "chain", "cosine", "kept_memory", "normals", "plain_yaml"}
    | {"presets", "registry", "separable", "voxelwise", "workers"}
)
_registered: dict[str, type[NoiseModel]] = {}


def names() -> tuple[str, ...]:
    """Every known model, sorted. Imports none of them.

    Raises:
        ValueError: Two models claim one name.

    Example:
        >>> "rician" in names()
        True
    """
    return tuple(sorted(_files() | set(_plugins()) | set(_registered)))


def register(name: str) -> Callable[[Model], Model]:
    """Class decorator that makes a model known under ``name``.

    In this package the name must be the name of the file (or folder). Elsewhere it
    works as soon as the module is imported; an entry point makes it known always.

    Raises:
        ValueError: The name is taken, or is not the file's name.

    Example:
        >>> from noise_models.gaussian import Gaussian
        >>> Gaussian.name
        'gaussian'
    """

    def keep(model: Model) -> Model:
        _check_owner(name, model)
        model.name = name
        _registered[name] = model
        return model

    return keep


def model_class(name: str) -> type[NoiseModel]:
    """The class registered as ``name``, importing only its own module.

    Raises:
        ValueError: No such model; the message lists those there are.

    Example:
        >>> model_class("rician").__name__
        'Rician'
    """
    if name not in names():
        raise ValueError(f"no noise model named {name!r}; {suggest(name, names())}")
    plugins = _plugins()
    if name not in _registered and name in plugins:
        model = cast("type[NoiseModel]", plugins[name].load())
        if name not in _registered:
            register(name)(model)
    elif name not in _registered:
        importlib.import_module(f"noise_models.{name}")
    if name not in _registered:
        raise ValueError(
            f"noise_models/{name} must register a class as {name!r}, got none. "
            f'Decorate it with @register("{name}").'
        )
    return _registered[name]


def get(name: str, **options: object) -> NoiseModel:
    """Build the model called ``name``.

    Args:
        name: One of ``names()``.
        **options: Its fields; each model's docstring lists them.

    Raises:
        ValueError: Unknown name or option, or an option outside its range.

    Example:
        >>> get("rician", sigma=0.05)
        Rician(sigma=0.05)
    """
    model = model_class(name)
    known = getattr(model, "__dataclass_fields__", options)
    for key in options:
        if key not in known:
            raise ValueError(f"{name} has no option {key!r}; {suggest(key, known)}")
    return model(**options)


def suggest(word: str, known: Iterable[str]) -> str:
    """The end of an error message: what is known, and the nearest to ``word``.

    Example:
        >>> suggest("rican", ["gaussian", "rician"])
        "known: gaussian, rician. Did you mean 'rician'?"
    """
    import difflib  # here, because only mistakes need it

    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"known: {', '.join(choices)}.{hint}"


def _files() -> set[str]:
    """Names of the model files and folders beside this one."""
    here = [str(Path(__file__).parent)]
    found = {module.name for module in pkgutil.iter_modules(here)}
    return {name for name in found - _SUPPORT if not name.startswith("_")}


def _plugins() -> dict[str, EntryPoint]:
    """Entry points by name; a clash is an error, never a silent winner."""
    from importlib.metadata import entry_points  # slow to import

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        taken = found.get(point.name)
        if taken is not None and taken.value != point.value:
            raise ValueError(
                f"two packages register the noise model {point.name!r}: "
                f"{taken.value} and {point.value}. Uninstall or rename one."
            )
        found[point.name] = point
    clashes = sorted(set(found) & _files())
    if clashes:
        raise ValueError(
            f"entry point {found[clashes[0]].value} claims {clashes[0]!r}, which "
            f"noise_models has already. Rename the entry point."
        )
    return found


def _check_owner(name: str, model: type[NoiseModel]) -> None:
    """Refuse a name that belongs to another class, file or package."""
    claim = f"{model.__module__}.{model.__qualname__}"
    package, *inner = model.__module__.split(".")
    if package == "noise_models" and inner[:1] != [name]:
        raise ValueError(
            f"{claim} registers as {name!r}, but the registered name must be the "
            f"file name, {'.'.join(inner)!r}. Rename one."
        )
    holder = _owner(name)
    if holder not in (None, claim, package):
        raise ValueError(
            f"{claim} registers as {name!r}, which {holder} has already. "
            "Choose another name."
        )


def _owner(name: str) -> str | None:
    """Who holds ``name``: a class, else the package that promises one."""
    if name in _registered:
        model = _registered[name]
        return f"{model.__module__}.{model.__qualname__}"
    if name in _files():
        return "noise_models"
    point = _plugins().get(name)
    return point.module.split(".")[0] if point else None
