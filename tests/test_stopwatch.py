"""A clock that stands still while its process is suspended."""

from bakeoff import stopwatch


def test_of_a_long_time_between_two_looks_only_some_seconds_count(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: now[0])
    ours = stopwatch.Stopwatch(90.0)
    assert ours.seconds == 10.0
    for later, told in ((102.0, 12.0), (103.0, 13.0), (1000.0, 18.0), (1001.0, 19.0)):
        now[0] = later
        assert ours.seconds == told


def test_it_is_looked_at_while_nothing_else_does(monkeypatch):
    """So that what computes for long without a look counts whole."""
    monkeypatch.setattr(stopwatch, "BETWEEN", 0.001)
    monkeypatch.setattr(stopwatch, "MOST", 0.1)
    ours = stopwatch.Stopwatch(stopwatch.time.monotonic())
    looked = stopwatch.threading.Semaphore(0)
    monkeypatch.setattr(stopwatch.Stopwatch, "seconds", property(lambda _: looked.release()))
    with ours.watched():
        assert all(looked.acquire(timeout=60) for _ in range(3))
