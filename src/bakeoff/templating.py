"""Templates of sentences, pages and figures, in which numbers and lists are written as `words` has them."""

import hashlib
import os
import re
import sys
from pathlib import Path

import jinja2

from bakeoff import words

#: The functions of `words` that templates write numbers and lists with.
_FILTERS = (
    *(words.number, words.perplexity, words.small, words.nats, words.signed, words.percent, words.duration),
    *(words.megabytes, words.in_megabytes, words.count, words.millions, words.rate, words.joined, words.spelled),
    *(words.counted, words.plural, words.sentence, words.numbers, words.epochs),
)


def folded(text: str) -> str:
    """White space folded, and none before a full stop or a comma: what a template's unused lines leave behind goes.

    Before a % no line breaks, nor in `95 % interval`.
    """
    tight = re.sub(r"\s+(?=[.,;:)?])|(?<=\()\s+", "", " ".join(text.split()))
    return re.sub(r"(?<=\d) (?=%)|(?<=\d %) (?=interval)", "\N{NO-BREAK SPACE}", tight)


def environment(loader: jinja2.BaseLoader | None = None, *, markup: bool = False) -> jinja2.Environment:
    """Where templates are rendered, with the functions of `words` as filters.

    Args:
        loader: Finds the templates.
        markup: Whether what comes out is markup, in which all that is shown is escaped. Sentences are plain text: the
            page and the typesetter escape what they show.
    """
    made = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        autoescape=markup,  # noqa: S701 (as told above)
        trim_blocks=markup,
        lstrip_blocks=markup,
        bytecode_cache=_compiled(),
    )
    made.filters |= {function.__name__: function for function in _FILTERS}
    return made


def _compiled() -> jinja2.BytecodeCache | None:
    """Compiled templates lie where Python has its compiled modules, if it may: compiling them anew takes a second."""
    folder = Path(__file__).parent / "__pycache__"
    if sys.dont_write_bytecode or not os.access(folder, os.W_OK):
        return None
    # Compiling computes what filters make of constants, so templates are compiled anew when these filters change.
    source = hashlib.sha256(Path(words.__file__).read_bytes()).hexdigest()
    return jinja2.FileSystemBytecodeCache(str(folder), f"template-%s-{source[:8]}.jinja")
