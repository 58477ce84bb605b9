"""How does a command end on a signal without losing its results?"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt once; later signals are ignored, while the run is written."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    handled_signals = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # as under nohup

    def interrupt(number: int, frame: FrameType | None) -> None:
        for handled in handled_signals:
            signal.signal(handled, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in handled_signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
