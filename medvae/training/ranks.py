"""Which of the processes that train together this one is."""

from __future__ import annotations

import os

from medvae.errors import UserError

_INTERACTIVE = ("bash", "interactive")  # jobs in which Lightning looks past SLURM


def process_rank() -> int:
    """0 for the one that writes, or for the only one.

    Example:
        >>> process_rank()
        0
    """
    rank, _ = _started()
    return rank


def check_processes(devices: int, nodes: int) -> None:
    """Refuse processes that would not train together.

    Each of them would train alone, and all write one run folder.

    Args:
        devices: Processes of one machine that the settings ask for.
        nodes: Machines that they ask for.

    Raises:
        UserError: torchrun or an srun step has started another number.

    Example:
        >>> check_processes(1, 1)
    """
    _, started = _started()
    if started > 1 and started != devices * nodes:
        raise UserError(
            f"{started} processes were started, but devices x nodes is "
            f"{devices * nodes}: use --set devices={started} (on several machines: "
            "those of one, and --set nodes=...), or start one process."
        )


def _started() -> tuple[int, int]:
    """Rank and number, as torchrun, an srun step or Lightning itself has told them.

    A batch script and an interactive shell have a number of tasks, too, and are one
    process: only a step says how many were started, or a rank above 0.
    """
    if "RANK" in os.environ:
        rank = _number("RANK")
        return rank, max(_number("WORLD_SIZE"), rank + 1)
    if (
        "SLURM_PROCID" in os.environ
        and os.environ.get("SLURM_JOB_NAME") not in _INTERACTIVE
    ):
        rank = _number("SLURM_PROCID")
        tasks = _number("SLURM_STEP_NUM_TASKS") or (rank and _number("SLURM_NTASKS"))
        return rank, max(tasks, rank + 1)
    return _number("LOCAL_RANK"), 1  # Lightning starts what the settings ask for


def _number(name: str) -> int:
    text = os.environ.get(name, "0")
    if not text.isdecimal():
        raise UserError(f"{name}={text}: must be a whole number. Unset it.")
    return int(text)
