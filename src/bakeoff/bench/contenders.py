"""Those who train a case: Bakeoff itself, and its peers, each in the way that its users would.

Each is a loop that calls `stepped` with the loss after every step, and goes on for as long as it is let.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bakeoff.bench.cases import ITSELF, Workload
from bakeoff.data.sequences import TokenStream
from bakeoff.machine import Clock, keep_freed_memory, resolve_precision
from bakeoff.models import GPT1, gpt1
from bakeoff.optimizers import AdamW
from bakeoff.spec import Budget
from bakeoff.training import Training

#: Called after every step with its mean loss.
Stepped = Callable[[float], None]
Contender = Callable[[Workload, Stepped], None]
#: Mean nats of the targets BxL after the inputs BxL.
Loss = Callable[[Tensor, Tensor], Tensor]
Tokens = npt.NDArray[np.integer]
#: The same for everyone.
LEARNING_RATE, CLIP, SEED = 1e-3, 1.0, 0
#: Sequences of the text that is trained on, again and again.
SEQUENCES = 1024
CPU = torch.device("cpu")


def tokens(case: Workload) -> Tokens:
    """A text of random symbols, as unevenly distributed as words are (Zipf), the same for everyone."""
    shares = 1 / np.arange(1, case.vocabulary + 1)
    generator = np.random.default_rng(SEED)
    drawn = generator.choice(case.vocabulary, SEQUENCES * case.length + 1, p=shares / shares.sum())
    return drawn.astype(np.uint16)


def bakeoff(case: Workload, stepped: Stepped, *, compiled: bool = False) -> None:
    """The very loop of a run, in the precision that this machine is given."""
    keep_freed_memory()
    precision = resolve_precision("auto", CPU)
    budget = Budget(epochs=10**6, batch_size=case.batch_size, sequence_length=case.length, precision=precision)
    torch.manual_seed(SEED)
    model = case.architecture.build(case.vocabulary, case.length)
    if compiled:
        model.compile_for((case.batch_size, case.length))  # type: ignore[operator]
    one = np.array([0])
    training = Training(
        model=model,
        optimizer=AdamW(lr=LEARNING_RATE).build(model),
        schedule=lambda step: 1.0,  # noqa: ARG005
        train=TokenStream(tokens_N=tokens(case), starts_D=one, words_D=one, bytes_D=one),
        measured={},
        budget=budget,
        seed=SEED,
        device=CPU,
        clock=Clock(),
        on_step=lambda step, loss: stepped(loss),  # noqa: ARG005
    )
    for _ in training.evaluations():
        pass


def linear_cross_entropy(case: Workload, stepped: Stepped) -> None:
    """Bakeoff's step with torch's chunked output layer and cross-entropy in place of its own."""
    keep_freed_memory()
    model: Any = case.architecture.build(case.vocabulary, case.length)
    bf16 = resolve_precision("auto", CPU) == "bf16"

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        features = model.features(inputs).flatten(0, 1)
        weight = model.embedding.weight.to(features.dtype)
        return F.linear_cross_entropy(features, weight, targets.flatten(), options=nn.LinearCrossEntropyOptions())

    train(_batches(case), stepped, model, loss, bf16=bf16)


def word_lm(case: Workload, stepped: Stepped, *, bf16: bool = False) -> None:
    """The step of PyTorch's word-language-model example: full log-softmax, `nll_loss`, clipping."""
    model = case.architecture.build(case.vocabulary, case.length)
    train(_batches(case), stepped, model, log_softmax_loss(model), bf16=bf16)


def log_softmax_loss(model: nn.Module) -> Loss:
    """The loss of that example."""
    return lambda inputs, targets: F.nll_loss(F.log_softmax(model(inputs).flatten(0, 1), dim=1), targets.flatten())


def nanogpt(case: Workload, stepped: Stepped, *, best: bool = False) -> None:
    """A step as nanoGPT does it: torch's fused attention, all logits, fused AdamW; at best in bfloat16 and compiled."""
    gpt1.WRITTEN_OUT = 0
    model = case.architecture.build(case.vocabulary, case.length)
    compiled: Callable[[Tensor], Tensor] = torch.compile(model) if best else model

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(compiled(inputs).flatten(0, 1), targets.flatten())

    train(_batches(case), stepped, model, loss, bf16=best)


def trainer(case: Workload, stepped: Stepped, *, best: bool = False) -> None:
    """The `Trainer` of transformers with its defaults; at best in bfloat16, compiled, with a fused optimizer."""
    settings: dict[str, Any] = {"bf16": True, "torch_compile": True, "optim": "adamw_torch_fused"} if best else {}
    rows = tokens(case)[: SEQUENCES * case.length].reshape(SEQUENCES, case.length)
    run_trainer(case, settings | {"max_steps": 10**9}, train_dataset=examples(rows), callbacks=[_callback(stepped)])


def run_trainer(case: Workload, settings: dict[str, Any], **arguments: Any) -> None:  # noqa: ANN401
    """Train the released implementation of GPT-1 by `Trainer`, with these settings and data."""
    from transformers import Trainer, TrainingArguments  # noqa: PLC0415 (an extra)

    quiet = {"report_to": [], "save_strategy": "no", "logging_steps": 10**9, "disable_tqdm": True}
    alike = {"per_device_train_batch_size": case.batch_size, "learning_rate": LEARNING_RATE, "max_grad_norm": CLIP}
    with tempfile.TemporaryDirectory() as folder:
        chosen = TrainingArguments(folder, use_cpu=True, seed=SEED, **alike, **quiet, **settings)
        Trainer(_released(case), chosen, **arguments).train()


def examples(rows: Tokens) -> list[dict[str, Tensor]]:
    """Sequences as `Trainer` takes them; it shifts the labels itself."""
    return [{"input_ids": row, "labels": row} for row in torch.from_numpy(rows.astype(np.int64))]


def _released(case: Workload) -> nn.Module:
    """The released implementation of GPT-1 at the case's size."""
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel  # noqa: PLC0415

    spec = case.architecture
    assert isinstance(spec, GPT1), "the peers of another model train another model"
    dropouts = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    config = OpenAIGPTConfig(
        vocab_size=case.vocabulary,
        n_positions=case.length,
        n_embd=spec.width,
        n_layer=spec.layers,
        n_head=spec.heads,
        **dropouts,
    )
    model: nn.Module = OpenAIGPTLMHeadModel(config)
    return model


def _callback(stepped: Stepped) -> Any:  # noqa: ANN401 (the extra's class)
    from transformers import TrainerCallback  # noqa: PLC0415

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: object, **__: object) -> None:
            stepped(float("nan"))

    return Callback()


def train(
    batches: Iterable[tuple[Tensor, Tensor]], stepped: Stepped, model: nn.Module, loss: Loss, *, bf16: bool = False
) -> None:
    """The plain loop around a loss: autocast, backward, clipping, fused AdamW."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    for inputs, targets in batches:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            value = loss(inputs, targets)
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        stepped(value.item())


def _batches(case: Workload) -> Iterator[tuple[Tensor, Tensor]]:
    text = torch.from_numpy(tokens(case).astype(np.int64))
    generator = torch.Generator().manual_seed(SEED)
    while True:
        starts = torch.randint(SEQUENCES, (case.batch_size, 1), generator=generator) * case.length
        places = starts + torch.arange(case.length)
        yield text[places], text[places + 1]


PEERS: dict[str, Contender] = {
    ITSELF: bakeoff,
    "linear-ce": linear_cross_entropy,
    "spinning": bakeoff,  # the same, but that its threads wait as libgomp has them wait by default
    "compiled": lambda case, stepped: bakeoff(case, stepped, compiled=True),
    "trainer": trainer,
    "trainer-best": lambda case, stepped: trainer(case, stepped, best=True),
    "nanogpt": nanogpt,
    "nanogpt-bf16": lambda case, stepped: nanogpt(case, stepped, best=True),
    "word-lm": word_lm,
    "word-lm-bf16": lambda case, stepped: word_lm(case, stepped, bf16=True),
}
