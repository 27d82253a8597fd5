"""The course report that Bakeoff starts from, beside a study: its table, its biased perplexity, its conclusions."""

from bakeoff.analysis.published.beside import Beside, assumptions, beside, is_comparable
from bakeoff.analysis.published.conclusions import Conclusion, conclusions
from bakeoff.analysis.published.table import RUNS, PublishedRun, bias, biased_perplexity, true_perplexity

__all__ = [
    "RUNS",
    "Beside",
    "Conclusion",
    "PublishedRun",
    "assumptions",
    "beside",
    "bias",
    "biased_perplexity",
    "conclusions",
    "is_comparable",
    "true_perplexity",
]
