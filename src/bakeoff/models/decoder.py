"""What the decoders since 2023 share: pre-RMSNorm blocks of a mixer over places and an MLP with squared ReLU.

As in nanochat (Karpathy 2025) and modded-nanogpt (Jordan et al. 2024): no biases, no gains, the embedding normalized
too, and output projections that begin at zero, so that every block begins as the identity.

Sizes in names: B sequences, L tokens of a sequence, E width.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.models.tied import WIDEST, TiedArchitecture, TiedLanguageModel
from bakeoff.spec import whole, yes_or_no

#: Added to the mean square.
EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class DecoderArchitecture(TiedArchitecture):
    """Options of every such decoder.

    Attributes:
        width: Width of the embedding and of every layer; the MLP inside is four times as wide.
        token_shift: Whether mixers and MLPs read half of the channels from the token before (Peng et al. 2023, RWKV;
            half of the channels as in its first versions).
    """

    width: int = 128
    token_shift: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "width", 1, WIDEST)
        yes_or_no(self, "token_shift")

    @abstractmethod
    def mixer(self) -> "Mixer":
        """What mixes the places of a block."""

    def module(self, vocabulary: int, sequence_length: int) -> "DecoderModel":  # noqa: ARG002 (no length is too long)
        """The module as torch initializes it."""
        return DecoderModel(self, vocabulary)


class BlockState(NamedTuple):
    """What a block carries from place to place; None before the first.

    Attributes:
        mixer: What its mixer carries.
        mixed: What its mixer read last, Bx1xE, before the shift; `expanded` likewise what its MLP did.
    """

    mixer: Any = None
    mixed: Tensor | None = None
    expanded: Tensor | None = None


class Mixer(nn.Module):
    """A part of a block that lets a place see those before it: from BxLxE and its state to BxLxE and the next state.

    Attributes:
        inputs: Several linear maps of the same input as one, their matrices one below the other.
        parts: How many.
        output: The last linear map.
    """

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.inputs = nn.Linear(width, parts * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)


class DecoderModel(TiedLanguageModel):
    """The module of every such decoder."""

    def __init__(self, spec: DecoderArchitecture, vocabulary: int) -> None:
        super().__init__(vocabulary, spec.width)
        self.dropout = nn.Dropout(spec.dropout)
        self.blocks = nn.ModuleList(Block(spec) for _ in range(spec.layers))

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE."""
        return self.resume(tokens_BxL, None)[0]

    def resume(self, tokens_BxL: Tensor, state: list[BlockState] | None) -> tuple[Tensor, list[BlockState]]:
        """Features of the tokens that follow those of the state, which is every block's."""
        x_BxLxE, last = self.dropout(normalized(self.embedding(tokens_BxL))), []
        for block, before in zip(self.blocks, state or [BlockState()] * len(self.blocks), strict=True):
            x_BxLxE, after = block(x_BxLxE, before)
            last.append(after)
        return normalized(x_BxLxE), last

    def matrices(self) -> dict[Tensor, int]:
        """The matrices inside the layers; those of a mixer's inputs are stacked."""
        mixers = (module for module in self.modules() if isinstance(module, Mixer))
        return super().matrices() | {mixer.inputs.weight: mixer.parts for mixer in mixers}

    def initialize(self) -> None:
        """Initialize as nanochat: matrices uniform with deviation 1 / sqrt(inputs), output projections zero.

        The embedding is N(0, 0.02), as it is the output layer as well.
        """
        nn.init.normal_(self.embedding.weight, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                bound = math.sqrt(3 / module.in_features)
                nn.init.uniform_(module.weight, -bound, bound)
        for block in (module for module in self.modules() if isinstance(module, Block)):
            nn.init.zeros_(block.mixer.output.weight)
            nn.init.zeros_(block.contract.weight)


class Block(nn.Module):
    """A mixer, then an MLP; each reads its input normalized and adds to it."""

    def __init__(self, spec: DecoderArchitecture) -> None:
        super().__init__()
        self.token_shift = spec.token_shift
        self.mixer: Mixer = spec.mixer()
        self.expand = nn.Linear(spec.width, 4 * spec.width, bias=False)
        self.contract = nn.Linear(4 * spec.width, spec.width, bias=False)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, x_BxLxE: Tensor, before: BlockState) -> tuple[Tensor, BlockState]:
        """One layer, BxLxE to BxLxE, at the places after those of the state."""
        normal = normalized(x_BxLxE)
        mixed, state = self.mixer(self._shifted(normal, before.mixed), before.mixer)
        mixed = x_BxLxE + self.dropout(mixed)
        expanded = normalized(mixed)
        # Squared ReLU: So et al. 2021, Primer.
        hidden = F.relu(self.expand(self._shifted(expanded, before.expanded))).square()
        added: Tensor = mixed + self.dropout(self.contract(hidden))
        return added, BlockState(mixer=state, mixed=normal[:, -1:], expanded=expanded[:, -1:])

    def _shifted(self, x_BxLxE: Tensor, before_Bx1xE: Tensor | None) -> Tensor:
        return shifted(x_BxLxE, before_Bx1xE) if self.token_shift else x_BxLxE


def normalized(x: Tensor) -> Tensor:
    """RMSNorm over the last dimension (Zhang & Sennrich 2019), without gains."""
    return F.rms_norm(x, x.shape[-1:], eps=EPSILON)


def shifted(x_BxLxE: Tensor, before_Bx1xE: Tensor | None = None) -> Tensor:
    """The first half of the channels as they were one token before; the others as they are.

    Args:
        x_BxLxE: Some places.
        before_Bx1xE: The one before them; zero if there is none.
    """
    half = x_BxLxE.shape[-1] // 2
    first = F.pad(x_BxLxE[..., :half], (0, 0, 1, -1))
    if before_Bx1xE is not None:
        first = torch.cat((before_Bx1xE[..., :half], x_BxLxE[:, :-1, :half]), dim=1)
    return torch.cat((first, x_BxLxE[..., half:]), dim=-1)
