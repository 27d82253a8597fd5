"""The one exception that stands for a user's mistake, and how what a user wrote is shown."""

import re

#: What a terminal would obey, a page could not hold, or a reader would not see: controls, escapes, line separators,
#: marks that turn the direction of text, halves of characters, characters that everyone may draw as they like.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\uf8ff\ufeff\ufffe\uffff]")


#: Characters of what a library's error says.
LONGEST = 500


class UserError(Exception):
    """A mistake that the user can mend; its text is one line that says what is wrong and how.

    Args:
        message: What is wrong and how to mend it, in one line.
        status: The exit status of the command line: 2 for wrong usage, 1 where something failed.
    """

    def __init__(self, message: str, *, status: int = 2) -> None:
        super().__init__(message)
        self.status = status


def one_line(error: BaseException) -> str:
    """What an error of a library says: Ray's and torch's have many lines, and some say nothing but their name."""
    return " ".join(str(error).split())[:LONGEST] or type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of that, which is the reason where a library goes on with what it tried."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def plain(text: str) -> str:
    """The text with every character that is not there to be seen written as its escape, as in a string's literal."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
