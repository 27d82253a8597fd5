"""Text from a model: the state that is carried gives what reading all over again gives, and draws are as asked."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from bakeoff.errors import UserError
from bakeoff.generation import Counts, Decoding, Network, generate, text
from bakeoff.models import ARCHITECTURES, LSTM
from bakeoff.models.count_table import CountTable
from bakeoff.models.ngram import TABLES
from bakeoff.models.tied import TiedLanguageModel

VOCABULARY, LENGTH = 31, 12


class Forgetful(TiedLanguageModel):
    """An LSTM without a state of its own to resume from."""

    def __init__(self, lstm):
        super().__init__(VOCABULARY, lstm.embedding.embedding_dim)
        self.features = lstm.features


def build(kind):
    torch.manual_seed(3)
    if kind == "forgetful":
        return Forgetful(LSTM(embedding=16, hidden=16).build(VOCABULARY, LENGTH).eval()).eval()
    model = ARCHITECTURES[kind](layers=2).build(VOCABULARY, LENGTH).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # a decoder's blocks begin as the identity, and would hide what they carry
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def tokens(count, seed=0):
    return torch.randint(VOCABULARY, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("kind", [*ARCHITECTURES, "forgetful"])
@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(1, LENGTH - 1), unique=True), seed=st.integers(0, 99))
def test_features_are_the_same_wherever_the_tokens_are_cut(kind, cuts, seed):
    model, whole = build(kind), torch.tensor([tokens(LENGTH, seed)])
    with torch.no_grad():
        pieces, state = [], None
        for part in torch.tensor_split(whole, sorted(cuts), dim=1):
            features, state = model.resume(part, state)
            pieces.append(features)
        torch.testing.assert_close(torch.cat(pieces, dim=1), model.features(whole), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_the_likeliest_tokens_are_those_of_a_model_that_reads_all_again(kind):
    model = build(kind)
    found = list(generate(Network(model), tokens(3), Decoding(tokens=LENGTH + 5, temperature=0)))
    seen, expected = tokens(3), []
    for _ in range(LENGTH + 5):
        if model.window and len(seen) > model.window:
            seen = seen[-(model.window // 2) :]
        with torch.no_grad():
            expected.append(int(model(torch.tensor([seen]))[0, -1].argmax()))
        seen.append(expected[-1])
    assert found == expected


def test_a_prompt_longer_than_the_window_is_read_from_its_end():
    first, second = (Network(build("gpt1")).read(prompt) for prompt in (tokens(40), tokens(40)[-LENGTH // 2 :]))
    assert torch.equal(first, second)


def test_a_count_tables_logits_are_its_probabilities_after_its_window_however_it_was_read():
    table = CountTable(np.array(tokens(500)), VOCABULARY, TABLES["kn3+cache"], window=LENGTH, cache_weight=0.2)
    read = tokens(LENGTH + 5, seed=1)
    pieces = Counts(table)
    for token in read[:-1]:
        pieces.read([token])
    for logits_V in (Counts(table).read(read), pieces.read(read[-1:])):
        assert logits_V.softmax(0).numpy() == pytest.approx(table.next_V(read[-LENGTH:]))


class Fixed:
    """A source of the same logits at every place."""

    def __init__(self, probabilities):
        self.logits = torch.tensor(probabilities).log()

    def read(self, _):
        return self.logits


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.5, None), (2.0, 3), (1.0, 1)])
def test_draws_follow_the_sharpened_and_cut_off_probabilities(temperature, top_k):
    probabilities = np.array([0.4, 0.3, 0.2, 0.1])
    drawn = list(
        generate(Fixed(probabilities), [0], Decoding(tokens=3000, temperature=temperature, top_k=top_k, seed=1))
    )
    expected = probabilities ** (1 / temperature) * (np.arange(4) < (top_k or 4))
    counts = np.bincount(drawn, minlength=4)
    allowed = expected > 0
    assert counts[~allowed].sum() == 0
    if allowed.sum() > 1:
        assert chisquare(counts[allowed], 3000 * expected[allowed] / expected.sum()).pvalue > 0.001


@pytest.mark.parametrize("temperature", [1e-310, 5e-324])
def test_at_a_very_low_temperature_the_likeliest_token_is_drawn(temperature):
    probabilities = np.array([0.1, 0.6, 0.3])
    assert list(generate(Fixed(probabilities), [0], Decoding(tokens=5, temperature=temperature))) == [1] * 5


def test_a_seed_gives_its_text_and_another_another():
    def drawn(seed):
        return list(generate(Network(build("lstm")), [1], Decoding(tokens=30, seed=seed)))

    assert drawn(0) == drawn(0) != drawn(1)


def test_pieces_are_whole_characters_and_make_up_the_text():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: place for place, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    wanted = tokenizer.encode("Größe 東京 ✓").ids

    class Told:
        def __init__(self):
            self.left = iter(wanted)

        def read(self, _):
            logits = torch.full((256,), -torch.inf)
            logits[next(self.left)] = 0.0
            return logits

    pieces = list(text(Told(), tokenizer, "", Decoding(tokens=len(wanted))))
    assert "".join(pieces) == "Größe 東京 ✓"
    assert all("�" not in piece for piece in pieces)


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_a_tokenizer_that_drops_blanks_has_something_to_go_on_from(prompt):
    tokenizer = Tokenizer(models.WordLevel({".": 0, "word": 1}, "."))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    read = []

    class Told:
        def read(self, tokens):
            read.append(tokens)
            return torch.tensor([-torch.inf, 0.0])

    assert "".join(text(Told(), tokenizer, prompt, Decoding(tokens=1))) == "word"
    assert read == [[0]]


@pytest.mark.parametrize(
    "wrong", [{"tokens": 0}, {"temperature": -1.0}, {"top_k": 0}, {"seed": -1}, {"temperature": float("nan")}]
)
def test_choices_out_of_bounds_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", " ")):
        Decoding(**wrong)


def test_a_model_without_logits_is_refused_in_words():
    with pytest.raises(UserError, match="tied output layer"):
        Network(torch.nn.Linear(1, 1))
