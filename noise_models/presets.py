"""Reading a corruption from a YAML file.

A preset is the name of a model and its options, or a chain of such:

    model: rician
    sigma: [0.02, 0.1]

A file with the key ``format: medvae-scanner-noise`` is a fitted scanner noise.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from noise_models.registry import get, names, suggest

if TYPE_CHECKING:
    from noise_models.base import NoiseModel

SCANNER_FORMAT = "medvae-scanner-noise"
_SHIPPED = Path(__file__).parent / "configs"
PRESETS = (
    _SHIPPED if _SHIPPED.is_dir() else Path(__file__).parents[1] / "configs" / "noise"
)
"""The presets: of the wheel, or of a checkout."""


def load(path_or_name: str | os.PathLike[str], **options: object) -> NoiseModel:
    """Build the corruption that a file, a preset or a name describes.

    Args:
        path_or_name: A YAML file (a preset, or what ``medvae fit-noise`` wrote), or
            the name of a preset or model.
        **options: Override the file's options. A fitted file takes ``source`` and
            ``target``, among others.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: Unknown name, model or option; the message starts with the file.

    Example:
        >>> load("rician", sigma=0.1)
        Rician(sigma=0.1)
    """
    name = os.fspath(path_or_name)
    path = Path(name)
    is_file = path.suffix in {".yaml", ".yml"} or len(path.parts) > 1
    if not is_file:
        preset = PRESETS / f"{name}.yaml"
        if not preset.is_file():
            return _unsaved(name, options)
        path = preset
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} not found.{_near(path)} Make it with: medvae fit-noise SITE_A "
            f"SITE_B -o {path}. Or name a preset, or one of: {', '.join(_known())}."
        )
    content = _read(path)
    if content.get("format") == SCANNER_FORMAT:
        from importlib import import_module

        scanner = import_module("noise_models.scanner")
        return cast("NoiseModel", scanner.load_scanner(path, **options))
    try:
        return build({**content, **options})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _near(path: Path) -> str:
    """A file beside it that may have been meant."""
    import difflib  # here, because only mistakes need it

    beside = {other.stem: other for other in sorted(path.parent.glob("*.y*ml"))}
    found = difflib.get_close_matches(path.stem, beside, n=1)
    return f" Did you mean {str(beside[found[0]])!r}?" if found else ""


def build(content: object) -> NoiseModel:
    """The model that a mapping with the key ``model`` describes.

    Lists become tuples; ``model: chain`` takes ``steps``, each of them such a mapping
    or the name of a model.

    Raises:
        ValueError: The key ``model`` is missing, or a name or option is unknown.

    Example:
        >>> build({"model": "gaussian", "sigma": [0.1, 0.2]})
        Gaussian(sigma=(0.1, 0.2))
    """
    if isinstance(content, str):
        content = {"model": content}
    if not isinstance(content, Mapping) or not isinstance(content.get("model"), str):
        raise ValueError(
            f"a noise needs the key 'model' with a name, got {repr(content)[:60]}. "
            f"Known: {', '.join(names())}."
        )
    options = {str(k): _frozen(v) for k, v in content.items() if k != "model"}
    if content["model"] == "chain":
        return _chain(options)
    return get(content["model"], **options)


def _chain(options: Mapping[str, object]) -> NoiseModel:
    from noise_models.chain import Chain

    for key in options:
        if key != "steps":
            raise ValueError(f"chain has no option {key!r}; {suggest(key, ['steps'])}")
    steps = options.get("steps")
    if not isinstance(steps, tuple) or not steps:
        raise ValueError(
            f"chain: steps must be a list of noises, got {steps!r}. "
            "Give each as 'model: NAME' with its options."
        )
    return Chain([build(step) for step in steps])


def _unsaved(name: str, options: Mapping[str, object]) -> NoiseModel:
    """A model that has no preset file: its defaults."""
    known = _known()
    if name not in known:
        raise ValueError(f"no noise model named {name!r}; {suggest(name, known)}")
    return get(name, **options)


def _known() -> list[str]:
    return sorted({*names(), *(path.stem for path in PRESETS.glob("*.yaml"))})


def _read(path: Path) -> dict[str, object]:
    import yaml

    from noise_models.plain_yaml import plain_text, read_plain

    try:
        content = read_plain(plain_text(path))
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise ValueError(f"{path}: not valid YAML ({line}). Mend it.") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: must be a mapping with the key 'model', "
            f"got {type(content).__name__}. Write: model: NAME"
        )
    return content


def _frozen(value: object) -> object:
    """YAML lists as tuples, so that frozen models stay hashable."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
