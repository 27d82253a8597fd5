"""A decoder as of 2025: pre-norm attention with rotary positions, its queries and keys normalized.

Sizes in names: B sequences, L tokens of a sequence, E width, H heads, W width of a head.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bakeoff.models.decoder import EPSILON, DecoderArchitecture, DecoderModel, Mixer, normalized
from bakeoff.models.gpt1 import KeyValue, causal_attention
from bakeoff.spec import Counterpart, whole

#: How much slower each pair of channels turns than the first, at most (Su et al. 2021).
BASE = 10_000.0


@dataclass(frozen=True, kw_only=True)
class GPT(DecoderArchitecture):
    """A GPT with what has proved itself since: equal to nanochat's body (Karpathy 2025) but for the token shift.

    Attributes:
        heads: Attention heads; they divide the width, into an even number of channels each.
    """

    name: ClassVar[str] = "gpt"
    title: ClassVar[str] = "GPT"
    attends: ClassVar[bool | None] = True
    recurrent: ClassVar[bool | None] = False
    post_norm: ClassVar[bool | None] = False
    compiles: ClassVar[bool] = True

    heads: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "heads", 1, self.width)
        if self.width % (2 * self.heads):
            raise ValueError(
                f"heads must divide the width into even parts, for rotary positions: {self.heads} x 2 does not divide"
                f" {self.width}"
            )

    def mixer(self) -> "Attention":
        """Attention."""
        return Attention(self)

    def to_transformers(self, model: nn.Module) -> Counterpart | None:
        """As the library's `NanoChatForCausalLM`, without its soft cap; None with the token shift, which it has not."""
        if self.token_shift:
            return None
        assert isinstance(model, DecoderModel)
        state: dict[str, Tensor] = {"embed_tokens.weight": model.embedding.weight}
        for number, block in enumerate(model.blocks):
            query, key, value = block.get_parameter("mixer.inputs.weight").chunk(3)
            of_block = {
                "self_attn.q_proj": self._turned_round(query),
                "self_attn.k_proj": self._turned_round(key),
                "self_attn.v_proj": value,
                "self_attn.o_proj": block.get_parameter("mixer.output.weight"),
                "mlp.fc1": block.get_parameter("expand.weight"),
                "mlp.fc2": block.get_parameter("contract.weight"),
            }
            state |= {f"layers.{number}.{name}.weight": weight for name, weight in of_block.items()}
        config = {
            "model_type": "nanochat",
            "vocab_size": model.embedding.num_embeddings,
            "max_position_embeddings": model.window,
            "hidden_size": self.width,
            "intermediate_size": 4 * self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "attention_dropout": self.dropout,
            "rope_parameters": {"rope_type": "default", "rope_theta": BASE},
            "rms_norm_eps": EPSILON,
            "final_logit_softcapping": None,
        }
        return Counterpart(config, state)

    def _turned_round(self, weight_ExE: Tensor) -> Tensor:
        """Each head's halves exchanged: nanochat turns queries and keys the other way round."""
        return weight_ExE.view(self.heads, 2, -1, self.width).flip(1).flatten(0, 2)


class Attention(Mixer):
    """Causal multi-head self-attention with rotary positions and normalized queries and keys (Henry et al. 2020)."""

    def __init__(self, spec: GPT) -> None:
        super().__init__(spec.width, parts=3)
        self.heads, self.attention_dropout = spec.heads, spec.dropout

    def forward(self, x_BxLxE: Tensor, past: KeyValue | None) -> tuple[Tensor, KeyValue]:
        """Attend to this place and those before it, BxLxE to BxLxE; and the keys and values of them all."""
        parts = self.inputs(x_BxLxE).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        before = 0 if past is None else past[0].shape[-2]
        query, key = rotated(normalized(query), before), rotated(normalized(key), before)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=-2), torch.cat([past[1], value], dim=-2)
        dropout = self.attention_dropout if self.training else 0.0
        attended_BxHxLxW = causal_attention(query, key, value, dropout)
        return self.output(attended_BxHxLxW.transpose(1, 2).flatten(2)), (key, value)


def rotated(x_BxHxLxW: Tensor, before: int = 0) -> Tensor:
    """Each pair of channels `i` and `W / 2 + i` turned by its place times `BASE ** (-2 i / W)` radians.

    So a product of a query and a key depends on how far apart they are, and not on where (Su et al. 2021, RoPE).

    Args:
        x_BxHxLxW: Queries or keys.
        before: How many places stand before the first of them.
    """
    length, width = x_BxHxLxW.shape[-2:]
    places_L, pairs = (torch.arange(n, device=x_BxHxLxW.device, dtype=torch.float32) for n in (length, width // 2))
    angles_LxP = (before + places_L[:, None]) * BASE ** (-2 * pairs / width)
    cosine, sine = angles_LxP.cos(), angles_LxP.sin()
    first, second = x_BxHxLxW.chunk(2, dim=-1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), dim=-1)
