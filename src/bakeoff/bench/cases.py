"""What is timed: a model at a size, and who trains it."""

from dataclasses import dataclass

from bakeoff.experiments import QUICK, WIKITEXT_2
from bakeoff.models import GPT1, LSTM
from bakeoff.spec import Architecture, Study


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A model and the batches that it is trained on.

    Attributes:
        name: What the table calls it.
        architecture: The model.
        vocabulary: Symbols.
        batch_size: Sequences a step.
        length: Tokens of a sequence.
        peers: Names of the contenders that train the same model, in `contenders.PEERS`.
    """

    name: str
    architecture: Architecture
    vocabulary: int
    batch_size: int
    length: int
    peers: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.batch_size * self.length


#: Bakeoff once more, in a process of its own: as far as it is from itself, a peer may be by chance.
ITSELF = "itself"
GPT1_PEERS = (ITSELF, "trainer", "trainer-best", "nanogpt", "nanogpt-bf16")
#: And Bakeoff's own loop with what it leaves out: compiled code, and torch's own chunked output layer.
LONG_GPT1_PEERS = (*GPT1_PEERS, "compiled", "linear-ce")
LSTM_PEERS = (ITSELF, "word-lm", "word-lm-bf16")


def _case(study: Study, kind: type[Architecture], peers: tuple[str, ...]) -> Workload:
    """The one-layer model of a study."""
    experiment = next(e for e in study.experiments if isinstance(e.architecture, kind) and e.architecture.layers == 1)
    budget = study.budget
    return Workload(
        name=f"{kind.title}, {study.name} size",
        architecture=experiment.architecture,
        vocabulary=budget.vocabulary,
        batch_size=budget.batch_size,
        length=budget.sequence_length,
        peers=peers,
    )


#: In the order of the table; `--fast` takes those of `quick`.
CASES = tuple(
    _case(study, kind, peers)
    for study, gpt1_peers in ((QUICK, GPT1_PEERS), (WIKITEXT_2, LONG_GPT1_PEERS))
    for kind, peers in ((GPT1, gpt1_peers), (LSTM, LSTM_PEERS))
)
