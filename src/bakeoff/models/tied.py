"""What models with a tied output layer share: the layer itself, its options, and what a training loop asks of them.

Sizes in names: B sequences, L tokens of a sequence, E width of the embedding, V symbols.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.models import embeddings
from bakeoff.models.loss import nats_of_targets, summed_nats
from bakeoff.spec import Architecture, one_of, real

INITIALIZATIONS = ("chosen", "pytorch")
EMBEDDINGS = ("learned", "gpt1")
#: The widest layer.
WIDEST = 65_536


@dataclass(frozen=True, kw_only=True)
class TiedArchitecture(Architecture):
    """Options of every model with a tied output layer.

    Attributes:
        dropout: Share of activations dropped while training.
        initialization: `chosen`, per module and with its source in the model's file, or `pytorch`, torch's defaults.
        embeddings: `learned` here, or `gpt1`: the released ones, frozen.
    """

    dropout: float = 0.0
    initialization: str = "chosen"
    embeddings: str = "learned"

    def __post_init__(self) -> None:
        super().__post_init__()
        real(self, "dropout", below=1)
        one_of(self, "initialization", INITIALIZATIONS)
        one_of(self, "embeddings", EMBEDDINGS)

    @abstractmethod
    def module(self, vocabulary: int, sequence_length: int) -> "TiedLanguageModel":
        """The model's module as torch initializes it."""

    def build(self, vocabulary: int, sequence_length: int) -> "TiedLanguageModel":
        """Build the model, freshly initialized from torch's global generator.

        Raises:
            UserError: The released embeddings are asked for, and are missing or wrong.
        """
        model = self._unlearned(vocabulary, sequence_length)
        if self.initialization == "chosen":
            model.initialize()
        if self.embeddings == "gpt1" and not model.embedding.weight.is_meta:
            embeddings.load(model.embeddings())
        return model

    def rebuild(self, vocabulary: int, sequence_length: int, weights: Mapping[str, Tensor]) -> "TiedLanguageModel":
        """The model that `build` builds, with weights that it had; the released embeddings are among them."""
        model = self._unlearned(vocabulary, sequence_length)
        model.load_state_dict(weights)
        return model

    def _unlearned(self, vocabulary: int, sequence_length: int) -> "TiedLanguageModel":
        model = self.module(vocabulary, sequence_length)
        model.window = sequence_length if self.attends else None
        if self.embeddings == "gpt1":
            model.freeze_embeddings()
        return model

    def check(self, vocabulary: int, sequence_length: int) -> None:
        """See that the released embeddings are here and fit, if they are asked for.

        Raises:
            UserError: They are missing or wrong.
        """
        if self.embeddings == "gpt1":
            with torch.device("meta"):
                embeddings.require(self.module(vocabulary, sequence_length).embeddings())


class TiedLanguageModel(nn.Module):
    """A language model whose output layer is its embedding, transposed, without bias (Press & Wolf 2017).

    A subclass creates its layers and implements `features` and `initialize`; with a `resume` of its own it generates
    text without computing again what it knows of earlier tokens.

    Args:
        vocabulary: Number of symbols.
        width: Width of the embedding, and so of the features.
    """

    #: Most tokens that are looked back on where text is generated; None where a state sums up whatever came before.
    window: int | None = None
    compiled_features: Callable[[Tensor], Tensor]
    compiled_shape: tuple[int, int] | None = None

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE; a place must not depend on later tokens."""
        raise NotImplementedError

    def resume(self, tokens_BxL: Tensor, state: Any) -> tuple[Tensor, Any]:  # noqa: ANN401 (each model's own)
        """Features of tokens that follow others, BxLxE, and the state after them; None before the first.

        This one keeps the tokens themselves.
        """
        tokens = tokens_BxL if state is None else torch.cat([state, tokens_BxL], dim=1)
        return self.features(tokens)[:, -tokens_BxL.shape[1] :], tokens

    def initialize(self) -> None:
        """Initialize every parameter on purpose."""
        raise NotImplementedError

    def matrices(self) -> dict[Tensor, int]:
        """The matrices inside the layers, and how many each is made of, which stand one below the other.

        Optimizers that treat matrices as such, and embeddings and vectors otherwise, ask for them.
        """
        layers = (module for module in self.modules() if not isinstance(module, nn.Embedding))
        return {p: 1 for module in layers for p in module.parameters(recurse=False) if p.ndim == 2}  # noqa: PLR2004

    def embeddings(self) -> dict[str, nn.Embedding]:
        """What the released GPT-1 has weights for, by their names there."""
        return {embeddings.TOKENS: self.embedding}

    def freeze_embeddings(self) -> None:
        """Exclude the embeddings from learning."""
        for embedding in self.embeddings().values():
            embedding.requires_grad_(False)

    def forward(self, tokens_BxL: Tensor) -> Tensor:
        """Logits of the next token at each place, BxLxV."""
        return F.linear(self.features(tokens_BxL), self.embedding.weight)

    def loss(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        """Mean nats per target; targets of -100 do not count."""
        targets = targets_BxL.flatten()
        features = self.training_features(inputs_BxL).flatten(0, 1)
        return summed_nats(features, self.embedding.weight, targets) / (targets >= 0).sum()

    def training_features(self, tokens_BxL: Tensor) -> Tensor:
        """The features on the way to a loss, by compiled code where there is some for batches of this shape."""
        if tokens_BxL.shape == self.compiled_shape:
            return self.compiled_features(tokens_BxL)
        return self.features(tokens_BxL)

    def compile_for(self, shape: tuple[int, int]) -> None:
        """Compile what makes features of tokens, for batches BxL of that shape, at the first of them.

        A smaller or ragged batch, one or two an epoch, is not worth compiling again.
        """
        self.compiled_features = torch.compile(self.features, dynamic=False)
        self.compiled_shape = shape

    def token_nats(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        """Nats of each target, BxL in float32; 0 where the target is -100."""
        features = self.features(inputs_BxL).flatten(0, 1)
        return nats_of_targets(features, self.embedding.weight, targets_BxL.flatten()).view_as(targets_BxL)
