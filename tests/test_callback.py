"""Inside someone's own training: a real, tiny `Trainer`."""

import contextlib

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    TrainingArguments,
)

from bakeoff import importing
from bakeoff.data import corpora, tokenizers
from bakeoff.importing import Told
from test_readme import ROOT, block

BLOCK = 16


@pytest.fixture(scope="module")
def text(tiny_corpus_file):
    return corpora.load(corpora.choose(str(tiny_corpus_file)))


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory):
    """A run of two epochs, the second one gone on with by another `Trainer`; and how its valid was cut into blocks."""
    folder, bpe = tmp_path_factory.mktemp("trainer"), tokenizers.train_bpe(text.splits["train"], 280)
    blocks = {}
    for split in ("train", "valid"):
        ids = torch.tensor(bpe.encode("\n".join(text.splits[split])).ids)
        blocks[split] = [{"input_ids": row, "labels": row} for row in ids.split(BLOCK) if len(row) == BLOCK]
    config = GPT2Config(vocab_size=280, n_embd=16, n_head=2, n_layer=1, n_positions=BLOCK)
    quiet = {"report_to": [], "disable_tqdm": True, "logging_steps": 20, "save_strategy": "epoch", "use_cpu": True}
    code = block(ROOT / "docs" / "along.md", "BakeoffCallback")  # as it is told how to
    for epochs in (1, 2):
        names = {
            "model": GPT2LMHeadModel(config),
            "arguments": TrainingArguments("out", num_train_epochs=epochs, eval_strategy="epoch", **quiet),
            **blocks,
            "tokenizer": PreTrainedTokenizerFast(tokenizer_object=bpe),
        }
        resuming = "trainer.train()", f"trainer.train(resume_from_checkpoint={epochs > 1})"
        with contextlib.chdir(folder):
            exec(code.replace(*resuming), names)  # noqa: S102 (ours)
    return folder, names["trainer"].state.log_history, blocks["valid"], bpe


def test_its_folder_has_every_loss_that_the_trainer_logged(trained):
    folder, log, *_ = trained
    found = importing.read(folder / "my-run", Told())
    assert found.by == "BakeoffCallback"
    assert found.valid == [(entry["step"], entry["eval_loss"]) for entry in log if "eval_loss" in entry]
    assert found.train == [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    assert len(found.valid) == 2
    assert importing.read(folder / "out", Told()).valid == found.valid


def test_it_counts_what_valid_has(trained, text):
    folder, _, blocks, bpe = trained
    found = importing.read(folder / "my-run", Told())
    assert found.tokens == len(blocks) * (BLOCK - 1)
    whole = sum(len(document.encode()) for document in text.splits["valid"])
    assert found.bytes == pytest.approx(whole, rel=importing.TOLERANCE)
    assert found.predicted == sum(len(bpe.decode(each["input_ids"][1:].tolist()).encode()) for each in blocks)
