"""The cases are the models of the studies, so that what is measured is what is run."""

from bakeoff.bench import busy, contenders
from bakeoff.bench.cases import CASES
from bakeoff.bench.turns import OWN
from bakeoff.experiments import QUICK, WIKITEXT_2


def test_every_case_is_a_one_layer_model_of_a_study_at_its_budget():
    studies = [QUICK, QUICK, WIKITEXT_2, WIKITEXT_2]
    for case, study in zip(CASES, studies, strict=True):
        assert case.architecture in [experiment.architecture for experiment in study.experiments]
        assert case.architecture.layers == 1
        assert case.tokens == study.budget.batch_size * study.budget.sequence_length
        assert case.vocabulary == study.budget.vocabulary


def test_every_peer_can_be_built():
    assert {peer for case in CASES for peer in case.peers} | {*busy.WHO} - {OWN} == set(contenders.PEERS)
