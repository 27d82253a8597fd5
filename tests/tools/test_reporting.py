"""What is waited for is measured by real commands, and nothing is written into the study."""

import fakes
import reporting


def test_every_command_has_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reporting, "TURNS", 1)
    folder = fakes.write_study(tmp_path / "fake", {(1, "lstm", 1, "adam"): None}, tuning=None)
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")}
    monkeypatch.setattr("sys.argv", ["reporting", str(folder.path)])
    reporting.main()
    head, _, *lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert head == reporting.HEAD
    assert [line[0] for line in lines] == ["fake: first report", "fake: report again", "fake: status", "--help"]
    assert [line[1].strip() for line in lines] == ["1", "1", "1", ""]
    assert all(0 < float(lowest) <= float(processor) for *_, processor, lowest in lines)
    assert {path: path.stat().st_mtime_ns for path in folder.path.rglob("*")} == before
