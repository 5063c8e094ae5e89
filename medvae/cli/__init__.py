"""The command line: verbs, words and exit codes. It holds no method of its own."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer

GO_ON = ("apply", "compare", "decode", "demo", "encode", "evaluate", "harmonize")
"""Verbs that find what an interrupted run of theirs has finished."""

INTERRUPTED = 130


def wait_briefly() -> None:
    """Let OpenMP's threads wait for work awake for a moment, then asleep.

    Before torch is imported. Awake for long, as is usual, they take the core that
    another needs: the step of the default network took .52 s beside two busy processes,
    .30 s so. Asleep at once, they are woken late: .22 s against .11 s otherwise.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")


@contextmanager
def heed_every_interrupt() -> Iterator[None]:
    """Say Ctrl-C again where it fell into the clean-up of an object.

    What a finaliser raises Python prints and forgets, interruptions too, and the
    command would go on as if nobody had asked it to stop.
    """
    show, again = sys.unraisablehook, []

    def say_again(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            show(lost)
            return
        again.append(Timer(0.05, interrupt))  # not now: this is still the clean-up
        again[-1].daemon = True
        again[-1].start()

    sys.unraisablehook = say_again
    try:
        yield
    finally:
        sys.unraisablehook = show
        for one in again:
            one.cancel()


def interrupt() -> None:
    """What Ctrl-C does, from any thread."""
    if os.name == "nt":  # where os.kill would end the process at once
        signal.raise_signal(signal.SIGINT)
    else:  # not raise_signal, which wakes the thread that asks, not the main one
        os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    """Run ``medvae``; an error the user can mend is one line and exit code 2."""
    wait_briefly()
    from medvae.cli.advice import advice
    from medvae.cli.app import app
    from medvae.cli.console import fail
    from medvae.errors import UserError
    from noise_models.kept_memory import keep_freed_memory

    keep_freed_memory()
    try:
        with heed_every_interrupt():
            app()
    except UserError as error:
        fail(str(error))
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != INTERRUPTED:
            raise
        fail(after_interruption(sys.argv[1:]))
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        told = advice(error)
        if told is None:
            raise
        fail(told)
        sys.exit(2)


def after_interruption(words: Sequence[str]) -> str:
    """How to go on after Ctrl-C.

    Example:
        >>> after_interruption(["train", "--noise", "rician"])
        'interrupted. Go on from the last epoch with: medvae train --noise rician
        --resume'
    """
    command = shlex.join(["medvae", *words])
    verbs = [word for word in words if not word.startswith("-")]
    if verbs[:1] == ["noise"]:  # a group: its verb comes after it
        verbs = verbs[1:]
    verb = verbs[0] if verbs else ""
    if verb == "train":
        resumed = command if "--resume" in words else f"{command} --resume"
        return f"interrupted. Go on from the last epoch with: {resumed}"
    if verb == "fit-noise":
        return f"interrupted. What was measured is kept; fit again with: {command}"
    if verb in GO_ON:
        return f"interrupted. What is finished is kept; go on with: {command}"
    return f"interrupted. No file is left half written; start again with: {command}"
