"""A study as data: what `study.json` holds and `bakeoff describe` prints."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from bakeoff import accounting, sources, texts
from bakeoff.data import Tokens, overlap, tokenizers
from bakeoff.data.splits import SPLITS
from bakeoff.errors import UserError, one_line
from bakeoff.identity import encode, fits, identity
from bakeoff.models import ARCHITECTURES, count_parameters, ngram, without_weights
from bakeoff.optimizers import OPTIMIZERS
from bakeoff.shapes import Json
from bakeoff.spec import (
    TRAITS_OF_ARCHITECTURES,
    TRAITS_OF_OPTIMIZERS,
    Architecture,
    Budget,
    Experiment,
    Optimizer,
    Study,
)


def describe(study: Study, tokens: Tokens | None) -> Json:
    """The experiments with their exact parameter counts; counts of the corpus are null where it is not here yet."""
    vocabulary = tokens.vocabulary if tokens else study.budget.vocabulary
    return {
        "study": study.name,
        "corpus": _corpus(study, tokens),
        "budget": encode(study.budget),
        "experiments": [_experiment(e, study.budget_of(e), vocabulary) for e in study.experiments],
        "seeds": list(study.seeds),
    }


def require_buildable(study: Study, vocabulary: int) -> None:
    """See that all models and optimizers of a study can be built.

    Raises:
        UserError: One cannot.
    """
    for experiment in study.experiments:
        sizes = vocabulary, study.budget.sequence_length
        with _building(experiment):
            experiment.architecture.check(*sizes)
            experiment.optimizer.check(without_weights(experiment.architecture, *sizes))


@contextlib.contextmanager
def _building(experiment: Experiment) -> Iterator[None]:
    """Around what may fail in any way, as it is of a class of one's own."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        why = one_line(error)
        raise UserError(f"#{experiment.number} cannot be built ({type(error).__name__}: {why})") from error


def declare(study: Study, tokens: Tokens, declared: Study, source: Path | None) -> Json:
    """What a study's folder keeps: the description, what the report needs to order and judge, and what made it.

    Args:
        study: With precision and threads resolved.
        tokens: The corpus, prepared.
        declared: The study before anything was resolved.
        source: The user's study file, if it comes from one.
    """
    return describe(study, tokens) | {
        "identity": identity(declared),
        "runs": {run.slug: identity(run) for run in study.runs},
        "bakeoff": version("bakeoff"),
        "source": str(source) if source else None,
        "options": None if declared.options is None else dict(declared.options),
        "code": sources.checksums(source) if source else None,
        "tokenizer_sha256": hashlib.sha256(tokens.tokenizer.to_str().encode()).hexdigest(),
        "models": _order(ARCHITECTURES.values(), (type(e.architecture) for e in study.experiments)),
        "optimizers": _order(OPTIMIZERS.values(), (type(e.optimizer) for e in study.experiments)),
        "tuning": {**declared.tuning, "fits": fits(declared.tuning, declared)} if declared.tuning else None,
        "texts": None if study.trial else texts.of_floor(tokens, study.budget.sequence_length),
        "baselines": ngram.baselines(tokens, study.budget.sequence_length),
    }


def _corpus(study: Study, tokens: Tokens | None) -> Json:
    facts = {"name": study.corpus.name, "lossy": tokenizers.find(study.budget.tokenizer).lossy}
    if tokens is None:
        return facts | dict.fromkeys(SPLITS, dict.fromkeys(("documents", "tokens", "words", "bytes")))
    text = tokens.text
    return (
        facts
        | {"licence": text.licence, "source": text.source, "sha256": text.sha256}
        | {"newline_is_word": text.newline_is_word and not facts["lossy"]}
        | {
            split: {
                "documents": len(stream.starts_D),
                "tokens": len(stream.tokens_N),
                "words": stream.words,
                "bytes": stream.bytes,
                **_shared(tokens.shared.get(split)),
            }
            for split, stream in tokens.splits.items()
        }
    )


def _shared(share: float | None) -> Json:
    """Which share of a split's runs of tokens stands in train; nothing of train itself."""
    return {} if share is None else {"shared": {"tokens": overlap.TOKENS, "share": share}}


def _experiment(experiment: Experiment, budget: Budget, vocabulary: int) -> Json:
    architecture, optimizer = experiment.architecture, experiment.optimizer
    with _building(experiment):
        parameters, learnable = count_parameters(architecture, vocabulary, budget.sequence_length)
    return {
        "number": experiment.number,
        "slug": experiment.slug,
        "model": architecture.name,
        "layers": architecture.layers,
        "optimizer": optimizer.name,
        "learning_rate": optimizer.lr,
        "weight_decay": optimizer.weight_decay,
        "parameters": parameters,
        "learnable_parameters": learnable,
        "vocabulary": vocabulary,
        "sequence_length": budget.sequence_length,
        "batch_size": budget.batch_size,
        **({"steps": budget.steps} if budget.steps else {"epochs": budget.epochs}),
        "memory": accounting.memory(architecture, optimizer, budget, vocabulary),
        "architecture": encode(architecture),
        "optimizer_settings": encode(optimizer),
        "traits": traits(architecture, optimizer),
    }


def traits(architecture: Architecture, optimizer: Optimizer) -> Json:
    """What the two are beyond their numbers, as their classes say; null where one does not."""
    return {name: getattr(optimizer, name) for name in TRAITS_OF_OPTIMIZERS} | {
        name: getattr(architecture, name) for name in TRAITS_OF_ARCHITECTURES
    }


def _order(
    registered: Iterable[type[Architecture | Optimizer]], used: Iterable[type[Architecture | Optimizer]]
) -> list[dict[str, str]]:
    """Names and titles in the order of the registry, then those that only the study's file knows."""
    return [{"name": kind.name, "title": kind.title} for kind in dict.fromkeys([*registered, *used])]
