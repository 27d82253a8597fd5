"""What is compared, as frozen data: corpus, architecture, optimizer, budget, experiment, run and study.

What a spec is, beyond its numbers, stands on its class as traits, such as `adaptive` or `recurrent`: questions are
planned from them, and from no name. None stands for what a class does not say.

Nothing here imports torch; the `build` methods are implemented in `models` and `optimizers`.
"""

from __future__ import annotations

import dataclasses
import html
import math
import re
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from bakeoff.errors import plain
from bakeoff.shapes import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import torch

#: A field with this metadata does not change what is computed, so it is no part of any identity.
NOT_IDENTITY = {"identity": False}
#: Fewer symbols than bytes cannot spell every text.
SMALLEST_VOCABULARY = 256
#: Far above what any machine can do, and low enough that a slip of the finger is noticed before memory is asked for.
MOST_LAYERS, MOST_SYMBOLS, MOST_THREADS, MOST_SEEDS, MOST = 1000, 1_000_000, 1024, 1000, 1_000_000_000
LARGEST_SEED = 2**32 - 1
#: Bytes of a name, which is a part of that of a folder: file systems take 255.
LONGEST_NAME = 100
PRECISIONS = ("auto", "fp32", "bf16")
SCHEDULES = ("linear", "warmup", "constant")
#: Share of the steps in which a schedule rises to the peak, where nothing else is asked for.
WARMUP = 0.05


def whole(spec: object, name: str, lowest: int, highest: int) -> None:
    """See that a field of a spec is a whole number within its bounds.

    Raises:
        ValueError: It is not.
    """
    _require_whole(getattr(spec, name), name, lowest, highest)


def _require_whole(value: object, name: str, lowest: int, highest: int) -> None:
    _require(
        isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest,
        f"{_words(name)} must be a whole number from {lowest:,} to {highest:,}, not {value!r}",
    )


def real(spec: object, name: str, *, above: float | None = None, below: float | None = None) -> None:
    """See that a field of a spec is a number from 0, or above a bound, and below another one; make it a float.

    1 and 1.0 are the same, so they must give the same identity. Without another bound it is `LARGEST`.

    Raises:
        ValueError: It is none.
    """
    value = getattr(spec, name)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    lowest = "from 0" if above is None else f"above {above}"
    told = below is not None or (number and LARGEST <= value < math.inf)
    most = LARGEST if below is None else below
    _require(
        number and (value >= 0 if above is None else value > above) and value < most,
        f"{_words(name)} must be a finite number {lowest}{f' and below {most}' if told else ''}, not {value!r}",
    )
    object.__setattr__(spec, name, float(value))


def yes_or_no(spec: object, name: str) -> None:
    """See that a field of a spec is a truth value; 1 and True would give two identities.

    Raises:
        ValueError: It is none.
    """
    value = getattr(spec, name)
    _require(isinstance(value, bool), f"{_words(name)} must be True or False, not {value!r}")


def one_of(spec: object, name: str, choices: Iterable[str]) -> None:
    """See that a field of a spec is one of some words.

    Raises:
        ValueError: It is none of them.
    """
    value, known = getattr(spec, name), [*choices]
    _require(value in known, f"{_words(name)} must be one of {', '.join(known)}, not {value!r}")


def shown(name: object, what: str) -> None:
    """See that a name that others will read has a character, and none that a terminal obeys or that is not seen.

    Raises:
        ValueError: It has.
    """
    _require(
        isinstance(name, str) and bool(name.strip()) and plain(name) == name,
        f"{what} must be text of characters that are there to be seen, not {name!r}",
    )


def foldable(name: object, what: str) -> None:
    """See that a name that others will read leads to no other folder where it is part of one's.

    Raises:
        ValueError: It cannot.
    """
    shown(name, what)
    _require(
        re.fullmatch(r"[^./\\][^/\\]*", str(name)) is not None,
        f"{what} becomes a folder's: no '/', no '\\' and no '.' in front, as in {name!r}",
    )


class LanguageModel(Protocol):
    """What the training loop asks of a model, besides being a `torch.nn.Module`."""

    def loss(self, inputs_BxL: torch.Tensor, targets_BxL: torch.Tensor) -> torch.Tensor:
        """Mean nats per target, a scalar; targets of -100 do not count."""
        ...

    def token_nats(self, inputs_BxL: torch.Tensor, targets_BxL: torch.Tensor) -> torch.Tensor:
        """Nats of every target, BxL in float32; 0 where the target is -100."""
        ...


class Counterpart(NamedTuple):
    """A model as one of Hugging Face's `transformers`.

    Attributes:
        config: The library's configuration: its `model_type` and options.
        weights: The state of the library's body, which is its model without the output layer; that is tied.
    """

    config: Mapping[str, Any]
    weights: Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Named text in three splits: a built-in one, or a user's file or folder.

    Attributes:
        name: A name from `bakeoff data`, or what a user's own text is called in the report.
        documents: At most this many documents of train, valid and test; all of them by default.
        path: The user's text file, or folder with `train.txt`, `valid.txt` and `test.txt`.
        sha256: Checksum of the user's text, so that an edited text is another corpus.
    """

    name: str
    documents: tuple[int, int, int] | None = None
    path: str | None = field(default=None, metadata=NOT_IDENTITY)
    sha256: str | None = None

    def __post_init__(self) -> None:
        foldable(self.name, "a corpus's name")
        for name in ("path", "sha256"):
            value = getattr(self, name)
            _require(value is None or isinstance(value, str), f"a corpus's {name} must be text, not {value!r}")
        if self.documents is not None:
            counts = isinstance(self.documents, tuple | list) and len(self.documents) == len(("train", "valid", "test"))
            _require(
                counts and all(type(count) is int and 1 <= count <= MOST for count in self.documents),
                f"documents must be three whole numbers from 1 to {MOST:,}, one a split, not {self.documents!r}",
            )
            object.__setattr__(self, "documents", tuple(self.documents))


#: What a class says of itself beyond its numbers; it is kept with a study.
TRAITS_OF_ARCHITECTURES = ("attends", "recurrent", "post_norm")
TRAITS_OF_OPTIMIZERS = ("adaptive", "rule", "heavy_ball", "decoupled_decay", "step_scale", "schedule")


@dataclass(frozen=True, kw_only=True)
class Architecture(ABC):
    """A frozen description of a model that can build it.

    Attributes:
        layers: How many layers are stacked.
        attends: Whether a place looks at earlier ones by attention.
        recurrent: Whether a state is carried from place to place.
        post_norm: Whether each residual sum is normalized, as in the first transformers, and not its branch's input.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    attends: ClassVar[bool | None] = None
    recurrent: ClassVar[bool | None] = None
    post_norm: ClassVar[bool | None] = None
    #: Whether its modules have `compile_for`, which is called where the budget says so.
    compiles: ClassVar[bool] = False

    layers: int = 1

    def __post_init__(self) -> None:
        whole(self, "layers", 1, MOST_LAYERS)

    @abstractmethod
    def build(self, vocabulary: int, sequence_length: int) -> torch.nn.Module:
        """Build the model, freshly initialized from torch's global generator.

        Args:
            vocabulary: Number of symbols.
            sequence_length: The longest input, in tokens.

        Returns:
            A module that is also a `LanguageModel`.
        """

    def rebuild(self, vocabulary: int, sequence_length: int, weights: Mapping[str, torch.Tensor]) -> torch.nn.Module:
        """The model that `build` builds, with weights that it had: what else `build` reads need not be there."""
        model = self.build(vocabulary, sequence_length)
        model.load_state_dict(weights)
        return model

    def to_transformers(self, model: torch.nn.Module) -> Counterpart | None:  # noqa: ARG002 (most have none)
        """A model of this architecture as the class of `transformers` that computes the same; None if there is none.

        Raises:
            UserError: There is none for these options, and the library's users would expect one.
        """
        return None

    def check(self, vocabulary: int, sequence_length: int) -> None:  # noqa: B027 (most read nothing from the disk)
        """See that whatever `build` reads from the disk is there, before anything is trained.

        Raises:
            UserError: It is not.
        """


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """A frozen description of an optimizer that can build it.

    Attributes:
        lr: Peak learning rate; an optimizer's default is the centre of the search for its best.
        weight_decay: Weight decay (decoupled or L2, as the optimizer defines it).
        adaptive: Whether it scales each weight's step by running statistics of that weight's gradient.
        rule: The update rule, whatever the decay: the same for Adam and AdamW.
        heavy_ball: Whether steps add up as those of a heavy ball do (Polyak 1964).
        decoupled_decay: Whether decay shrinks the weights themselves (Loshchilov & Hutter 2019) and is no L2 penalty.
        schedule: The shape of the learning rate that it is made for; None takes the budget's.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    adaptive: ClassVar[bool | None] = None
    rule: ClassVar[str] = ""
    heavy_ball: ClassVar[bool | None] = None
    decoupled_decay: ClassVar[bool | None] = None
    schedule: ClassVar[str | None] = None
    #: Fields that are part of an identity even where they have their default: a better default rate is another run.
    always_identity: ClassVar[frozenset[str]] = frozenset({"lr"})

    lr: float = 1e-2
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        real(self, "lr", above=0)
        real(self, "weight_decay")

    @property
    def step_scale(self) -> float | None:
        """Learning rates that a steady gradient of 1 moves a weight, each step, in the long run; None if undefined."""
        return None

    @abstractmethod
    def build(self, model: torch.nn.Module) -> torch.optim.Optimizer:
        """Build the optimizer over every learnable parameter of `model`, each in exactly one group.

        One that wants other weights measured than it steps from has the methods of `training.Averaging`.
        """

    def check(self, model: torch.nn.Module) -> None:  # noqa: B027 (most need nothing)
        """See that whatever `build` needs of such a model, or of what is installed, is there; before training.

        Raises:
            UserError: It is not.
        """


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every experiment of a study is given alike.

    Attributes:
        epochs: Passes over the train split; nothing where `steps` is given.
        batch_size: Sequences a step.
        sequence_length: Tokens a sequence.
        tokenizer: `bpe`, trained on the train split, or `gpt1`, GPT-1's own.
        vocabulary: Symbols of the tokenizer.
        epoch_steps: Steps of an epoch, at most: each epoch then draws its own part of the train split. None trains on
            all of it.
        steps: Steps of the whole run, over as many passes of the train split as they take, whole ones or not. An epoch
            is then nothing but `epoch_steps` steps, which the budget must have: a full evaluation follows each, and the
            last step. With the same `warmup_steps`, runs that differ in `steps` and `decay_steps` are the same until
            the rate of one decays.
        schedule: Shape of the learning rate over a run: `linear` (warm-up, linear decay to zero), `warmup` (the same
            without the decay) or `constant`.
        warmup_steps: Of all `steps` those in which the rate rises to its peak, 1 for none; by default 5 % of a run's.
        decay_steps: Of all `steps` the last ones, in which a `linear` rate falls from its peak (constant, then decay:
            Hägele et al. 2024). By default it falls from the end of the warm-up.
        clip: Largest norm of a gradient; None does not clip.
        average: Decay, per step, of an exponential moving average of the weights that is kept beside them and measured
            at the end, in a column of its own; None keeps none.
        precision: Of matrix products, in training and in evaluation: `fp32`, `bf16`, or `auto`, which is resolved on
            the machine that starts the study.
        threads: Processor threads of a run; None is resolved on the machine that starts the study.
        compile: Whether models that can be compiled are. On a processor that was never seen to pay, and a run that is
            cut off does not go on with the very same bits.
    """

    epochs: int = 10
    batch_size: int = 16
    sequence_length: int = 128
    tokenizer: str = "bpe"
    vocabulary: int = 2048
    epoch_steps: int | None = None
    steps: int | None = None
    schedule: str = "linear"
    warmup_steps: int | None = None
    decay_steps: int | None = None
    clip: float | None = 1.0
    average: float | None = None
    precision: str = "auto"
    threads: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        whole(self, "vocabulary", SMALLEST_VOCABULARY, MOST_SYMBOLS)
        for name in ("epochs", "batch_size", "sequence_length"):
            whole(self, name, 1, MOST)
        for name in ("epoch_steps", "steps", "warmup_steps", "decay_steps"):
            if getattr(self, name) is not None:
                whole(self, name, 1, MOST)
        if self.threads is not None:
            whole(self, "threads", 1, MOST_THREADS)
        if self.clip is not None:
            real(self, "clip", above=0)
        if self.average is not None:
            real(self, "average", above=0, below=1)
        shown(self.tokenizer, "the name of a tokenizer")
        one_of(self, "schedule", SCHEDULES)
        one_of(self, "precision", PRECISIONS)
        yes_or_no(self, "compile")
        if self.steps is None:
            shaped = self.warmup_steps or self.decay_steps
            _require(not shaped, "a warm-up or a decay in steps needs a budget in steps: give steps as well")
        else:
            self._check_steps(self.steps)

    def _check_steps(self, steps: int) -> None:
        _require(
            self.epochs == Budget.epochs,
            f"a budget has steps or epochs, not both: leave out epochs={self.epochs} or steps={steps}",
        )
        _require(
            self.epoch_steps is not None,
            "a budget in steps needs epoch_steps as well: after how many of them each evaluation follows",
        )
        _require(
            self.warmup_steps is None or self.schedule != "constant",
            "the schedule constant has no warm-up to give steps",
        )
        _require(
            self.decay_steps is None or self.schedule == "linear",
            f"the schedule {self.schedule} has no decay to give steps",
        )
        rising, falling = self.rising(steps), self.decay_steps or 0
        _require(
            rising + falling <= steps,
            f"{rising:,} steps of warm-up and {falling:,} of decay are more than all {steps:,}: give fewer",
        )

    def rising(self, steps: int) -> int:
        """Steps of the warm-up of a run of so many."""
        return self.warmup_steps or max(1, round(WARMUP * steps))

    def falling(self, steps: int) -> int:
        """Steps of the decay of a run of so many, where its schedule decays."""
        return steps - self.rising(steps) if self.decay_steps is None else self.decay_steps

    def in_batches_of(self, size: int) -> Budget:
        """As many tokens in batches of another size; an epoch of so many steps keeps its tokens, to a batch."""
        epoch_steps = self.epoch_steps and -(-self.epoch_steps * self.batch_size // size)
        return dataclasses.replace(self, batch_size=size, epoch_steps=epoch_steps)

    def compiles(self, architecture: Architecture) -> bool:
        """Whether a model is compiled: the budget says so, and the architecture can be."""
        return self.compile and architecture.compiles


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An architecture with an optimizer, and their number in the study.

    Attributes:
        batch_size: Sequences a step, where it is another than the budget's: with as many epochs, and so tokens.
        code: Fingerprint of the source of what a study file defines for it; None where all is Bakeoff's own. Mended
            code makes other runs of the same study.
    """

    number: int = field(metadata=NOT_IDENTITY)
    architecture: Architecture
    optimizer: Optimizer
    batch_size: int | None = None
    code: str | None = field(default=None, metadata=NOT_IDENTITY)

    def __post_init__(self) -> None:
        whole(self, "number", 0, MOST)
        if self.batch_size is not None:
            whole(self, "batch_size", 1, MOST)

    @property
    def slug(self) -> str:
        """A readable name that sorts by number, such as `01-lstm-1-adam`."""
        return _slug(self.number, self.architecture, self.optimizer)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One experiment of a study with one seed: all that decides what is computed; equal runs compute the same.

    Attributes:
        code: As the experiment's.
    """

    number: int = field(metadata=NOT_IDENTITY)
    corpus: Corpus
    architecture: Architecture
    optimizer: Optimizer
    budget: Budget
    seed: int
    code: str | None = None

    def __post_init__(self) -> None:
        whole(self, "seed", 0, LARGEST_SEED)

    @property
    def slug(self) -> str:
        """The run's folder inside the study's, such as `01-lstm-1-adam/seed-0`."""
        return f"{_slug(self.number, self.architecture, self.optimizer)}/seed-{self.seed}"

    def as_experiment(self, number: int) -> Experiment:
        """The experiment that it is one of, under that number, in a study with its budget."""
        return Experiment(number=number, architecture=self.architecture, optimizer=self.optimizer, code=self.code)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A numbered list of experiments, the corpus and the budget that all of them get, and seeds to repeat them with.

    Attributes:
        name: Also the name of its folder.
        experiments: In the order of their numbers.
        seeds: Each experiment is run once with each.
        tuning: Where its learning rates come from: what a search found, with every trial; None if chosen by hand.
        trial: Whether its runs only help to choose what to train; what that does not take is not measured.
        options: Those of the command line, with their values, that made it of what its name or its study file says;
            None for a study that no command line names: of a choice, a search, or a program.
    """

    name: str
    corpus: Corpus
    budget: Budget
    experiments: tuple[Experiment, ...]
    seeds: tuple[int, ...] = field(default=(0,), metadata=NOT_IDENTITY)
    tuning: Mapping[str, Any] | None = field(default=None, metadata=NOT_IDENTITY)
    trial: bool = field(default=False, metadata=NOT_IDENTITY)
    options: Mapping[str, str] | None = field(default=None, metadata=NOT_IDENTITY)

    def __post_init__(self) -> None:
        _require(
            re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name) is not None,
            f"a study's name becomes a folder: letters, digits, '.', '-' and '_', not {self.name!r}",
        )
        _require(len(self.experiments) > 0, f"study {self.name} has no experiments")
        _require(
            0 < len(self.seeds) <= MOST_SEEDS and _unique(self.seeds),
            f"a study has from 1 to {MOST_SEEDS:,} seeds, all different from each other",
        )
        for seed in self.seeds:
            _require_whole(seed, "seed", 0, LARGEST_SEED)
        _require(_unique(self.numbers), f"study {self.name} numbers two experiments alike")
        _require(
            self.budget.steps is None or all(e.batch_size is None for e in self.experiments),
            f"study {self.name} has a budget in steps, which are not as many tokens in batches of another size: give it"
            " epochs, or leave out batch_size",
        )
        for kinds in ({type(e.architecture) for e in self.experiments}, {type(e.optimizer) for e in self.experiments}):
            for kind in kinds:
                foldable(getattr(kind, "name", None), f"the name of {kind.__name__}")
                shown(getattr(kind, "title", None), f"the title of {kind.__name__}")
                _require(
                    len(kind.name.encode()) <= LONGEST_NAME,
                    f"the name of {kind.__name__} becomes a part of a folder's: at most {LONGEST_NAME} bytes",
                )
            alike = [name for name, count in Counter(kind.name for kind in kinds).items() if count > 1]
            _require(not alike, f"study {self.name} has two classes with the name {''.join(alike[:1])!r}: rename one")

    @classmethod
    def of(
        cls,
        name: str,
        *,
        corpus: Corpus,
        budget: Budget,
        contenders: Sequence[tuple[Architecture, Optimizer]],
        seeds: tuple[int, ...] = (0,),
    ) -> Self:
        """A study that numbers its contenders from 1."""
        experiments = tuple(
            Experiment(number=number, architecture=architecture, optimizer=optimizer)
            for number, (architecture, optimizer) in enumerate(contenders, start=1)
        )
        return cls(name=name, corpus=corpus, budget=budget, experiments=experiments, seeds=seeds)

    def _repr_html_(self) -> str:
        """For a notebook: what all experiments share, and a line for each with what is not as by default."""
        import tabulate  # noqa: PLC0415 (nothing else here needs it)

        from bakeoff import words  # noqa: PLC0415 (likewise)

        budget = self.budget
        shared = (
            f"Study {self.name}: {self.corpus.name}, {words.epochs(vars(budget))}, batches of {budget.batch_size} "
            f"sequences of {budget.sequence_length} tokens, {words.plural(len(self.seeds), 'seed')}"
        )
        lines = [[str(e.number), _told(e.architecture), _told(e.optimizer)] for e in self.experiments]
        table = tabulate.tabulate(lines, ["#", "model", "optimizer"], tablefmt="html", disable_numparse=True)
        return f"<p>{html.escape(shared)}</p>\n{table}"

    @property
    def numbers(self) -> tuple[int, ...]:
        """The experiments' numbers, in order."""
        return tuple(experiment.number for experiment in self.experiments)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every experiment with every seed, seed by seed, so that a first whole answer comes early."""
        return tuple(self.run(experiment, seed) for seed in self.seeds for experiment in self.experiments)

    def run(self, experiment: Experiment, seed: int) -> Run:
        """One of its experiments with a seed."""
        return Run(
            number=experiment.number,
            corpus=self.corpus,
            architecture=experiment.architecture,
            optimizer=experiment.optimizer,
            budget=self.budget_of(experiment),
            seed=seed,
            code=experiment.code,
        )

    def budget_of(self, experiment: Experiment) -> Budget:
        """The study's budget, in batches of the experiment's own size where it has one."""
        size = experiment.batch_size
        return self.budget if size is None else self.budget.in_batches_of(size)

    def with_shared(self, *, name: str | None = None, corpus: Corpus | None = None, **budget: Any) -> Self:  # noqa: ANN401
        """The same study under another name, on another corpus, or with other fields of the budget."""
        return dataclasses.replace(
            self,
            name=name or self.name,
            corpus=corpus or self.corpus,
            budget=dataclasses.replace(self.budget, **budget),
        )

    def with_seeds(self, count: int) -> Self:
        """The same study with that many seeds: its own first, then the smallest numbers that are not among them."""
        told = f"{count:,}" if type(count) is int else repr(count)
        _require(
            type(count) is int and 1 <= count <= MOST_SEEDS, f"a study has from 1 to {MOST_SEEDS:,} seeds, not {told}"
        )
        others = (seed for seed in range(count) if seed not in self.seeds)
        return dataclasses.replace(self, seeds=(*self.seeds, *others)[:count])

    def with_rates(self, rates: Mapping[str, float]) -> Self:
        """The same study with other learning rates, by slugs; an experiment that is not among them keeps its own."""
        experiments = tuple(
            dataclasses.replace(e, optimizer=dataclasses.replace(e.optimizer, lr=rates.get(e.slug, e.optimizer.lr)))
            for e in self.experiments
        )
        return dataclasses.replace(self, experiments=experiments)

    def tuned(self, tuning: Mapping[str, Any]) -> Self:
        """The same study with the rates that a search chose, and the search remembered."""
        rates = {slug: found["lr"] for slug, found in tuning["rates"].items()}
        return dataclasses.replace(self.with_rates(rates), tuning=tuning)


def _slug(number: int, architecture: Architecture, optimizer: Optimizer) -> str:
    return f"{number:02d}-{architecture.name}-{architecture.layers}-{optimizer.name}"


def _told(spec: Architecture | Optimizer) -> str:
    """The title, its layers or learning rate, and every other setting that is not the default."""
    settings = {
        f.name: getattr(spec, f.name)
        for f in dataclasses.fields(spec)
        if f.name in ("layers", "lr") or getattr(spec, f.name) != f.default
    }
    listed = (
        f"{_words(name)} {value:g}" if isinstance(value, float) else f"{_words(name)} {value}"
        for name, value in settings.items()
    )
    return f"{spec.title} ({', '.join(listed)})"


def _unique(values: Sequence[int]) -> bool:
    return max(Counter(values).values()) == 1


def _words(name: str) -> str:
    return "learning rate" if name == "lr" else name.replace("_", " ")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
