"""What stands around every drawing? The finding as its title, what is shown, how sure it is, and on what machine.

All lengths are points of a talk page; a paper page is the same page in small.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from suite.base import phrases
from suite.base.text import bytes_text
from suite.charts.kit.marks import QUIET, STRONG, Mark, mark_of
from suite.results.model import Run, cache_levels
from suite.stats.estimates import Estimate

FORMATS = ("svg", "png", "pdf")
THEMES = ("light", "dark")

STYLE = Path(__file__).with_name("suite.mplstyle")
_MARGIN, _GAP, _LINE = 40.0, 14.0, 1.22  # points, points, heights of a letter
_PAGE = {"light": "#ffffff", "dark": "#14161a"}
_GRID = {"light": "#e3e6ea", "dark": "#2b3038"}
_LONGEST_VERSION = 8


@dataclass(frozen=True)
class Sheet:
    """The page a chart is drawn on. Its points are those of a talk page; `scale` makes them those of the file."""

    width: float
    height: float
    pixels: int  # across, of a PNG file
    scale: float = 1.0

    @property
    def inches(self) -> tuple[float, float]:
        return self.width * self.scale / 72, self.height * self.scale / 72


# The smallest letters have 18 points; on paper, 8.
SIZES: Mapping[str, Sheet] = {
    "talk": Sheet(16 * 72, 9 * 72, 1920),
    "paper": Sheet(16 * 72, 9 * 72, 1920, scale=8 / 18),
    "square": Sheet(14 * 72, 14 * 72, 1400),
}


@dataclass(frozen=True)
class Look:
    theme: str = "light"
    size: str = "talk"

    @property
    def sheet(self) -> Sheet:
        return SIZES[self.size]

    @property
    def scale(self) -> float:
        return self.sheet.scale

    @property
    def suffix(self) -> str:
        """Of a file's name, so that looks do not overwrite each other."""
        return "".join(f"-{word}" for word in (self.theme, self.size) if word not in ("light", "talk"))

    @property
    def text(self) -> str:
        return STRONG.colour(self.theme)

    @property
    def quiet(self) -> str:
        return QUIET.colour(self.theme)

    @property
    def page(self) -> str:
        return _PAGE[self.theme]

    @property
    def grid(self) -> str:
        return _GRID[self.theme]


@dataclass(frozen=True)
class Spot:
    """Where one figure stands, in shares of the page's width and height from its top left, and what it says."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """A chart, and what it says to those who cannot see it."""

    figure: Figure
    look: Look
    title: str  # the finding
    caption: str  # what is shown, how sure it is, and where it was measured
    alt: str
    spots: tuple[Spot, ...] = ()


@contextlib.contextmanager
def styled(how: Look) -> Iterator[None]:
    """matplotlib's settings for everything that is made or written inside."""
    style = dict(matplotlib.rc_params_from_file(STYLE, use_default_template=False))
    lengths = {
        key: value * how.scale
        for key, value in style.items()
        if isinstance(value, (int, float)) and key.endswith(("size", "width", "pad")) and "legend" not in key
    }
    colours = {
        "figure.facecolor": how.page,
        "savefig.facecolor": how.page,
        "axes.facecolor": how.page,
        "axes.edgecolor": how.grid,
        "grid.color": how.grid,
        "text.color": how.text,
        "axes.titlecolor": how.text,
        "xtick.color": how.quiet,
        "ytick.color": how.text,
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # not the reader's own matplotlibrc
        matplotlib.rcParams.update({**style, **lengths, **colours})
        yield


@dataclass(frozen=True)
class LegendEntry:
    """What a shape means."""

    label: str
    marker: str
    filled: bool = True
    style: Mark | None = None  # where it has a colour of its own


class Page:
    """A figure under construction: take panels, draw on them, finish."""

    def __init__(
        self, run: Run, how: Look, family: str, names: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`names`: what rows and lines are called that are no strategies."""
        self.run, self.look, self.family, self.names = run, how, family, names
        self.figure = Figure(figsize=how.sheet.inches, dpi=how.sheet.pixels / how.sheet.inches[0])
        self.canvas = FigureCanvasAgg(self.figure)
        self.mark: Callable[[str], Mark] = cache(partial(mark_of, run))
        self.keys: list[LegendEntry] = []
        self.modes: LegendEntry | None = None
        self.drawn: list[Estimate] = []
        self.facts: list[str] = []  # what is drawn, in words
        self.named: set[str] = set()  # the strategies that are shown
        self.when_placed: list[Callable[[], None]] = []  # what needs to know where the panels came to stand
        self.pointed_out: list[tuple[Any, float, float, str]] = []

    # ---- for the forms

    @property
    def unit(self) -> float:
        """Pixels of the figure for one point of a talk page."""
        return float(self.figure.dpi * self.look.scale / 72)

    def name(self, name: str) -> str:
        """A strategy's name, and for a malloc its version. Who is named is shown."""
        self.named.add(name)
        if name in self.names:
            return self.names[name]
        version = self.run.mallocs().get(name, "").partition(" ")[0]
        known = version[:1].isdigit() and len(version) <= _LONGEST_VERSION
        return f"{phrases.plain(name)} {version}" if known else phrases.plain(name)

    def text_width(self, text: str, **font: Any) -> float:
        """Width in points of a talk page."""
        measured = Text(0, 0, text, figure=self.figure, **font)
        return float(measured.get_window_extent(self.canvas.get_renderer()).width) / self.unit

    def keep(self, one: Estimate, hump_marker: str = "") -> None:
        """Notes that this figure is shown, for the footer and the key."""
        self.drawn.append(one)
        if one.modes and hump_marker:
            self.modes = LegendEntry("bimodal", hump_marker)

    def point_out(self, axes: Any, x: float, y: float, text: str) -> None:
        """Notes what the figure drawn at these data coordinates says, for those who point at it."""
        self.pointed_out.append((axes, x, y, text))

    def _spots(self) -> Iterator[Spot]:
        width, height = float(self.figure.bbox.width), float(self.figure.bbox.height)
        for axes, x, y, text in self.pointed_out:
            right, up = axes.transData.transform((x, y))
            yield Spot(float(right) / width, 1 - float(up) / height, text)

    def add_key(self, one: LegendEntry) -> None:
        if one not in self.keys:
            self.keys.append(one)

    # ---- from first to last

    def panels(self, *titles: str) -> list[Any]:
        axes = list(self.figure.subplots(1, len(titles), squeeze=False)[0])
        for one, title in zip(axes, titles):
            one.set_title(title)
        return axes

    def _left_out(self) -> str:
        """What the subtitle says where some of the family's mallocs had no room."""
        mallocs = set(self.run.mallocs()) & set(self.run.strategies(self.family))
        shown = mallocs & self.named
        return f"; {len(shown)} of {len(mallocs)} mallocs shown" if shown and shown < mallocs else ""

    def finish(self, title: str, subtitle: str, method: str = "") -> Drawing:
        """Sets title, subtitle, key and footer, gives the panels the room between, and completes them.

        `method` says how sure it is where no estimates are drawn.
        """
        subtitle += self._left_out()
        top = self.look.sheet.height - _MARGIN * 0.8
        top = self._write(title, top, "figure.titlesize", self.look.text, weight="bold") - _GAP * 0.7
        top = self._write(subtitle, top, "font.size", self.look.quiet) - _GAP
        keys = [*self.keys, *([self.modes] if self.modes else [])]
        if keys:
            top = self._write_keys(keys, top) - _GAP
        method, machine = method or self._method(), self._machine()
        bottom = self._write(f"{method}\n{machine}", _MARGIN * 0.6, "font.size", self.look.quiet, upwards=True) + _GAP
        self._place_panels(bottom, top)
        caption = f"{subtitle}. {method} {machine}"
        alt = f"{title}. {subtitle}. {'; '.join(self.facts)}."
        return Drawing(self.figure, self.look, title, caption, alt, tuple(self._spots()))

    def _write(self, text: str, at: float, size_key: str, colour: str, upwards: bool = False, **font: Any) -> float:
        """Writes a block across the page, and returns where it ends."""
        smallest, size = matplotlib.rcParams["font.size"], matplotlib.rcParams[size_key]
        lines = self._fitted(text, size=size, **font)
        while lines is None and size > smallest:
            size = max(smallest, size * 0.95)
            lines = self._fitted(text, size=size, **font)
        lines = lines or self._cut(text, size=size, **font)
        height = len(lines) * _LINE * size / self.look.scale
        for index, line in enumerate(lines):
            top = at + height if upwards else at
            y = (top - index * _LINE * size / self.look.scale) / self.look.sheet.height
            self.figure.text(_MARGIN / self.look.sheet.width, y, line, size=size, color=colour, va="top", **font)
        return float(at + height if upwards else at - height)

    def _fitted(self, text: str, **font: Any) -> list[str] | None:
        """The text in its own lines if they fit, a single one else as two of about the same width; None: too long."""
        room = self.look.sheet.width - 2 * _MARGIN
        lines = text.split("\n")
        if all(self.text_width(line, **font) <= room for line in lines):
            return lines
        pieces = text.split(" ") if len(lines) == 1 else []
        splits = [[" ".join(pieces[:place]), " ".join(pieces[place:])] for place in range(1, len(pieces))]
        best = min(splits, key=lambda split: max(len(line) for line in split), default=None)
        fits = best is not None and all(self.text_width(line, **font) <= room for line in best)
        return best if fits else None

    def _cut(self, text: str, **font: Any) -> list[str]:
        """What no size makes fit (a hostile name, a machine of many parts) ends in an ellipsis."""
        room = self.look.sheet.width - 2 * _MARGIN
        lines = []
        for line in text.split("\n"):
            short = line
            while self.text_width(short, **font) > room:
                short = f"{short[:-4].rstrip()}…"
            lines.append(short)
        return lines

    def _write_keys(self, keys: Sequence[LegendEntry], top: float) -> float:
        handles = [_handle(one, self.look) for one in keys]
        x, y = _MARGIN / self.look.sheet.width, top / self.look.sheet.height
        labels = [one.label for one in keys]
        self.figure.legend(
            handles, labels, ncol=len(handles), loc="upper left", bbox_to_anchor=(x, y), labelcolor=self.look.text
        ).set_in_layout(False)
        return float(top - _LINE * matplotlib.rcParams["font.size"] / self.look.scale)

    def _place_panels(self, bottom: float, top: float) -> None:
        width, height = self.look.sheet.width, self.look.sheet.height
        room = (_MARGIN / width, bottom / height, 1 - 2 * _MARGIN / width, (top - bottom) / height)
        self.figure.set_layout_engine("constrained", rect=room, w_pad=0, h_pad=0, wspace=0.06)
        for one in self.figure.texts:
            one.set_in_layout(False)
        self.figure.get_layout_engine().execute(self.figure)
        self.figure.set_layout_engine("none")
        for one in self.figure.axes:  # the solver's last digits differ from time to time, and with them the file
            one.set_position([round(share, 9) for share in one.get_position().bounds])
        for complete in self.when_placed:
            complete()

    # ---- the footer

    def _method(self) -> str:
        processes = sorted({one.n for one in self.drawn if one.n})
        if not processes or processes[-1] == 1:
            return "One process: no intervals."
        number = f"{processes[0]} to {processes[-1]}" if len(processes) > 1 else str(processes[0])
        coverage = phrases.span((one.coverage for one in self.drawn if one.has_interval), phrases.percent)
        disturbed = [one.disturbed for one in self.run.units if one.family == self.family]
        note = f" {sum(disturbed)} of {len(disturbed)} measurements were disturbed." if any(disturbed) else ""
        return f"Medians of {number} processes with intervals ({coverage}).{note}"

    def _machine(self) -> str:
        cores = self.run.fact("cores")
        facts = [phrases.count(cores, "core")] if cores else []
        levels = [f"{bytes_text(size)} {name}" for name, size in cache_levels(self.run)]
        profile = str(self.run.context.get("profile", ""))
        facts += [", ".join(levels)] if levels else []
        facts += [f"stackheap {profile} run{'' if self.run.complete else ', incomplete'}".replace("  ", " ")]
        return " · ".join(facts)


def _handle(one: LegendEntry, how: Look) -> Line2D:
    colour = one.style.colour(how.theme) if one.style else how.quiet
    face = colour if one.filled else how.page
    size = matplotlib.rcParams["lines.markersize"] * (1.6 if one.marker in "|_" else 1.0)
    return Line2D([], [], linestyle="", marker=one.marker, color=colour, markerfacecolor=face, markersize=size)
