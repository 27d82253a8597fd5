"""Which small language model, trained by which optimizer, on your text and machine, and how sure can you be?"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bakeoff.errors import UserError
    from bakeoff.loading import load, load_floor
    from bakeoff.reporting.results import report, rows
    from bakeoff.verbs import choose, judge, probe, run, tune
else:
    #: Where each name is; it is imported when it is first asked for, as torch and polars take their time.
    _PLACES = {
        **dict.fromkeys(("choose", "judge", "probe", "run", "tune"), "verbs"),
        **dict.fromkeys(("load", "load_floor"), "loading"),
        "UserError": "errors",
        **dict.fromkeys(("report", "rows"), "reporting.results"),
    }

    def __getattr__(name: str) -> object:
        if name in _PLACES:
            return getattr(import_module(f"bakeoff.{_PLACES[name]}"), name)
        raise AttributeError(f"module 'bakeoff' has no attribute {name!r}")


__all__ = ["UserError", "choose", "judge", "load", "load_floor", "probe", "report", "rows", "run", "tune"]


def __dir__() -> list[str]:
    return [*globals(), *__all__]
