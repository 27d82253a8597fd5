"""What is kept of a run, as the JSON of its records."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from bakeoff import provenance
from bakeoff.data.sequences import TokenStream
from bakeoff.recording import Measures, RunState, by_document
from bakeoff.training import EpochRecord, Evaluation, Sample


def stream(tokens, starts):
    ones = np.ones(len(starts), dtype=int)
    return TokenStream(tokens_N=np.array(tokens), starts_D=np.array(starts), words_D=ones, bytes_D=2 * ones)


VALID = stream([0, 0, 1, 2, 3, 0], [0, 3])
NATS = np.array([0.5, 1.0, 2.0, 3.0, 0.5], dtype=np.float32)
RECORD = EpochRecord(nats=6.0, tokens=3, learning_rate=0.1, gradient_norms=np.array([0.5, 1.5, 2.0, 0.75]))
EVALUATION = Evaluation(
    epoch=1,
    step=4,
    nats={"train": NATS, "valid": NATS},
    trained=RECORD,
    samples=(Sample(step=4, train_seconds=1.5, nats=2.5, tokens=2),),
)


@pytest.fixture
def measures():
    return Measures(SimpleNamespace(train_sample=VALID, splits={"train": VALID, "valid": VALID}, vocabulary=4))


def test_a_line_keeps_sums_deciles_samples_and_what_training_showed(measures):
    line = measures.line(EVALUATION, clip=1.0)
    assert json.loads(json.dumps(line)) == line
    assert (line["epoch"], line["step"]) == (1, 4)
    assert {name: line["valid"][name] for name in ("nats", "tokens", "words", "bytes")} == {
        "nats": 7.0,
        "tokens": 5,
        "words": 2,
        "bytes": 4,
    }
    # Of six tokens three are 0, the most frequent: the first decile; the others begin at 3/6, 4/6 and 5/6.
    assert line["valid"]["deciles"] == {
        "nats": [1.0, 0, 0, 0, 0, 1.0, 2.0, 0, 3.0, 0],
        "tokens": [2, 0, 0, 0, 0, 1, 1, 0, 1, 0],
    }
    assert line["sample"] == [{"step": 4, "train_seconds": 1.5, "nats": 2.5, "tokens": 2}]
    assert line["running"] == {"nats": 6.0, "tokens": 3}
    assert line["gradient_norm"]["clipped"] == 0.5
    assert measures.line(EVALUATION, clip=None)["gradient_norm"]["clipped"] == 0.0


def test_documents_share_the_nats_of_their_targets():
    assert by_document(VALID, NATS) == {"nats": [1.5, 5.5], "tokens": [2, 3], "words": [1, 1], "bytes": [2, 2]}


def test_going_on_is_noted_with_whatever_was_not_so_before():
    code = dict.fromkeys(provenance.KEYS, "a")
    kept = RunState(alone=True, environment={"device": "cpu", **code})
    kept.resumed(3, alone=True, environment=code)
    assert (kept.alone, kept.environment["sources"], kept.resumed_at_step) == (True, "a", [3])
    for sources in ("b", "a", "b"):
        kept.resumed(5, alone=False, environment=code | {"sources": sources})
    assert (kept.alone, kept.environment["sources"]) == (False, "a, b")
    assert kept.environment["commit"] == "a"


def test_going_on_on_another_machine_is_named_but_not_by_folders_that_do_not_say():
    code = dict.fromkeys(provenance.KEYS, "a")
    here, there = code | {"processor": "one, of two", "machine": "1"}, code | {"processor": "other", "machine": "2"}
    kept = RunState(alone=True, environment=dict(here))
    for environment in (here, there, there):
        kept.resumed(3, alone=True, environment=environment)
    assert (kept.environment["processor"], kept.environment["machine"]) == ("one, of two, other", "1, 2")
    kept = RunState(alone=True, environment=dict(code))
    kept.resumed(3, alone=True, environment=here)
    assert kept.environment == code
