"""The one error that a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: one sentence naming file, value and remedy.

    The command line prints it as one line and exits with code 2; every other
    exception keeps its traceback, because it is our mistake.

    Example:
        >>> str(UserError("a.nii.gz: empty file. Remove it or copy it again."))
        'a.nii.gz: empty file. Remove it or copy it again.'
    """
