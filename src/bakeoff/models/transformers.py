"""Any causal language model of Hugging Face's `transformers`, with our tied output layer on its body."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bakeoff.errors import UserError, first_line
from bakeoff.models.tied import TiedLanguageModel
from bakeoff.spec import Architecture, Counterpart

#: What the library's configurations call the number of layers.
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
#: What a configuration says that is ours to say.
OURS = ("vocab_size", "tie_word_embeddings", "transformers_version", "pad_token_id", "bos_token_id", "eos_token_id")
#: By how much embeddings are scaled while logits are compared, so that soft caps show; a power of 2 rounds nothing.
LARGE = 128.0
#: Tokens of the two sequences on which they are.
COMPARED = 16


class Options(dict[str, Any]):
    """Options as plain JSON, which may be part of a frozen spec."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(json.dumps(self, sort_keys=True))


@dataclass(frozen=True, init=False)
class Transformers(Architecture):
    """A model of the library's, freshly initialized as the library does: `Transformers("llama", hidden_size=128)`.

    Its logits are those of its last hidden states and the embedding, transposed. That they are the library's own is
    checked when it is built; a model with soft caps or multipliers is refused, and so is one that sees later tokens. On
    one thread of a laptop, two layers of width 128 train 4,000 to 5,000 tokens a second as Llama, Qwen3 and GPT-2,
    2,000 as Mamba 2, 1,200 as xLSTM, and 100 as Mamba, whose loop over places is Python. To Muon each of the library's
    matrices is one, also where several are stored together, as GPT-2's queries, keys and values.

    Attributes:
        config: The library's `model_type` and options, without the number of layers.
    """

    name: ClassVar[str] = "transformers"
    title: ClassVar[str] = "Transformers"

    config: Options

    def __init__(self, config: Any, *, layers: int | None = None, **options: Any) -> None:  # noqa: ANN401
        """Describe a model.

        Args:
            config: A `model_type` of the library, a mapping that has one, or one of its configuration objects.
            layers: How many layers are stacked.
            options: Of the configuration, by the library's names.

        Raises:
            ValueError: An option cannot be written as JSON, or there is no `model_type`.
        """
        given = {"model_type": config} if isinstance(config, str) else config
        try:
            plain = Options(
                json.loads(json.dumps((given if isinstance(given, dict) else given.to_diff_dict()) | options))
            )
        except (TypeError, AttributeError) as error:
            raise ValueError(
                f"config must be a model type, a mapping or a configuration of transformers: {error}"
            ) from error
        if "model_type" not in plain:
            raise ValueError("config must have a model_type, such as 'llama'")
        counts = [plain.pop(name) for name in LAYERS if name in plain]
        for name in OURS:
            plain.pop(name, None)
        object.__setattr__(self, "config", plain)
        object.__setattr__(self, "layers", layers if layers is not None else (counts or [1])[0])
        self.__post_init__()

    def build(self, vocabulary: int, sequence_length: int) -> "TransformersModel":
        """Build the model, freshly initialized from torch's global generator.

        Raises:
            UserError: The library is missing, or has no such causal model, or it computes logits in another way.
        """
        theirs = self._theirs(vocabulary, sequence_length)
        model = TransformersModel(theirs.base_model, vocabulary)
        model.window = sequence_length
        if not model.embedding.weight.is_meta:
            self._compare(model, theirs, min(sequence_length, COMPARED))
        return model

    def check(self, vocabulary: int, sequence_length: int) -> None:
        """See that it can be built.

        Raises:
            UserError: As in `build`.
        """
        with torch.random.fork_rng(devices=[]):
            self.build(vocabulary, sequence_length)

    def to_transformers(self, model: nn.Module) -> Counterpart:
        """As the library's own."""
        assert isinstance(model, TransformersModel)
        return Counterpart(self._sized(model.embedding.num_embeddings), model.body.state_dict())

    def _sized(self, vocabulary: int) -> dict[str, Any]:
        return {**self.config, "num_hidden_layers": self.layers, "vocab_size": vocabulary}

    def _theirs(self, vocabulary: int, sequence_length: int) -> Any:  # noqa: ANN401 (the library is there on demand only)
        """The library's own model."""
        theirs = of_library(self._sized(vocabulary))
        longest = getattr(theirs.config, "max_position_embeddings", sequence_length)
        if longest < sequence_length:
            raise UserError(
                f"{self.config['model_type']} has {longest} positions, too few for {sequence_length} tokens"
            )
        return theirs

    @torch.no_grad()
    def _compare(self, model: "TransformersModel", theirs: Any, length: int) -> None:  # noqa: ANN401
        """See that logits are the library's, and that no later token changes an earlier one."""
        model.eval(), theirs.eval()
        tokens_BxL = torch.arange(2 * length).view(2, length) % model.embedding.num_embeddings
        changed = tokens_BxL.clone()
        changed[:, -1] = 0
        model.embedding.weight.mul_(LARGE)
        ours, expected, others = model(tokens_BxL), theirs(tokens_BxL, use_cache=False).logits, model(changed)
        model.embedding.weight.div_(LARGE)
        model.train(), theirs.train()
        kind = self.config["model_type"]
        if not torch.allclose(ours[:, :-1], others[:, :-1], rtol=1e-4, atol=1e-3):
            raise UserError(
                f"{kind} is no causal language model: its places see later tokens; take a decoder, such as llama"
            )
        if ours.shape != expected.shape or not torch.allclose(ours, expected, rtol=1e-4, atol=1e-3):
            raise UserError(
                f"{kind} computes its logits in another way than from its last states and a tied embedding, such as"
                " with a soft cap or a multiplier: switch that off in its options, or take another"
            )


def of_library(config: Mapping[str, Any]) -> Any:  # noqa: ANN401 (the library is there on demand only)
    """The library's own causal language model, freshly initialized, its output layer tied and no symbol special.

    Args:
        config: Its `model_type` and options.

    Raises:
        UserError: The library is missing, or has no such model.
    """
    try:
        from transformers import AutoConfig, AutoModelForCausalLM  # noqa: PLC0415 (not everyone has it)
    except ImportError as error:
        raise UserError("models of transformers need a package: pip install 'bakeoff[transformers]'") from error
    plain = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id")) | {"tie_word_embeddings": True}
    try:
        return AutoModelForCausalLM.from_config(AutoConfig.for_model(**{**config, **plain}))
    except Exception as error:
        told = f"transformers has no such causal language model as {dict(config)}"
        raise UserError(f"{told}: {first_line(error)}") from error


class TransformersModel(TiedLanguageModel):
    """A body of the library's with a tied output layer."""

    def __init__(self, body: nn.Module, vocabulary: int) -> None:
        embedding: nn.Embedding = body.get_input_embeddings()  # type: ignore[operator]
        super().__init__(vocabulary, embedding.embedding_dim)
        self.embedding, self.body = embedding, body

    def features(self, tokens_BxL: Tensor) -> Tensor:
        """What the output layer sees at each place, BxLxE."""
        features: Tensor = self.body(input_ids=tokens_BxL, use_cache=False).last_hidden_state
        return features
