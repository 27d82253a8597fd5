"""Whatever is put in, what comes out is a result or one line that says what is wrong; nothing is left half-written.

Each property is tried a little in the normal suite, and 2,500 times in the slow one: 10,000 cases in all.
"""

import functools
import io
import json
import re
import shutil
import sys
import tokenize
import webbrowser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakeoff import cli, data, verbs, watching
from bakeoff.bench import table as bench
from bakeoff.choosing.choice import Choice
from bakeoff.data import corpora
from bakeoff.errors import UserError
from bakeoff.experiments import STUDIES
from bakeoff.files import TEMPORARY
from bakeoff.reporting import build, figures, pdf
from bakeoff.spec import Budget, Corpus
from forked import unseal

CASES = [50, pytest.param(2500, marks=pytest.mark.slow)]
JUNK = st.one_of(
    st.sampled_from(["", "-1", "0", "1", "1e999", "nan", "9" * 400, "None", "a\0b", "\x1b[2J", "\udcff", "💥"]),
    st.text(max_size=20).filter(lambda word: not {"/", ".."} & {*word, word}),  # nothing is written elsewhere
)


@pytest.fixture(params=CASES)
def fuzzed(request):
    """Tries a property with values of some strategies, as often as the suite allows."""

    def fuzz(test, *strategies):
        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
        settings(max_examples=request.param, suppress_health_check=checks)(given(*strategies)(test))()

    return fuzz


@pytest.fixture
def bakeoff(monkeypatch, capsys, tmp_path):
    """The command line in this process; nothing trains, and nothing is fetched."""
    monkeypatch.setattr(verbs, "do", lambda *arguments, **options: [])
    monkeypatch.setattr(Choice, "make", lambda self: (_ for _ in ()).throw(UserError("not here")))
    monkeypatch.setattr(bench, "measure", lambda told, *, fast: (_ for _ in ()).throw(UserError("not here")))
    monkeypatch.setattr(corpora, "load", functools.partial(_only_own, corpora.load))
    monkeypatch.setattr(figures, "draw", lambda study, folder: build.NO_FIGURES)
    monkeypatch.setattr(pdf, "write", lambda told, drawn, path: None)
    monkeypatch.setattr(watching.Server, "serve_forever", _interrupted)
    monkeypatch.setattr(webbrowser, "open", lambda url: None)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bakeoff", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert ended.value.code in (0, 1, 2)
        assert "Traceback" not in told.out + told.err
        # What takes long tells how far it is.
        assert all(line.startswith("bakeoff: ") for line in told.err.splitlines()) or arguments[0] == "verify"
        assert (ended.value.code == 0) <= ("bakeoff: " not in told.err) or arguments[0] == "run"
        assert list(tmp_path.rglob(f"{TEMPORARY}*")) == []
        return ended.value.code, told.out, told.err

    return call


def _interrupted(server):
    raise KeyboardInterrupt


def _only_own(load, corpus):
    if corpus.path is None:
        raise UserError(f"corpus {corpus.name} is not here")
    return load(corpus)


# --- study files ------------------------------------------------------------------------------------------------------

STUDY = """
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import Adam, Momentum
from bakeoff.spec import Budget, Corpus, Study

class Own(LSTM):
    name = "own"
    title = "My own"

study = Study.of(
    "mine",
    corpus=Corpus(name="text", path="text.txt", documents=(20, 10, 10)),
    budget=Budget(epochs=1, batch_size=8, sequence_length=16, vocabulary=256, clip=1.0, threads=1, compile=False),
    contenders=[
        (Own(layers=2, embedding=8, hidden=8, dropout=0.1), Adam(lr=1e-2)),
        (GPT1(width=8, heads=2), Momentum(lr=0.1, weight_decay=0.5)),
    ],
    seeds=(0, 1),
)
"""
TOKENS = [token.string for token in tokenize.generate_tokens(io.StringIO(STUDY).readline)]
VALUES = [
    "0",
    "-1",
    "1.5",
    "1e999",
    "10**400",
    "None",
    "True",
    "[]",
    "{}",
    "()",
    "'x'",
    "'\\x1b[2J'",
    "b'x'",
    "object()",
]


@st.composite
def studies(draw):
    """The study's source with some tokens or lines changed for others, and sometimes with any characters in it."""
    source = STUDY
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["value", "token", "gone", "lines", "characters", "cut"]))
        found = list(re.finditer(r"[\w.]+|\"[^\"]*\"|\S", source))
        if not found:
            break
        place = draw(st.sampled_from(found))
        if kind == "lines":
            lines = source.splitlines(keepends=True)
            number = draw(st.integers(0, len(lines) - 1))
            lines[number : number + 1] = draw(st.sampled_from([[], [lines[number]] * 2, [lines[number][::-1]]]))
            source = "".join(lines)
        elif kind == "cut":
            source = source[: place.start()]
        else:
            other = {"value": st.sampled_from(VALUES), "token": st.sampled_from(TOKENS), "gone": st.just("")}
            new = draw(other.get(kind, st.text(max_size=5)))
            source = source[: place.start()] + new + source[place.end() :]
    return source.encode(errors="surrogatepass")


def test_any_study_file_is_a_study_or_one_line(fuzzed, bakeoff, tmp_path, tiny_corpus_file):
    shutil.copy(tiny_corpus_file, tmp_path / "text.txt")

    def said(source, verb):
        (tmp_path / "mine.py").write_bytes(source)
        arguments = {"describe": [], "run": ["--no-report", "--out", "out"]}[verb]
        status, out, err = bakeoff(verb, "mine.py", *arguments)
        assert status == 0 or (out == "" and err.count("\n") == 1)
        for study in tmp_path.glob("out/*/study.json"):
            assert json.loads(study.read_text())["experiments"]
        shutil.rmtree(tmp_path / "out", ignore_errors=True)

    fuzzed(said, studies(), st.sampled_from(["describe", "run"]))


# --- run folders ------------------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
ANY_JSON = st.recursive(
    SCALARS, lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3)
)


def places(value):
    """Every object or list inside of a value, with each of its keys."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    return [pair for key, item in items for pair in [(value, key), *places(item)]]


def damaged_json(content, draw):
    """Records, one with a key changed, removed, exchanged for another's value, or doubled."""
    text = content.decode()
    lines = text.splitlines() if text.startswith('{"') else [text]
    number = draw(st.integers(0, min(len(lines), text.count("\n")) - 1))  # the last may be cut off
    record = json.loads(lines[number])
    inside, key = draw(st.sampled_from(places(record)))
    kind = draw(st.sampled_from(["other", "gone", "exchanged", "doubled"]))
    if kind == "other":
        inside[key] = draw(ANY_JSON)
    elif kind == "gone":
        del inside[key]
    elif kind == "exchanged":
        outer, other = draw(st.sampled_from(places(record)))
        inside[key] = json.loads(json.dumps(outer[other]))
    elif isinstance(inside, list):
        inside.append(inside[key])
    lines[number] = json.dumps(record)
    if kind == "doubled" and isinstance(inside, dict):
        lines[number] = lines[number].replace("{", f"{{{json.dumps(key)}: {json.dumps(draw(ANY_JSON))}, ", 1)
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")


def damaged_bytes(content, draw):
    """Some bytes cut off, exchanged, doubled, or others in their place."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    other = draw(st.sampled_from([b"", content[start:end] * 2, content[start:end][::-1]]) | st.binary(max_size=9))
    return content[:start] + (other if draw(st.booleans()) else b"") + content[end:]


def test_any_run_folder_is_shown_or_said_to_be_damaged(fuzzed, bakeoff, fake_study, tmp_path):
    study = tmp_path / "fake"
    shutil.copytree(fake_study.path, study)
    unseal(study)
    whole = {path: path.read_bytes() for path in sorted(study.rglob("*.json*"))}
    damages = {"json": damaged_json, "bytes": damaged_bytes, "gone": None, "folder": None}

    def shown(data, as_json):
        for path, content in whole.items():
            shutil.rmtree(path) if path.is_dir() else None
            path.write_bytes(content)
        for path in data.draw(st.lists(st.sampled_from(list(whole)), min_size=1, max_size=3, unique=True)):
            kind = data.draw(st.sampled_from(list(damages)))
            path.unlink()
            if kind == "folder":
                path.mkdir()
            elif kind != "gone":
                path.write_bytes(damages[kind](whole[path], data.draw))
        status, out, _ = bakeoff("status", str(study), *(["--json"] if as_json else []))
        if as_json and status == 0:
            assert len(json.loads(out)["studies"]) == 1
        if data.draw(st.integers(0, 99)) == 0:  # it takes a hundred times as long
            status, _, _ = bakeoff("report", str(study), "--out", str(tmp_path / "report"))
            assert status or (tmp_path / "report" / "fake" / "index.html").read_text().rstrip().endswith("</html>")

    fuzzed(shown, st.data(), st.booleans())


# --- texts ------------------------------------------------------------------------------------------------------------

PIECES = st.one_of(
    st.text(max_size=30).map(lambda text: text.encode(errors="surrogatepass")),
    st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x1c\x85\u2028\xa0é😀"), max_size=30).map(str.encode),
    st.binary(max_size=9),
    st.sampled_from([b"\n\n", b"\r", b". ", b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"word ", b"A" * 300]),
)
#: Pieces of a text, and how often each is repeated, with a number after it that sets it apart or without.
TEXTS = st.lists(st.tuples(PIECES, st.integers(1, 400), st.booleans()), min_size=1, max_size=6)


def test_any_bytes_are_a_text_that_is_kept_to_the_byte_or_one_line(fuzzed, tmp_path, monkeypatch):
    path = tmp_path / "own.txt"
    budget = Budget(sequence_length=4, vocabulary=260)

    def kept(pieces):
        content = b"".join(
            piece + (b"%d" % number if numbered else b"")
            for piece, count, numbered in pieces
            for number in range(count)
        )
        path.write_bytes(content)
        monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
        try:
            tokens = data.prepare(Corpus(name="own", path=str(path)), budget)
        except UserError as error:
            if "\n" in str(error):
                raise
            return
        finally:
            assert list(tmp_path.rglob(f"{TEMPORARY}*")) == []
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        documents = [document for split in tokens.text.splits.values() for document in split]
        text = content.removeprefix(b"\xef\xbb\xbf")
        assert sorted("".join(documents).encode()) == sorted(text)
        assert all(document.encode() in text for document in documents)
        for split, stream in tokens.splits.items():
            assert tokens.tokenizer.decode(stream.tokens_N.tolist()) == "".join(tokens.text.splits[split])
            assert stream.bytes == len("".join(tokens.text.splits[split]).encode())

    fuzzed(kept, TEXTS)


# --- command lines ----------------------------------------------------------------------------------------------------

OPTIONS = sorted(
    {option for verb in cli.typer.main.get_command(cli.app).commands.values() for p in verb.params for option in p.opts}
)
VERBS = sorted(cli.typer.main.get_command(cli.app).commands)
WORDS = st.one_of(
    st.sampled_from([*VERBS, *OPTIONS, *STUDIES, "--", "-", "--help", "--version", "-h", "@x", "*"]),
    st.sampled_from(
        ["mine.py", "text.txt", "fake", "fake/study.json", "out", ".", "absent", "1,2", "auto", "cpu", "fp32"]
    ),
    st.tuples(st.sampled_from(OPTIONS), JUNK).map("=".join),
    JUNK,
)
COMMANDS = st.tuples(st.sampled_from(VERBS) | WORDS, st.lists(WORDS, max_size=5)).map(
    lambda parts: [parts[0], *parts[1]]
)


def test_any_command_line_is_done_or_answered_in_one_line(fuzzed, bakeoff, fake_study, tmp_path, tiny_corpus_file):
    shutil.copy(tiny_corpus_file, tmp_path / "text.txt")
    (tmp_path / "mine.py").write_text(STUDY)
    shutil.copytree(fake_study.path, tmp_path / "fake")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def answered(arguments):
        bakeoff(*arguments)
        assert {path: path.read_bytes() for path in before if path.exists()} == before

    fuzzed(answered, COMMANDS)
