"""Signals: noted once, and given back."""

import signal
import threading

import pytest

from residua.training.signals import StopRequests


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number: signal.Signals):
    """It does nothing else; afterwards the handlers are those of before."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with StopRequests() as requests:
        assert requests.signal is None
        signal.raise_signal(number)
        assert number == requests.signal
        assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]


def test_the_second_signal_does_what_it_always_does():
    """Who asks twice does not want to wait for the step's end."""
    # Shells start what runs in the background with this signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with StopRequests() as requests:
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.SIGINT == requests.signal
    finally:
        signal.signal(signal.SIGINT, before)


def test_without_a_signal_the_handlers_come_back():
    """A run that ends by itself leaves nothing behind."""
    before = signal.getsignal(signal.SIGTERM)
    with StopRequests():
        assert before != signal.getsignal(signal.SIGTERM)
    assert before == signal.getsignal(signal.SIGTERM)


def test_other_threads_cannot_watch():
    """Only the main thread may handle signals; elsewhere nothing is noted and nothing fails."""
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def work() -> None:
        with StopRequests() as requests:
            seen.append((requests.signal, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [(None, before)] == seen
