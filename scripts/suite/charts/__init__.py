"""Which charts are there, and how is a chart written to files? Every module here with a QUESTION is a chart."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import pkgutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from suite.base.chart_options import FORMATS, PORTRAIT, TALK, THEMES
from suite.base.files import cache_folder, write_whole
from suite.base.phrases import NoFigures
from suite.base.text import one_line

# Before matplotlib is imported. Without a folder that it can write to, it makes its list of fonts anew in every process,
# and says so; with one, it makes the list once, and says that as well.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
if folder := cache_folder("matplotlib"):
    os.environ.setdefault("MPLCONFIGDIR", str(folder))

_backend = os.environ.pop("MPLBACKEND", None)  # of windows, and nothing here is drawn into a window: it may be anything
try:
    import matplotlib
    import matplotlib.backends.backend_agg
    from matplotlib import ft2font
except (Exception, SystemExit) as problem:  # with a numpy that it was not made for, it fails in many ways
    raise ImportError(f"matplotlib cannot be used: {one_line(str(problem)) or type(problem).__name__}") from None
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend

from suite.charts.kit import svg
from suite.charts.kit.frame import NARROW, SIZES, Drawing, Look, styled
from suite.charts.kit.several_runs import Overlay, OwnOverlay
from suite.results.model import Run

__all__ = [
    "FORMATS", "MAKER", "NARROW", "PORTRAIT", "SIZES", "THEMES", "Chart", "charts", "draw", "draw_all", "Drawing", "Look", "render",
    "write_all",
]  # fmt: skip

# The programs that drew a file. Other versions of them place the same text slightly differently.
MAKER = f"Matplotlib {matplotlib.__version__}, FreeType {ft2font.__freetype_version__}"


@dataclass(frozen=True)
class Chart:
    """One question about one family, and the function that draws the answer, or None where the run has no data."""

    name: str  # of its module and its files
    family: str
    question: str
    draw: Callable[[Run, Look], Drawing | None]
    overlay: Overlay | OwnOverlay | None = None  # how several runs are compared in it
    has_portrait: bool = False  # it can be drawn on a portrait page


@cache
def charts() -> dict[str, Chart]:
    """Every chart by name."""
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    }
    return {
        name: Chart(
            name, module.FAMILY, module.QUESTION, module.draw, getattr(module, "OVERLAY", None),
            getattr(module, "HAS_PORTRAIT", False),
        )
        for name, module in sorted(modules.items())
        if hasattr(module, "QUESTION")
    }  # fmt: skip


def names_for(size: str) -> list[str]:
    """The charts that can be drawn on a page of this size."""
    return [name for name, chart in charts().items() if size != PORTRAIT or chart.has_portrait]


def draw(run: Run, name: str, look: Look = Look()) -> Drawing | None:
    """The chart of this name; None where the run has no data for it."""
    try:
        with styled(look):
            return charts()[name].draw(run, look)
    except NoFigures:
        return None


def render(drawing: Drawing, file_format: str) -> bytes:
    """The file's content. The same data always gives the same bytes."""
    metadata = _metadata(drawing, file_format)
    if file_format == "svg":
        return svg.render(drawing, metadata)
    content = io.BytesIO()
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # a file has no date; matplotlib fails where this is not a date
    with styled(drawing.look):
        drawing.figure.savefig(content, format=file_format, metadata=metadata)
    return content.getvalue()


def draw_all(
    run: Run,
    folder: Path,
    formats: Sequence[str] = ("svg", "png"),
    theme: str = "light",
    size: str = TALK,
    names: Iterable[str] | None = None,
) -> list[Path]:
    """Draws the charts the run has data for into the folder, and returns the files. Raises OSError."""
    wanted = list(names_for(size) if names is None else names)
    return write_all(partial(draw, run), wanted, folder, formats, Look(theme, size))


Drawer = Callable[[str, Look], "Drawing | None"]  # of the chart of a name
Files = list[tuple[str, bytes]]  # names and contents


def write_all(
    drawer: Drawer, names: Sequence[str], folder: Path, formats: Sequence[str], look: Look, prefix: str = ""
) -> list[Path]:
    """Draws the charts on all cores, writes the files in the order of the names, and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in _rendered(drawer, names, formats, look):
        file = folder / f"{prefix}{name}"
        write_whole(file, content)
        written.append(file)
    return written


def _rendered(drawer: Drawer, names: Sequence[str], formats: Sequence[str], look: Look) -> Iterator[tuple[str, bytes]]:
    workers = min(len(names), len(os.sched_getaffinity(0)))
    pool = _pool(workers, drawer) if workers > 1 else None
    if pool is None:
        for name in names:
            yield from _render_one(drawer, name, formats, look)
        return
    try:
        for name, future in [(name, pool.submit(_work, name, formats, look)) for name in names]:
            try:
                rendered = future.result()
            except Exception:  # draw it again in this process, so that the original exception is raised
                rendered = _render_one(drawer, name, formats, look)
            yield from rendered
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(workers: int, drawer: Drawer) -> ProcessPoolExecutor | None:
    """None where the system gives processes nothing to share (a container without /dev/shm, AWS Lambda), or has no room for
    them: the pool waits forever for a thread that it could not start."""
    if _has_room_for(2 * (workers + 2)):  # two threads manage the pool; twice, because others start processes too
        with contextlib.suppress(OSError, ImportError):
            return ProcessPoolExecutor(workers, initializer=_begin_work, initargs=(drawer,))
    return None


def _has_room_for(count: int) -> bool:
    """Whether this user may start so many processes: the system counts threads alike."""
    end = threading.Event()
    started = []
    try:
        for _ in range(count):
            thread = threading.Thread(target=end.wait)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        end.set()
        for thread in started:
            thread.join()
    return True


def _render_one(drawer: Drawer, name: str, formats: Sequence[str], look: Look) -> Files:
    drawn = drawer(name, look)
    if drawn is None:
        return []
    return [(f"{name}{look.suffix}.{file_format}", render(drawn, file_format)) for file_format in formats]


_drawer_of_the_worker: list[Drawer] = []  # passed once per worker, because runs are large


def _begin_work(drawer: Drawer) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles the interrupt
    _drawer_of_the_worker[:] = [drawer]


def _work(name: str, formats: Sequence[str], look: Look) -> Files:
    return _render_one(_drawer_of_the_worker[0], name, formats, look)


def _metadata(drawing: Drawing, file_format: str) -> dict[str, str | None]:
    if file_format == "svg":
        return {"Title": drawing.title, "Description": drawing.alt, "Date": None, "Creator": MAKER}
    if file_format == "pdf":
        return {"Title": drawing.title, "Subject": drawing.alt, "CreationDate": None}
    return {"Title": drawing.title, "Description": drawing.alt, "Software": None}
