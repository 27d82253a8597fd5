"""The exponential moving average of a run's weights, kept beside them; it changes nothing of the run."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class MovingAverage:
    """The weights after each step so far, those of the last weighing most: each step before it by `decay` less.

    It is a mean, and has none of the weights that training began with: corrected for that as Adam's averages are
    (Kingma & Ba 2015).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take in the model's weights, as they are after so many steps."""
        share = (1 - self.decay) / (1 - self.decay**steps)
        for name, parameter in self.model.named_parameters():
            self.weights[name].lerp_(parameter, share)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from what was saved.

        Raises:
            KeyError: It is not all there.
        """
        for name, weight in self.weights.items():
            weight.copy_(weights[name])
