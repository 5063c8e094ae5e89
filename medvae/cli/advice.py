"""What to do when the machine gives out: disk, rights, memory, a worker."""

from __future__ import annotations

import errno

from medvae.memory import lacks_memory

_DISK = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some of your quota",
    errno.EROFS: "Choose a folder that can be written to with -o",
    errno.EACCES: "Ask for the right to it, or choose another path",
    errno.EPERM: "Ask for the right to it, or choose another path",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EIO: "Check the disk",
}
_AGAIN = (
    "; the same command finds what is finished: scans, measurements, arms (train: add "
    "--resume)."
)
_MEMORY = (
    "out of memory. Use fewer --jobs, a smaller optimiser.batch_size or --batch-size, "
    "or a coarser grid" + _AGAIN
)
_LOST = (
    "a worker process was lost, most often to a lack of memory. Use fewer --jobs"
    + _AGAIN
)


def advice(error: BaseException) -> str | None:
    """One line for a failure of the machine; None for one that is our mistake.

    Example:
        >>> advice(OSError(errno.ENOSPC, "No space left on device", "run/a.npy"))
        'run/a.npy: No space left on device. Free some space; the same command finds ...
        >>> advice(ZeroDivisionError()) is None
        True
    """
    kind = type(error).__name__
    text = str(error)
    if lacks_memory(error):
        return _MEMORY
    if kind in {"TerminatedWorkerError", "BrokenProcessPool"}:
        return _LOST
    if isinstance(error, OSError):
        number = error.errno
        if number is None and " requested and " in text:  # numpy's short write
            number = errno.ENOSPC
        if number in _DISK:
            where = error.filename or "writing"
            return f"{where}: {error.strerror or text}. {_DISK[number]}{_AGAIN}"
    if text.startswith("Symlink loop from "):
        return f"{text[18:]}: a link that leads to itself. Remove it."
    if "No space left on device" in text or "file write failed" in text:
        return f"No space left on device. {_DISK[errno.ENOSPC]}{_AGAIN}"
    return None
