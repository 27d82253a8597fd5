"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """A mistake that the user can mend; its text is one line that says what is wrong and how.

    Args:
        message: What is wrong and how to mend it, in one line.
        status: The exit status of the command line: 2 for wrong usage, 1 where something failed.
    """

    def __init__(self, message: str, *, status: int = 2) -> None:
        super().__init__(message)
        self.status = status
