"""A stacked GRU language model: embedding, GRU, `Linear - ReLU`, output layer tied to the embedding."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from bakeoff.models.recurrent import RecurrentArchitecture, RecurrentModel


@dataclass(frozen=True, kw_only=True)
class GRU(RecurrentArchitecture):
    """A GRU language model (Cho et al. 2014), with the reset gate after the product, as torch and cuDNN have it."""

    name: ClassVar[str] = "gru"
    title: ClassVar[str] = "GRU"

    def module(self, vocabulary: int, sequence_length: int) -> RecurrentModel:  # noqa: ARG002 (no length is too long)
        """The module as torch initializes it."""
        return RecurrentModel(self, vocabulary, nn.GRU, torch.gru, states=1)
