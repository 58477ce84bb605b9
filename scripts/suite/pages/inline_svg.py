"""How does a chart stand inside a page? One SVG for both themes, styles shared by all charts, no id twice."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

from matplotlib.transforms import Bbox

from suite.charts.kit.frame import Drawing
from suite.charts.kit.svg import LINK, references, tidy_tree

_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_BESIDE_PANELS = 10.0  # points
_LINE = r'<path d="M[-0-9. ]+[HV][-0-9.]+" class="%s"/>'
_LINES = re.compile(_LINE % r"(s\d+)" + "(?:" + _LINE % r"\1" + ")+")  # neighbours of one style: grid lines, error bars


@dataclass
class ChartStyles:
    """Colours and styles of all charts of a page. A colour is a pair: on the light page, and on the dark page."""

    colours: dict[tuple[str, str], int] = field(default_factory=dict)
    styles: dict[str, int] = field(default_factory=dict)
    charts: int = 0

    def next_prefix(self) -> str:
        """Of the ids of the next chart."""
        self.charts += 1
        return f"k{self.charts}-"

    def variable(self, light: str, dark: str) -> str:
        return f"var(--c{self.colours.setdefault((light, dark), len(self.colours))})"

    def class_of(self, style: str) -> str:
        return f"s{self.styles.setdefault(style, len(self.styles))}"

    def declared(self, theme: str) -> str:
        """The style sheet's lines for the colours of one theme."""
        place = ("light", "dark").index(theme)
        return "".join(f"--c{number}:{pair[place]};" for pair, number in self.colours.items())

    def rules(self) -> str:
        """The style sheet's lines for the classes. The page's script reads them for a chart that is saved."""
        return "".join(f".s{number}{{{style}}}\n" for style, number in self.styles.items())


@dataclass(frozen=True)
class InlineSvg:
    markup: str  # the content of an svg element
    whole: tuple[float, float]  # width and height
    panels: tuple[float, float, float, float]  # the view box without title, subtitle and footer


class UnlikeThemes(ValueError):
    """The drawings for the light and the dark page differ in more than their colours."""


def inline(light: Drawing, dark: Drawing, prefix: str, styles: ChartStyles) -> InlineSvg:
    """The chart as part of a page. `prefix` begins its ids. Raises UnlikeThemes."""
    panels = _panels(light)
    tree, dark_tree = (tidy_tree(drawing, {"Date": None}) for drawing in (light, dark))
    pairs = list(itertools.zip_longest(tree.iter(), dark_tree.iter()))
    if any(a is None or b is None or a.tag != b.tag for a, b in pairs):
        raise UnlikeThemes(light.title)
    for element, twin in pairs:
        for name in ("style", "fill", "stroke"):
            if name in element.attrib:
                element.set(name, _merged(element.get(name, ""), twin.get(name, ""), styles))
    for element in tree.iter():
        if "style" in element.attrib:
            element.set("class", styles.class_of(element.attrib.pop("style")))  # groups of words have no style
    _rename(tree, prefix)
    width, height = (float(length) for length in tree.attrib["viewBox"].split()[2:])
    shown = (child for child in tree if child.tag not in ("title", "metadata"))
    markup = "".join(ElementTree.tostring(child, encoding="unicode").replace(" />", "/>") for child in shown)
    return InlineSvg(_LINES.sub(_joined, markup), (width, height), panels)


def _joined(lines: re.Match[str]) -> str:
    """One path of all lines: a page has some thousand of them."""
    return f'<path d="{"".join(re.findall(r"[MHV][-0-9. ]+", lines[0]))}" class="{lines[1]}"/>'


def _merged(light: str, dark: str, styles: ChartStyles) -> str:
    if _COLOUR.sub("", light) != _COLOUR.sub("", dark):
        raise UnlikeThemes(f"{light} and {dark}")
    others = iter(_COLOUR.findall(dark))
    return _COLOUR.sub(lambda colour: styles.variable(colour[0], next(others)), light)


def _rename(tree: ElementTree.Element, prefix: str) -> None:
    """Gives ids that no other chart has, and the short name of links."""
    for element in tree.iter():
        if "id" in element.attrib:
            element.set("id", prefix + element.attrib["id"])
        for key, name in list(references(element)):
            element.set(key, element.attrib[key].replace(f"#{name}", f"#{prefix}{name}"))
        if LINK in element.attrib:
            element.set("href", element.attrib.pop(LINK))


def _panels(drawing: Drawing) -> tuple[float, float, float, float]:
    """As wide as the page's margins leave, so that text is as large in every chart; as high as the panels and keys."""
    figure = drawing.figure
    renderer = figure.canvas.get_renderer()
    points = 72 / figure.dpi
    width, height = float(figure.bbox.width) * points, float(figure.bbox.height) * points
    box = Bbox.union([part.get_tightbbox(renderer) for part in (*figure.axes, *figure.legends)])
    left = max(0.0, min(float(box.x0) * points, width - float(box.x1) * points) - _BESIDE_PANELS)
    top = max(0.0, height - float(box.y1) * points - _BESIDE_PANELS)
    bottom = min(height, height - float(box.y0) * points + _BESIDE_PANELS)
    return round(left, 1), round(top, 1), round(width - 2 * left, 1), round(bottom - top, 1)
