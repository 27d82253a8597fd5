"""What a browser is shown of studies at work, and what nobody else is."""

import _thread
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import psutil
import pytest

import fakes
from bakeoff import cli, watching
from bakeoff.errors import UserError
from bakeoff.reporting import live
from bakeoff.watching import Server

RUNS = {(1, "lstm", 1, "adam"): [4.6, 4.5], (2, "lstm", 1, "sgd"): fakes.falling(5.3), (3, "gpt1", 1, "adam"): None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two studies, one of them in a folder of its own, with names that mean something in addresses and in HTML."""
    folder = tmp_path_factory.mktemp("runs")
    fakes.write_study(folder / "a & <b>", RUNS, endings={2: {"status": "diverged", "error": "no <loss>"}})
    fakes.write_study(folder / "choose-x" / "final", RUNS)
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_study_that_was_put_aside_is_not_shown(tmp_path):
    aside = fakes.write_study(tmp_path / "runs" / "round-1", RUNS).put_aside()
    assert aside.is_dir()
    assert watching.studies(tmp_path / "runs") == {}
    fakes.write_study(tmp_path / "runs" / "round-1", RUNS)
    assert list(watching.studies(tmp_path / "runs")) == ["runs/round-1"]


def test_a_browser_that_waits_for_the_page_gets_it(folder, monkeypatch):
    """One that runs in the terminal is over only when it has shown it."""
    seen = []

    def opened(url):
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 (it is our own server)
            seen.append(answer.status)
        _thread.interrupt_main()

    monkeypatch.setattr("webbrowser.open", opened)
    cli.watch(folder, port=0)
    assert seen == [200]


def get(server, path, host=None):
    """Status, headers and text."""
    connection = http.client.HTTPConnection(watching.ADDRESS, server.server_port, timeout=60)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()


def test_the_page_names_every_study_and_fetches_from_nowhere_else(server, folder):
    text, told = get(server, "/")[2], get(server, "/?news")
    for part in (text, told[2]):
        assert "http://" not in part.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in part
    status, headers, text = told
    assert status == 200
    assert f'href="/{folder.name}/a%20%26%20%3Cb%3E">{folder.name}/a &amp; &lt;b&gt;</a>' in text
    assert f'href="/{folder.name}/choose-x/final"' in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"


def test_its_news_are_the_runs_their_curves_and_what_failed(server, folder):
    status, _, text = get(server, f"/{folder.name}/a%20%26%20%3Cb%3E?news")
    assert status == 200
    assert text.count("<tr>") == 1 + len(RUNS)
    assert text.count("<svg") == 2
    assert "<b>#2 diverged</b>: no &lt;loss&gt;" in text
    assert "1 finished, 1 diverged, 1 missing; left to run:" in text
    assert "The floor to beat: " in text


def test_curves_that_did_not_change_are_not_drawn_for_every_request(server, folder, monkeypatch):
    drawn, draw = [], live.overlays.draw
    monkeypatch.setattr(live.overlays, "draw", lambda study: drawn.append(study.folder) or draw(study))
    fakes.write_study(folder / "twice", RUNS)
    first, second = (get(server, f"/{folder.name}/twice?news")[2] for _ in range(2))
    assert first == second
    assert first.count("<svg") == 2
    assert drawn == ["twice"]


def test_it_follows_what_is_written(server, folder):
    path = folder / "new"
    fakes.write_study(path, RUNS | {(1, "lstm", 1, "adam"): [4.6]}, endings={1: None})
    before = get(server, f"/{folder.name}/new?news")[2]
    run = next(path.glob("01-*/seed-0/history.jsonl"))
    line = json.loads(run.read_text().splitlines()[-1])
    with run.open("a") as file:
        file.write(json.dumps(line | {"epoch": line["epoch"] + 1, "step": line["step"] + 100}) + "\n")
    after = get(server, f"/{folder.name}/new?news")[2]
    assert 'value="1"' in before
    assert 'value="2"' in after
    assert after.index("/new") < after.index("/choose-x/final"), "the last one written first"
    shown = get(server, "/?news")[2]
    assert shown[shown.index("<h1>") :] == after[after.index("<h1>") :]


def test_a_damaged_study_is_said_and_the_next_answer_may_have_it(server, folder):
    path = folder / "broken"
    fakes.write_study(path, RUNS)
    whole = (path / "study.json").read_text()
    (path / "study.json").write_text("{")
    status, _, text = get(server, f"/{folder.name}/broken?news")
    assert (status, text.count("<p>Not to be shown now: ")) == (200, 1)
    (path / "study.json").write_text(whole)
    assert "<table>" in get(server, f"/{folder.name}/broken?news")[2]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:PORT", "127.0.0.1.evil:PORT", "localhost@evil", ":PORT", "["]
)
def test_whoever_calls_it_by_another_name_is_refused(server, host):
    status, _, text = get(server, "/", host.replace("PORT", str(server.server_port)))
    assert (status, "study" in text) == (403, False)


def test_this_machines_names_are_answered(server):
    assert [get(server, "/", f"{name}:{server.server_port}")[0] for name in watching.NAMES] == [200, 200]
    assert get(server, "/", "localhost:9000")[0] == 200, "as through a tunnel"


@pytest.mark.parametrize(
    "path", ["/nothing", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/report"]
)
def test_nothing_else_of_the_disk_is_shown(server, path):
    assert get(server, path)[0] == 404


def test_the_report_is_there_once_it_is_there(server, folder):
    address = f"/{folder.name}/choose-x/final/report"
    assert get(server, address)[0] == 404
    page = folder / "choose-x" / "final" / "report" / "index.html"
    page.parent.mkdir()
    page.write_text("<!DOCTYPE html>the report")
    assert get(server, address)[2] == "<!DOCTYPE html>the report"
    assert f'href="{address}"' in get(server, f"/{folder.name}/choose-x/final?news")[2]


def test_only_this_machine_can_reach_it(server):
    listening = [c.laddr for c in psutil.Process().net_connections() if c.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listening if address.port == server.server_port] == ["127.0.0.1"]


def test_bad_input_is_one_line(server, folder, tmp_path):
    with pytest.raises(UserError, match=r"\Aport \d+ cannot be had \(.*\): give another with --port\Z"):
        Server(folder, server.server_port)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        Server(tmp_path / "file", 0)


def test_before_there_is_a_study_it_says_so_and_then_shows_it(tmp_path):
    with Server(tmp_path / "runs", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert (get(server, "/")[0], get(server, "/?news")[2]) == (200, "<p>There is no study yet.</p>")
        fakes.write_study(tmp_path / "runs" / "first", RUNS)
        assert "<table>" in get(server, "/?news")[2]
        server.shutdown()


def test_a_name_that_is_no_text_hides_no_other_study(tmp_path):
    fakes.write_study(tmp_path / "mine", RUNS)
    odd = os.fsencode(tmp_path) + b"/\xff"
    shutil.copytree(os.fsencode(tmp_path / "mine"), odd)
    with Server(tmp_path, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("mine", "%FF"):
            assert "<table>" in get(server, f"/{tmp_path.name}/{name}?news")[2]
        server.shutdown()


def test_whoever_goes_away_or_asks_for_nonsense_is_answered_or_forgotten(server, capfd):
    with socket.create_connection((watching.ADDRESS, server.server_port)) as gone:
        gone.sendall(b"GET /?news HTTP/1.1\r\nHost: localhost\r\n\r\n")
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert get(server, "http://[::1", "localhost")[0] == 400
    connection = http.client.HTTPConnection(watching.ADDRESS, server.server_port, timeout=60)
    connection.request("HEAD", "/")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert capfd.readouterr().err == ""


def test_the_command_says_where_it_is_and_ends_well(folder):
    command = [sys.executable, "-m", "bakeoff", "watch", str(folder), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        assert "Reading" in urllib.request.urlopen(url, timeout=60).read().decode()  # noqa: S310 (our own)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    with pytest.raises((urllib.error.URLError, socket.timeout)):
        urllib.request.urlopen(url, timeout=5)  # noqa: S310
