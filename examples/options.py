"""What options gain: dropout by the number of passes, an LSTM's own dropouts, averaged weights, Muon's share, NAdam.

    python examples/options.py

The models are those that `bakeoff choose` takes for so small a text, each at its usual learning rate. An epoch is a
pass, and a study has as many for all: so there is a study for each number of them. docs/options.md says what came of
it.
"""

import dataclasses

import bakeoff
from bakeoff.choosing.fitting import LENGTH
from bakeoff.experiments import SCALES
from bakeoff.optimizers import Adam, NAdam
from bakeoff.spec import Architecture, Budget, Corpus, Experiment, Optimizer, Study

Arm = tuple[Architecture, Optimizer, int]

#: By passes over the text what is dropped of the other two models than GLR; nothing where they are not trained.
DROPPED = {5: 0.1, 8: 0.2, 10: None, 20: 0.3}
#: What is dropped of GLR, and the passes after which the options are looked at that are no question of passes.
SHARES, USUAL = (0.0, 0.1, 0.2, 0.3), 8
SMALL = SCALES[0]
GLR_MUON, GPT_MUON, LSTM_ADAMW, _ = (
    (contender.architecture, contender.optimizer, contender.batch_size) for contender in SMALL.contenders
)
CORPUS = Corpus(name="vital-articles", documents=(300, 100, 100))


def with_options(arm: Arm, **options: float) -> Arm:
    """The same with options of the architecture."""
    architecture, optimizer, batch_size = arm
    return dataclasses.replace(architecture, **options), optimizer, batch_size


def arms(passes: int) -> list[Arm]:
    """What is compared after so many passes."""
    compared, share = [with_options(GLR_MUON, dropout=each) for each in SHARES], DROPPED[passes]
    if share is not None:
        compared += [with_options(arm, dropout=each) for arm in (GPT_MUON, LSTM_ADAMW) for each in (0.0, share)]
    if passes != USUAL:
        return compared
    glr, muon, of_muon = GLR_MUON
    lstm, adamw, of_adamw = LSTM_ADAMW
    return [
        *compared,
        with_options(LSTM_ADAMW, dropout=share, locked_dropout=True),
        with_options(LSTM_ADAMW, weight_drop=share),
        with_options(LSTM_ADAMW, dropout=share, locked_dropout=True, weight_drop=share),
        *((lstm, optimizer(lr=adamw.lr), of_adamw) for optimizer in (Adam, NAdam)),
        *((glr, dataclasses.replace(muon, adamw_share=of_muons), of_muon) for of_muons in (0.1, 1.0)),
    ]


def study(passes: int) -> Study:
    """All that is compared after so many passes."""
    return Study(
        name=f"options-{passes}",
        corpus=CORPUS,
        budget=Budget(epochs=passes, sequence_length=LENGTH, vocabulary=SMALL.vocabulary, average=0.99),
        experiments=tuple(
            Experiment(number=number, architecture=architecture, optimizer=optimizer, batch_size=batch_size)
            for number, (architecture, optimizer, batch_size) in enumerate(arms(passes), start=1)
        ),
    )


if __name__ == "__main__":
    for passes in DROPPED:
        bakeoff.run(study(passes), seeds=3, jobs=2, threads=1, write_report=False)
