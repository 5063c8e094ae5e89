"""Whether it was memory that gave out, whoever asked for it."""

from __future__ import annotations

_WORDS = ("can't allocate memory", "Cannot allocate memory")


def lacks_memory(error: BaseException) -> bool:
    """Whether an error of numpy, torch or the system is a lack of memory.

    Knows nothing of torch, which has an error of its own for a GPU and none for a CPU.

    Example:
        >>> lacks_memory(MemoryError()), lacks_memory(RuntimeError("shape mismatch"))
        (True, False)
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error) for words in _WORDS)
