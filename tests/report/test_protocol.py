import dataclasses

import pytest

from bakeoff.report import protocol


def test_facts_name_corpus_budget_machine_and_versions(study):
    environments = [
        {"bakeoff": "0.1.0", "python": "3.11.7", "torch": "2.13.0", "device_name": "a card", "processor": "a processor"}
        | {"cores": 2, "memory_bytes": 8_000_000_000}
    ]
    facts = dict(protocol.facts(study, [*environments, *environments]))
    assert facts["Corpus"] == "tiny & <b>: fake.txt"
    assert facts["SHA-256 of the corpus"] == "0" * 64
    assert facts["Train"] == "9 documents, 1,001 tokens, 600 words, 3,000 bytes"
    assert facts["Tokenizer"] == "bpe, 300 symbols"
    assert facts["Budget"] == "2 epochs, linear schedule, gradients clipped to norm 1"
    assert facts["Machine"] == "a card, a processor, 2 cores, 8 GB; 1 thread, fp32"
    assert facts["Versions"] == "bakeoff 0.1.0, python 3.11.7, torch 2.13.0"


def test_every_machine_and_version_is_named(study):
    facts = dict(protocol.facts(study, [{"device": "one", "torch": "1"}, {"device": "two", "torch": "2"}]))
    assert facts["Machine"] == "one; two; 1 thread, fp32"
    assert facts["Versions"] == "bakeoff 0.1.0, torch 1 and 2"


def test_a_study_that_never_ran_has_facts_all_the_same(study):
    assert dict(protocol.facts(study, []))["Machine"] == "—; 1 thread, fp32"


@pytest.mark.parametrize(
    ("fields", "folder", "commands"),
    [
        ({}, "fake", ["bakeoff run fake", "bakeoff report runs/fake"]),
        ({"seeds": [0, 1, 2]}, "fake", ["bakeoff run fake --seeds 3", "bakeoff report runs/fake"]),
        ({"seeds": [42]}, "fake", ["bakeoff run fake", "bakeoff report runs/fake"]),
        ({"source": "my study.py"}, "fake", ["bakeoff run 'my study.py'", "bakeoff report runs/fake"]),
        (
            {},
            "fake-x-123456",
            [
                "bakeoff run fake  # with the options that made the folder fake-x-123456",
                "bakeoff report runs/fake-x-123456",
            ],
        ),
    ],
)
def test_commands_repeat_the_study(study, fields, folder, commands):
    assert protocol.commands(dataclasses.replace(study, study=study.study | fields), folder) == commands
