"""Periodic work: a failing job fails alone; slow work is never started twice."""

from __future__ import annotations

from threading import Event

from sturmwarte.jobs import SHORTEST, Background, Jobs, guarded


def test_a_job_that_raises_stops_no_other() -> None:
    jobs, stop, done = Jobs(), Event(), list[str]()

    def bad() -> None:
        done.append("bad")
        raise RuntimeError("on purpose")

    def good() -> None:
        done.append("good")
        if done.count("good") == 3:
            stop.set()

    jobs.every(0.0, "bad", bad)
    jobs.every(0.0, "good", good)
    jobs.run(stop)
    assert done == ["bad", "good"] * 3


def test_a_scaled_clock_makes_no_busy_loop() -> None:
    jobs = Jobs()
    jobs.every(0.001, "often", lambda: None)
    assert [job.interval for job in jobs._scheduler.jobs] == [SHORTEST]


def test_guarded_work_returns_nothing_and_raises_nothing() -> None:
    def bad() -> None:
        raise ValueError("on purpose")

    guarded("bad", bad)()


def test_background_work_runs_once_at_a_time() -> None:
    started, go, runs = Event(), Event(), list[int]()

    def slow() -> None:
        runs.append(1)
        started.set()
        go.wait(90)

    background = Background("slow", slow)
    background()
    assert started.wait(90)
    background()
    background()
    go.set()
    background.close()
    assert runs == [1]
