"""A reviewer's check of study folders: every number made again from what it was made of, and one run trained again.

Nothing is written in them: the rest lies in temporary folders, and what is made of texts in the cache.
"""

from bakeoff.verifying.review import Difference, Review
from bakeoff.verifying.verification import HowFar, Verification

__all__ = ["Difference", "HowFar", "Review", "Verification"]
