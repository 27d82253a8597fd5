import math
from types import SimpleNamespace

import numpy as np
import pytest

from bakeoff.analysis.evaluations import Parts
from bakeoff.choosing import answer
from bakeoff.metrics import Tally


def row(nats_D, tokens_D):
    test = Tally(nats=float(sum(nats_D)), tokens=int(sum(tokens_D)), words=1, bytes=4 * int(sum(tokens_D)))
    return SimpleNamespace(test=test, documents={"test": Parts(nats=tuple(nats_D), tokens=tuple(tokens_D))})


def test_the_interval_on_unseen_text_covers_what_it_states():
    """Documents differ in length and difficulty, runs differ by seed; the truth is what endless text would cost."""
    chance, difficulty, deviation_nats = np.random.default_rng(0), 0.4, 0.02
    deviation = deviation_nats / (4 * math.log(2))
    truth, covered, tries = 3.0 / (4 * math.log(2)), 0, 2000
    for _ in range(tries):
        tokens_D = chance.integers(50, 500, size=60)
        losses_D = 3.0 + chance.normal(0, difficulty, size=60) + chance.normal(0, deviation_nats)
        expected = answer.unseen(row(losses_D * tokens_D, tokens_D), deviation)
        covered += expected.low <= truth <= expected.high
    assert 0.93 <= covered / tries <= 0.975


def test_a_few_documents_say_nothing_of_others():
    assert answer.unseen(row([1.0] * 9, [1] * 9), 0.0) is None


def test_a_power_law_is_found_again():
    law = answer.power_law([(x, 3.0 * x**-0.2) for x in (1.0, 3.0, 10.0)])
    assert law(100.0) == pytest.approx(3.0 * 100**-0.2)
    assert answer.power_law([(1.0, 1.0)])(2.0) == math.inf
