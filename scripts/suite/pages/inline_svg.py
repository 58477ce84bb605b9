"""How does a chart stand inside a page? One SVG for both themes; all charts share styles, markers and clips."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field, replace
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from suite.charts.kit.frame import Drawing
from suite.charts.kit.svg import LINK, WORDS, references, tidy_tree

_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_PLACES = re.compile(r'\b(?:x|y|d|transform)="[^"]*"')
_DECIMALS = re.compile(r"-?\d+\.\d+")
_COLOURED = ("style", "fill", "stroke")  # attributes
_BESIDE_PANELS = 10.0  # points
_LINE = r'<path d="M[-0-9. ]+[HV][-0-9.]+" class="%s"/>'
_LINES = re.compile(_LINE % r"(s\d+)" + "(?:" + _LINE % r"\1" + ")+")  # neighbours of one style: grid lines, error bars


@dataclass
class ChartStyles:
    """Colours and styles of all charts of a page. A colour is a pair: on the light page, and on the dark page."""

    colours: dict[tuple[str, str], int] = field(default_factory=dict)
    styles: dict[str, int] = field(default_factory=dict)
    definitions: dict[str, int] = field(default_factory=dict)  # markers and clips, without their ids

    def variable(self, light: str, dark: str) -> str:
        return f"var(--c{self.colours.setdefault((light, dark), len(self.colours))})"

    def dark_of(self, light: str) -> str | None:
        """The colour on the dark page of a colour that charts had on the light page; None where it is not known."""
        darks = [pair[1] for pair in self.colours if pair[0] == light]
        return darks[0] if len(darks) == 1 else None

    def class_of(self, style: str) -> str:
        return f"s{self.styles.setdefault(style, len(self.styles))}"

    def id_of(self, definition: str) -> str:
        return f"d{self.definitions.setdefault(definition, len(self.definitions))}"

    def defined(self) -> str:
        """The markers and clips, to which the charts refer: the content of a defs element."""
        return "".join(
            re.sub(r"^<(\w+)", rf'<\1 id="d{number}"', definition) for definition, number in self.definitions.items()
        )

    def declared(self, theme: str) -> str:
        """The style sheet's lines for the colours of one theme."""
        place = ("light", "dark").index(theme)
        return "".join(f"--c{number}:{pair[place]};" for pair, number in self.colours.items())

    def rules(self) -> str:
        """The style sheet's lines for the classes. The page's script reads them for a chart that is saved."""
        return "".join(f".s{number}{{{style}}}\n" for style, number in self.styles.items())


@dataclass(frozen=True)
class InlineSvg:
    markup: str  # the content of an svg element, without the words
    words: str  # title, subtitle and footer, which the page shows as its own text
    whole: tuple[float, float]  # width and height
    panels: tuple[float, float, float, float]  # the view box without title, subtitle and footer


class UnlikeThemes(ValueError):
    """The drawings for the light and the dark page differ in more than their colours."""


def inline(light: Drawing, dark: Drawing, styles: ChartStyles) -> InlineSvg:
    """The chart as part of a page. Raises UnlikeThemes."""
    tree, dark_tree = (tidy_tree(drawing, {"Date": None}) for drawing in (light, dark))
    pairs = list(itertools.zip_longest(tree.iter(), dark_tree.iter()))
    if any(a is None or b is None or a.tag != b.tag for a, b in pairs):
        raise UnlikeThemes(light.title)
    for element, twin in pairs:
        for name in _COLOURED:
            if name in element.attrib:
                element.set(name, _merged(element.get(name, ""), twin.get(name, ""), styles))
    return _inline(light, tree, styles)


def inline_in_known_colours(light: Drawing, styles: ChartStyles) -> InlineSvg:
    """A chart as part of a page, without its drawing for the dark page: the charts before it had its colours. Raises
    UnlikeThemes where they had not."""
    tree = tidy_tree(light, {"Date": None})
    coloured = [(element, name) for element in tree.iter() for name in _COLOURED if name in element.attrib]
    used = {colour for element, name in coloured for colour in _COLOUR.findall(element.get(name, ""))}
    dark_of = {colour: dark for colour in used if (dark := styles.dark_of(colour))}
    if used - dark_of.keys():
        raise UnlikeThemes(light.title)
    for element, name in coloured:
        style = element.get(name, "")
        element.set(name, _merged(style, _COLOUR.sub(lambda colour: dark_of[colour[0]], style), styles))
    return _inline(light, tree, styles)


def in_whole_points(picture: InlineSvg) -> InlineSvg:
    """For a phone, on which a point is two thirds of a pixel: a fifth smaller."""
    return replace(picture, markup=_PLACES.sub(_rounded, picture.markup))


def _inline(drawing: Drawing, tree: ElementTree.Element, styles: ChartStyles) -> InlineSvg:
    for element in tree.iter():
        if "style" in element.attrib:
            element.set("class", styles.class_of(element.attrib.pop("style")))  # groups of words have no style
    _share_definitions(tree, styles)
    width, height = (float(length) for length in tree.attrib["viewBox"].split()[2:])
    shown = [child for child in tree if child.tag not in ("title", "metadata", "defs")]
    words = "".join(_markup(child) for child in shown if child.get("class") == WORDS)
    others = "".join(_markup(child) for child in shown if child.get("class") != WORDS)
    return InlineSvg(_LINES.sub(_joined, others), words, (width, height), _panels(drawing))


def _markup(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode").replace(" />", "/>")


def _joined(lines: re.Match[str]) -> str:
    """One path of all lines: a page has some thousand of them."""
    return f'<path d="{"".join(re.findall(r"[MHV][-0-9. ]+", lines[0]))}" class="{lines[1]}"/>'


def _merged(light: str, dark: str, styles: ChartStyles) -> str:
    if _COLOUR.sub("", light) != _COLOUR.sub("", dark):
        raise UnlikeThemes(f"{light} and {dark}")
    others = iter(_COLOUR.findall(dark))
    return _COLOUR.sub(lambda colour: styles.variable(colour[0], next(others)), light)


def _rounded(places: re.Match[str]) -> str:
    return _DECIMALS.sub(lambda number: f"{float(number[0]):.0f}", places[0])


def _share_definitions(tree: ElementTree.Element, styles: ChartStyles) -> None:
    """Gives the definitions ids that all charts share, and links their short name."""
    names = {}
    for definition in tree.iterfind("defs/*"):
        name = definition.attrib.pop("id")
        names[name] = styles.id_of(_markup(definition))
    for element in tree.iter():
        for key, name in list(references(element)):
            element.set(key, element.attrib[key].replace(f"#{name}", f"#{names[name]}"))
        if LINK in element.attrib:
            element.set("href", element.attrib.pop(LINK))


def _panels(drawing: Drawing) -> tuple[float, float, float, float]:
    """As wide as the page's margins leave, so that text is as large in every chart; as high as the panels and keys."""
    figure = drawing.figure
    renderer = figure.canvas.get_renderer()
    points = 72 / figure.dpi
    width, height = float(figure.bbox.width) * points, float(figure.bbox.height) * points
    box = Bbox.union([_extent(part, renderer) for part in (*figure.axes, *figure.legends)])
    left = max(0.0, min(float(box.x0) * points, width - float(box.x1) * points) - _BESIDE_PANELS)
    top = max(0.0, height - float(box.y1) * points - _BESIDE_PANELS)
    bottom = min(height, height - float(box.y0) * points + _BESIDE_PANELS)
    return round(left, 1), round(top, 1), round(width - 2 * left, 1), round(bottom - top, 1)


def _extent(part: Any, renderer: Any) -> Bbox:
    """Of axes that are not drawn, what is drawn in them: they may be as large as the page."""
    if getattr(part, "axison", True):
        return part.get_tightbbox(renderer)
    shown = (child for child in part.get_children() if isinstance(child, (Line2D, Text)))
    boxes = [child.get_tightbbox(renderer) for child in shown]
    return Bbox.union([box for box in boxes if box is not None and (box.width > 0 or box.height > 0)])
