"""How does work end that a file could make endless, such as the search for a regular expression that came with it?"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from suite.base.errors import BadInput


@contextlib.contextmanager
def time_limit(seconds: float, otherwise: str) -> Iterator[None]:
    """Raises BadInput with the text `otherwise` where the block takes longer. A search for an expression looks at signals,
    so it ends too. Signals reach the main thread alone: in any other, the block has no limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise BadInput(otherwise)

    before = signal.signal(signal.SIGALRM, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))  # the program that started this command may have blocked it
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
