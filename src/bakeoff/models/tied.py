"""What models with a tied output layer share: the layer itself, the cross-entropy on top of it, and their options.

Sizes in names: B sequences, L tokens of a sequence, E width of the embedding, V symbols.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.models import embeddings
from bakeoff.spec import Architecture

#: Logits held at once while measuring, in numbers; 2^24 are 64 MiB in float32.
LOGITS_AT_ONCE = 2**24
INITIALIZATIONS = ("chosen", "pytorch")
EMBEDDINGS = ("learned", "gpt1")


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
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, not {self.dropout}")
        if self.initialization not in INITIALIZATIONS:
            raise ValueError(f"initialization must be one of {', '.join(INITIALIZATIONS)}, not {self.initialization}")
        if self.embeddings not in EMBEDDINGS:
            raise ValueError(f"embeddings must be one of {', '.join(EMBEDDINGS)}, not {self.embeddings}")

    @abstractmethod
    def module(self, vocabulary: int, sequence_length: int) -> "TiedLanguageModel":
        """The model's module as torch initializes it."""

    def build(self, vocabulary: int, sequence_length: int) -> "TiedLanguageModel":
        """Build the model, freshly initialized from torch's global generator.

        Raises:
            UserError: The released embeddings are asked for, and are missing or wrong.
        """
        model = self.module(vocabulary, sequence_length)
        if self.initialization == "chosen":
            model.initialize()
        if self.embeddings == "gpt1":
            model.freeze_embeddings()
            if not model.embedding.weight.is_meta:
                embeddings.load(model.embeddings())
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

    A subclass creates its layers and implements `features` and `initialize`.

    Args:
        vocabulary: Number of symbols.
        width: Width of the embedding, and so of the features.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE; a place must not depend on later tokens."""
        raise NotImplementedError

    def initialize(self) -> None:
        """Initialize every parameter on purpose."""
        raise NotImplementedError

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
        """Mean nats per target; targets of -100 do not count.

        torch computes the logits and their gradient in chunks here, so that all logits never exist at once.
        """
        targets = targets_BxL.flatten()
        summed = F.linear_cross_entropy(
            self.features(inputs_BxL).flatten(0, 1),
            self.embedding.weight,
            targets,
            reduction="sum",
            options=nn.LinearCrossEntropyOptions(),
        )
        return summed / (targets >= 0).sum()

    def token_nats(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        """Nats of each target, BxL in float32; 0 where the target is -100."""
        rows = max(1, LOGITS_AT_ONCE // self.embedding.num_embeddings)
        features = torch.split(self.features(inputs_BxL).flatten(0, 1), rows)
        targets = torch.split(targets_BxL.flatten(), rows)
        nats = [
            F.cross_entropy(F.linear(chunk, self.embedding.weight).float(), target, reduction="none")
            for chunk, target in zip(features, targets, strict=True)
        ]
        return torch.cat(nats).view_as(targets_BxL)
