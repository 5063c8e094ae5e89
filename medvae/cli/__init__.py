"""The command line: verbs, words and exit codes. It holds no method of its own."""

from __future__ import annotations

import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run ``medvae``; an error the user can mend is one line and exit code 2."""
    # Threads that wait for each other must not burn the core the other one needs: on
    # two cores shared with anything else, spinning made training seven times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from medvae.cli.advice import advice
    from medvae.cli.app import app
    from medvae.cli.console import fail
    from medvae.errors import UserError

    try:
        app()
    except UserError as error:
        fail(str(error))
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # how typer ends after Ctrl-C, without a word
            fail("interrupted. The same command goes on from here (train: --resume).")
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        told = advice(error)
        if told is None:
            raise
        fail(told)
        sys.exit(2)
