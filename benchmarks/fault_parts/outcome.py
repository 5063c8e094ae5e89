"""What a verb wrote, without what may differ between two runs alike."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

VOLATILE = {"seconds", "seconds_per_epoch", "duration_s", "command"}
LITTER = (".partial-", ".part")


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder, by its path.

    JSON is compared without the times and the command that it notes, checkpoints by
    their tensors: the zip archive around them holds no promise.
    """
    return {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "cache" not in path.relative_to(folder).parts
        and not path.name.startswith(LITTER[0])
    }


def litter(folder: Path) -> list[str]:
    """Half-written files that a killed process left and nothing has removed."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name.startswith(LITTER[0]) or path.name.endswith(LITTER[1])
    ]


def _digest(path: Path) -> str:
    if path.suffix == ".json":
        content: Any = _timeless(json.loads(path.read_text(encoding="utf-8")))
    elif path.suffix == ".jsonl":
        lines = path.read_text(encoding="utf-8").splitlines()
        content = [_timeless(json.loads(line)) for line in lines]
    elif path.suffix == ".ckpt":
        return _tensors(path)
    else:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _timeless(content: Any) -> Any:  # noqa: ANN401 (anything JSON holds)
    if isinstance(content, dict):
        return {k: _timeless(v) for k, v in content.items() if k not in VOLATILE}
    if isinstance(content, list):
        return [_timeless(item) for item in content]
    return content


def _tensors(path: Path) -> str:
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    found = hashlib.sha256()
    for name in sorted(state):
        found.update(name.encode())
        found.update(state[name].contiguous().numpy().tobytes())
    return found.hexdigest()
