"""A stacked LSTM language model: embedding, LSTM, `Linear - ReLU`, output layer tied to the embedding."""

from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.models.tied import WIDEST, TiedArchitecture, TiedLanguageModel
from bakeoff.spec import whole


@dataclass(frozen=True, kw_only=True)
class LSTM(TiedArchitecture):
    """An LSTM language model; every sequence starts from zero states.

    Attributes:
        embedding: Width of the embedding and of the output layer.
        hidden: Width of the LSTM.
    """

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "LSTM"
    attends: ClassVar[bool | None] = False
    recurrent: ClassVar[bool | None] = True
    post_norm: ClassVar[bool | None] = False
    # Does not compile: torch's LSTM is one kernel already, at which compiled code would have to stop.

    embedding: int = 128
    hidden: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("embedding", "hidden"):
            whole(self, name, 1, WIDEST)

    def module(self, vocabulary: int, sequence_length: int) -> "LSTMModel":  # noqa: ARG002 (no length is too long)
        """The module as torch initializes it."""
        return LSTMModel(self, vocabulary)


class LSTMModel(TiedLanguageModel):
    """The module that `LSTM` describes."""

    def __init__(self, spec: LSTM, vocabulary: int) -> None:
        super().__init__(vocabulary, spec.embedding)
        # torch's own dropout acts between layers only, and warns where there is no such place.
        between = spec.dropout if spec.layers > 1 else 0.0
        self.recurrent = nn.LSTM(spec.embedding, spec.hidden, spec.layers, batch_first=True, dropout=between)
        self.projection = nn.Linear(spec.hidden, spec.embedding)
        self.dropout = nn.Dropout(spec.dropout)

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE."""
        return self.resume(tokens_BxL, None)[0]

    def resume(self, tokens_BxL: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Features of the tokens that follow those of the state: torch's own, hidden and cell."""
        hidden_BxLxH, state = self.recurrent(self.dropout(self.embedding(tokens_BxL)), state)
        return F.relu(self.projection(self.dropout(hidden_BxLxH))), state

    def initialize(self) -> None:
        """Initialize every parameter on purpose.

        Embedding: uniform in +-0.1 (Zaremba et al. 2014). Input weights: Glorot & Bengio 2010; recurrent weights:
        orthogonal per gate (Saxe et al. 2014); biases: zero, but one for the forget gate (Gers et al. 2000; Jozefowicz
        et al. 2015). Projection: He et al. 2015, for the ReLU that follows.
        """
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        for name, parameter in self.recurrent.named_parameters():
            _initialize_gates(name, *parameter.detach().chunk(4))
        nn.init.kaiming_normal_(self.projection.weight, nonlinearity="relu")
        nn.init.zeros_(self.projection.bias)


def _initialize_gates(name: str, *gates: Tensor) -> None:
    """Initialize one of torch's stacked tensors, whose gates stand in the order input, forget, cell, output."""
    for gate, values in zip(("input", "forget", "cell", "output"), gates, strict=True):
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(values)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(values)
        else:
            # torch adds two biases to each gate; the forget gate's 1 stands in one of them.
            nn.init.constant_(values, float(gate == "forget" and name.startswith("bias_ih")))
