"""A stacked LSTM language model: embedding, LSTM, `Linear - ReLU`, output layer tied to the embedding."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from bakeoff.models.recurrent import RecurrentArchitecture, RecurrentModel


@dataclass(frozen=True, kw_only=True)
class LSTM(RecurrentArchitecture):
    """An LSTM language model (Hochreiter & Schmidhuber 1997)."""

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "LSTM"

    def module(self, vocabulary: int, sequence_length: int) -> "LSTMModel":  # noqa: ARG002 (no length is too long)
        """The module as torch initializes it."""
        return LSTMModel(self, vocabulary, nn.LSTM, torch.lstm, states=2)


class LSTMModel(RecurrentModel):
    """The module that `LSTM` describes."""

    def initialize(self) -> None:
        """Initialize as every recurrent model, but forget gates to remember.

        Their bias is one (Gers et al. 2000; Jozefowicz et al. 2015).
        """
        super().initialize()
        for name, bias in self.recurrent.named_parameters():
            # torch adds two biases to each gate; the 1 stands in one of them.
            if name.startswith("bias_ih"):
                _, forget, _, _ = bias.detach().chunk(4)
                nn.init.ones_(forget)
