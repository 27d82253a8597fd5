"""GPT-1 (Radford et al. 2018): a post-norm transformer decoder with learned positions and a tied output layer.

Sizes in names: B sequences, L tokens of a sequence, E width, H heads, W width of a head.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.models import embeddings
from bakeoff.models.tied import WIDEST, TiedArchitecture, TiedLanguageModel
from bakeoff.spec import Counterpart, one_of, whole, yes_or_no

#: The longest sequence whose attention scores are written out on a processor.
WRITTEN_OUT = 512

#: The forms of GELU (Hendrycks & Gimpel 2016), and what torch calls them.
GELUS = {"exact": "none", "tanh": "tanh"}
#: A block's modules, and what `transformers` calls them.
IN_TRANSFORMERS = {
    "attention.query_key_value": "attn.c_attn",
    "attention.output": "attn.c_proj",
    "attention_norm": "ln_1",
    "expand": "mlp.c_fc",
    "contract": "mlp.c_proj",
    "mlp_norm": "ln_2",
}

#: Keys and values of the places so far, each BxHxLxW.
KeyValue = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class GPT1(TiedArchitecture):
    """A GPT-1 language model.

    Attributes:
        width: Width of the embedding and of every layer; the MLP inside is four times as wide.
        heads: Attention heads; they divide the width.
        gelu: `exact`, or `tanh`, its approximation that the released code and `transformers` compute.
        post_norm: As published; else what each branch reads is normalized, and the last sum (GPT-2's way).
    """

    name: ClassVar[str] = "gpt1"
    title: ClassVar[str] = "GPT-1"
    attends: ClassVar[bool | None] = True
    recurrent: ClassVar[bool | None] = False
    compiles: ClassVar[bool] = True

    width: int = 128
    heads: int = 4
    gelu: str = "exact"
    post_norm: bool = True  # type: ignore[misc]  # what is a trait of other architectures is an option of this one

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "width", 1, WIDEST)
        whole(self, "heads", 1, self.width)
        if self.width % self.heads:
            raise ValueError(f"heads must divide the width: {self.heads} does not divide {self.width}")
        one_of(self, "gelu", GELUS)
        yes_or_no(self, "post_norm")

    def module(self, vocabulary: int, sequence_length: int) -> "GPT1Model":
        """The module as torch initializes it."""
        return GPT1Model(self, vocabulary, sequence_length)

    def to_transformers(self, model: nn.Module) -> Counterpart | None:
        """As the library's `OpenAIGPTLMHeadModel`, which is post-norm.

        Raises:
            UserError: It has the exact GELU, which the library has not.
        """
        if not self.post_norm:
            return None
        if self.gelu != "tanh":
            raise UserError(
                "this GPT-1 has the exact GELU, and that of transformers has the tanh form, so none there computes the"
                ' same: train with GPT1(gelu="tanh")'
            )
        assert isinstance(model, GPT1Model)
        state: dict[str, Tensor] = {name: embedding.weight for name, embedding in model.embeddings().items()}
        for number, block in enumerate(model.blocks):
            for ours, theirs in IN_TRANSFORMERS.items():
                weight = block.get_parameter(f"{ours}.weight")
                state[f"h.{number}.{theirs}.weight"] = weight.mT if weight.ndim > 1 else weight  # theirs are turned
                state[f"h.{number}.{theirs}.bias"] = block.get_parameter(f"{ours}.bias")
        config = {
            "model_type": "openai-gpt",
            "vocab_size": model.embedding.num_embeddings,
            "n_positions": model.positions.num_embeddings,
            "n_embd": self.width,
            "n_layer": self.layers,
            "n_head": self.heads,
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), self.dropout),
        }
        return Counterpart(config, state)


class GPT1Model(TiedLanguageModel):
    """The module that `GPT1` describes."""

    def __init__(self, spec: GPT1, vocabulary: int, sequence_length: int) -> None:
        super().__init__(vocabulary, spec.width)
        self.positions = nn.Embedding(sequence_length, spec.width)
        self.dropout = nn.Dropout(spec.dropout)
        self.blocks = nn.Sequential(*(Block(spec) for _ in range(spec.layers)))
        self.norm = nn.Identity() if spec.post_norm else nn.LayerNorm(spec.width)

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE."""
        places_L = torch.arange(tokens_BxL.shape[1], device=tokens_BxL.device)
        features: Tensor = self.norm(self.blocks(self.dropout(self.embedding(tokens_BxL) + self.positions(places_L))))
        return features

    def resume(self, tokens_BxL: Tensor, state: list[KeyValue] | None) -> tuple[Tensor, list[KeyValue]]:
        """Features of the tokens that follow those of the state: every layer's keys and values of them."""
        before = 0 if state is None else state[0][0].shape[-2]
        places_L = torch.arange(before, before + tokens_BxL.shape[1], device=tokens_BxL.device)
        features, kept = self.dropout(self.embedding(tokens_BxL) + self.positions(places_L)), []
        for layer, block in enumerate(self.blocks):
            features, key_value = block.resume(features, None if state is None else state[layer])  # type: ignore[operator]
            kept.append(key_value)
        return self.norm(features), kept

    def matrices(self) -> dict[Tensor, int]:
        """The matrices inside the layers; those of queries, keys and values are stacked."""
        attentions = (module for module in self.modules() if isinstance(module, Attention))
        return super().matrices() | {attention.query_key_value.weight: 3 for attention in attentions}

    def embeddings(self) -> dict[str, nn.Embedding]:
        """What the released GPT-1 has weights for, by their names there."""
        return {**super().embeddings(), embeddings.POSITIONS: self.positions}

    def initialize(self) -> None:
        """Initialize as published: N(0, 0.02) for all weights and embeddings, zero biases, unit gains."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)


class Block(nn.Module):
    """Attention, then an MLP; each is added to what it read, and the sum is normalized: or, pre-norm, what it reads."""

    def __init__(self, spec: GPT1) -> None:
        super().__init__()
        self.post_norm = spec.post_norm
        self.attention = Attention(spec)
        self.attention_norm = nn.LayerNorm(spec.width)
        self.expand = nn.Linear(spec.width, 4 * spec.width)
        self.contract = nn.Linear(4 * spec.width, spec.width)
        self.mlp_norm = nn.LayerNorm(spec.width)
        self.dropout = nn.Dropout(spec.dropout)
        self.gelu = nn.GELU(GELUS[spec.gelu])

    def forward(self, x_BxLxE: Tensor) -> Tensor:
        """One layer, BxLxE to BxLxE."""
        return self.resume(x_BxLxE, None)[0]

    def resume(self, x_BxLxE: Tensor, past: KeyValue | None) -> tuple[Tensor, KeyValue]:
        """One layer at the places after those whose keys and values are given."""
        if not self.post_norm:
            branch, key_value = self.attention(self.attention_norm(x_BxLxE), past)
            attended_BxLxE = x_BxLxE + branch
            return attended_BxLxE + self._mlp(self.mlp_norm(attended_BxLxE)), key_value
        branch, key_value = self.attention(x_BxLxE, past)
        attended_BxLxE = self.attention_norm(x_BxLxE + branch)
        return self.mlp_norm(attended_BxLxE + self._mlp(attended_BxLxE)), key_value

    def _mlp(self, x_BxLxE: Tensor) -> Tensor:
        branch: Tensor = self.dropout(self.contract(self.gelu(self.expand(x_BxLxE))))
        return branch


class Attention(nn.Module):
    """Causal multi-head self-attention (Vaswani et al. 2017)."""

    def __init__(self, spec: GPT1) -> None:
        super().__init__()
        self.heads = spec.heads
        self.attention_dropout = spec.dropout
        self.query_key_value = nn.Linear(spec.width, 3 * spec.width)
        self.output = nn.Linear(spec.width, spec.width)
        self.dropout = nn.Dropout(spec.dropout)

    def forward(self, x_BxLxE: Tensor, past: KeyValue | None) -> tuple[Tensor, KeyValue]:
        """Attend to this place and those before it, BxLxE to BxLxE; and the keys and values of them all."""
        parts = self.query_key_value(x_BxLxE).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=-2), torch.cat([past[1], value], dim=-2)
        dropout = self.attention_dropout if self.training else 0.0
        attended_BxHxLxW = causal_attention(query, key, value, dropout)
        return self.dropout(self.output(attended_BxHxLxW.transpose(1, 2).flatten(2))), (key, value)


def causal_attention(query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
    """Attention of each place to itself and those before it; all tensors are BxHxLxW.

    There may be fewer queries than keys: they are those of the last places.

    Equal to torch's own, which is used where it is the faster: on a processor the gradient of its fused kernel takes
    longer, for short sequences, than the scores written out.
    """
    (length, width), seen = query.shape[-2:], key.shape[-2]
    if length == seen and (query.device.type != "cpu" or length > WRITTEN_OUT):
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
    future_LxL = query.new_full((length, seen), -math.inf).triu(1 + seen - length)
    queries, keys, values = (part.flatten(0, 1) for part in (query, key, value))
    scores = torch.baddbmm(future_LxL, queries, keys.transpose(1, 2), alpha=1 / math.sqrt(width))
    weights = F.dropout(scores.softmax(-1), dropout)
    return torch.bmm(weights, values).view_as(query)
