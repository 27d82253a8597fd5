"""What models of torch's stacked recurrent layers share: embedding, layers, `Linear - ReLU`, tied output layer.

Sizes in names: B sequences, L tokens of a sequence, H width of the recurrent layers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.models.tied import WIDEST, TiedArchitecture, TiedLanguageModel
from bakeoff.spec import real, whole, yes_or_no

#: From inputs, first states and weights to outputs and last states: `torch.lstm` or `torch.gru`.
Layer = Callable[..., tuple[Tensor, ...]]
#: What torch's module carries from place to place, for all layers.
States = Tensor | tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class RecurrentArchitecture(TiedArchitecture):
    """A recurrent language model; every sequence starts from zero states.

    Attributes:
        embedding: Width of the embedding and of the output layer.
        hidden: Width of the recurrent layers.
        locked_dropout: Whether dropout drops the same units at every place of a sequence (Gal & Ghahramani 2016).
        weight_drop: Share of the recurrent weights dropped while training, anew every step (Merity et al. 2018).
    """

    attends: ClassVar[bool | None] = False
    recurrent: ClassVar[bool | None] = True
    post_norm: ClassVar[bool | None] = False
    # Does not compile: torch's layer is one kernel already, at which compiled code would have to stop.

    embedding: int = 128
    hidden: int = 128
    locked_dropout: bool = False
    weight_drop: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("embedding", "hidden"):
            whole(self, name, 1, WIDEST)
        real(self, "weight_drop", below=1)
        yes_or_no(self, "locked_dropout")


class RecurrentModel(TiedLanguageModel):
    """The module of every such model.

    Args:
        spec: What it is.
        vocabulary: Number of symbols.
        kind: torch's module, which holds the weights.
        layer: torch's function that computes one layer of it.
        states: How many states a layer carries.
    """

    def __init__(
        self, spec: RecurrentArchitecture, vocabulary: int, kind: type[nn.LSTM | nn.GRU], layer: Layer, states: int
    ) -> None:
        super().__init__(vocabulary, spec.embedding)
        self.recurrent = kind(spec.embedding, spec.hidden, spec.layers, batch_first=True)
        self.layer, self.states = layer, states
        # All layers in one call, which a GPU likes, where nothing is dropped: cuDNN would draw what it drops between
        # layers from a state of its own, which no checkpoint can hold.
        self.at_once = not (spec.dropout or spec.weight_drop)
        self.projection = nn.Linear(spec.hidden, spec.embedding)
        self.dropout = LockedDropout(spec.dropout) if spec.locked_dropout else nn.Dropout(spec.dropout)
        self.weight_drop = spec.weight_drop

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE."""
        if self.at_once or not self.training:
            return self.resume(tokens_BxL, None)[0]
        x = self.dropout(self.embedding(tokens_BxL))
        for weights in self.recurrent.all_weights:
            x = self.dropout(self._layer(x, *weights))
        return F.relu(self.projection(x))

    def resume(self, tokens_BxL: Tensor, state: States | None) -> tuple[Tensor, States]:
        """Features of the tokens that follow those of the state: that of torch's module."""
        x, state = self.recurrent(self.dropout(self.embedding(tokens_BxL)), state)
        return F.relu(self.projection(self.dropout(x))), state

    def _layer(self, x: Tensor, of_input: Tensor, of_state: Tensor, *biases: Tensor) -> Tensor:
        """One layer, from zero states, BxLx... to BxLxH."""
        weights = [of_input, F.dropout(of_state, self.weight_drop, self.training), *biases]
        zeros_1xBxH = x.new_zeros(1, len(x), of_state.shape[1])
        first = zeros_1xBxH if self.states == 1 else (zeros_1xBxH,) * self.states
        outputs, *_ = self.layer(x, first, weights, True, 1, 0.0, self.training, False, True)
        return outputs

    def matrices(self) -> dict[Tensor, int]:
        """The matrices inside the layers; those of the gates are stacked."""
        stacked = (p for p in self.recurrent.parameters() if p.ndim == 2)  # noqa: PLR2004
        return super().matrices() | {p: len(p) // self.recurrent.hidden_size for p in stacked}

    def initialize(self) -> None:
        """Initialize every parameter on purpose.

        Embedding: uniform in +-0.1 (Zaremba et al. 2014). Input weights: Glorot & Bengio 2010; recurrent weights:
        orthogonal per gate (Saxe et al. 2014); biases: zero. Projection: He et al. 2015, for the ReLU that follows.
        """
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        for name, parameter in self.recurrent.named_parameters():
            for gate in torch.split(parameter.detach(), self.recurrent.hidden_size):
                if name.startswith("weight_ih"):
                    nn.init.xavier_uniform_(gate)
                elif name.startswith("weight_hh"):
                    nn.init.orthogonal_(gate)
                else:
                    nn.init.zeros_(gate)
        nn.init.kaiming_normal_(self.projection.weight, nonlinearity="relu")
        nn.init.zeros_(self.projection.bias)


class LockedDropout(nn.Dropout):
    """Dropout of the same units at every place of a sequence, BxLxH to BxLxH."""

    def forward(self, x_BxLxH: Tensor) -> Tensor:
        """Drop them, while training."""
        kept_Bx1xH = F.dropout(torch.ones_like(x_BxLxH[:, :1]), self.p, self.training)
        return x_BxLxH * kept_Bx1xH
