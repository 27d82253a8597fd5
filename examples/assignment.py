"""The assignment: twelve experiments on a text of your own, and a thirteenth of your own.

docs/assignment.md has the task, the questions and how they are marked. From the folder where your text is:

    bakeoff describe assignment.py    # sizes, and what of your text is counted
    bakeoff tune assignment.py        # the learning rates of your text; longer than the study itself
    bakeoff run assignment.py         # train what is missing, write the report, and say where
"""

from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SGD, Adam, AdamW, Momentum
from bakeoff.spec import Budget, Corpus, Study

#: Your text: a file, or a folder with train.txt, valid.txt and test.txt. None: 700 articles of an encyclopedia.
TEXT = None

corpus = Corpus(name="mine", path=TEXT) if TEXT else Corpus(name="vital-articles", documents=(700, 100, 100))

#: What everybody gets alike.
budget = Budget(epochs=8, batch_size=16, sequence_length=32, vocabulary=2048)

#: The learning rates are those that were found on the encyclopedia; `bakeoff tune` finds yours.
contenders = [
    (LSTM(layers=1), Adam(lr=0.017)),  # 1
    (LSTM(layers=1), AdamW(lr=0.02, weight_decay=0.1)),  # 2
    (LSTM(layers=1), SGD(lr=6.4)),  # 3
    (LSTM(layers=1), Momentum(lr=1.6)),  # 4
    (GPT1(layers=1), Adam(lr=0.0015)),  # 5
    (GPT1(layers=1), AdamW(lr=0.0021, weight_decay=0.1)),  # 6
    (GPT1(layers=1), SGD(lr=1.9)),  # 7
    (GPT1(layers=1), Momentum(lr=0.5)),  # 8
    (LSTM(layers=2), AdamW(lr=0.027, weight_decay=0.1)),  # 9
    (LSTM(layers=4), AdamW(lr=0.0077, weight_decay=0.1)),  # 10
    (GPT1(layers=2), AdamW(lr=0.0008, weight_decay=0.1)),  # 11
    (GPT1(layers=4), AdamW(lr=0.00045, weight_decay=0.1)),  # 12
    # 13: your own.
]

#: Three seeds, as two runs that differ in nothing else come to different numbers.
study = Study.of("assignment", corpus=corpus, budget=budget, contenders=contenders, seeds=(0, 1, 2))
