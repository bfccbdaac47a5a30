"""Calls in the background: their order, their errors, and what an error leaves undone."""

import threading

import pytest

from yt8m.submission.background import Background


def test_calls_run_in_order_beside_their_caller():
    done, go_on = [], threading.Event()
    with Background() as background:
        background(go_on.wait, 10)  # the caller gets past this, and lets it end
        background(done.append, 1)
        go_on.set()
        for i in range(2, 20):
            background(done.append, i)
    assert done == list(range(1, 20))


def test_an_error_is_raised_and_what_follows_is_not_run():
    done, begun = [], threading.Event()

    def fail():
        begun.wait(10)
        raise ValueError("the disk is full")

    def call_all():
        with Background() as background:
            background(fail)
            begun.set()
            for i in range(20):
                background(done.append, i)

    with pytest.raises(ValueError, match="disk is full"):
        call_all()
    assert len(done) < 3


def test_the_last_calls_error_is_raised_at_the_end():
    def fail():
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="disk is full"), Background() as background:
        background(fail)


def test_an_error_of_the_caller_goes_first():
    def interrupted():
        with Background() as background:
            background(int, "no number")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
