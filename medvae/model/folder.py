"""A model's folder before its weights are read: is it one, and which sites it knows.

Knows nothing of torch, so that a misspelt name is refused at once.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from medvae.errors import UserError
from medvae.inputs import is_there, near, read_json

FORMAT, VERSION = "medvae-model", 1


def read_content(folder: Path) -> dict[str, Any]:
    """Content of a model's ``config.json``, of a format that this version reads.

    Raises:
        UserError: No such folder, or no model in it.
    """
    path = folder / "config.json"
    try:
        content = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(_no_run(folder)) from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as JSON ({error}). Copy the run again."
        ) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(
            f"{path}: not the configuration of a medvae model. "
            "Name a folder that medvae train wrote."
        )
    if content.get("version") != VERSION:
        raise UserError(
            f"{path}: format version {content.get('version')!r}, this medvae reads "
            f"{VERSION}. Install a matching medvae."
        )
    return content


def _no_run(folder: Path) -> str:
    if folder.is_file():
        return f"{folder}: a file, not a run folder. Name its folder: {folder.parent}"
    if is_there(folder):
        return f"{folder}: not a run folder (no config.json). Make one: medvae train."
    remedy = near(folder) or " Make it: medvae train."
    return f"{folder}: not a run folder (it does not exist).{remedy}"


def check_sites(folder: Path, **asked: str | None) -> None:
    """Refuse sites that a model does not paint for.

    Args:
        folder: Of the model.
        asked: By option, the site that was asked for; None asks for nothing.

    Raises:
        UserError: No model, or a site that it does not know.
    """
    network = read_content(folder).get("network")
    known = network.get("sites") if isinstance(network, dict) else None
    if not isinstance(known, list) or not known:
        return  # whoever loads the model says what is wrong
    for option, site in asked.items():
        if site is not None and site not in known:
            names = {str(name).casefold(): name for name in known}
            close = difflib.get_close_matches(site.casefold(), names, n=1)
            hint = f" Did you mean {names[close[0]]!r}?" if close else ""
            raise UserError(
                f"--{option} {site}: not among the training sites of {folder}: "
                f"{', '.join(map(str, known))}.{hint}"
            )
