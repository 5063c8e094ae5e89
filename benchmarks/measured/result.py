"""Results files: what was measured, how, and with which software."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"


def header(command: str, *packages: str) -> dict[str, Any]:
    """Command, machine and versions, for the top of a results file."""
    return {
        "command": f"python benchmarks/{command}",
        "machine": machine(),
        "software": {"python": platform.python_version(), **_versions(packages)},
    }


def machine() -> dict[str, Any]:
    """Cores, processor, memory, and how busy the machine was with other work."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "cores": cores or os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(_memory() / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    return next(names, platform.machine())


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in (*packages, "medvae-denoise"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def write(name: str, result: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write ``folder``/name.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
