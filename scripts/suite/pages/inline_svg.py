"""How does a chart stand inside a page? One SVG for both themes, text as text, and no id that another chart has."""

from __future__ import annotations

import io
import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.transforms import Bbox

from suite.charts.kit.frame import Drawing, styled

WORDS = "words"  # the class of title, subtitle and footer: the page says them itself, a saved chart needs them
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_DECIMALS = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"#([^)]+)")
_UNTURNED = re.compile(r"^rotate\(-?0 ")
_BESIDE_PANELS = 10.0  # points


@dataclass
class Palette:
    """The colours of all charts of a page: a number for each pair of a light and a dark one."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def variable(self, light: str, dark: str) -> str:
        return f"var(--c{self.numbers.setdefault((light, dark), len(self.numbers))})"

    def declared(self, theme: str) -> str:
        """The style sheet's lines for one theme."""
        place = ("light", "dark").index(theme)
        return "".join(f"--c{number}:{pair[place]};" for pair, number in self.numbers.items())


@dataclass(frozen=True)
class InlineSvg:
    markup: str  # the content of an svg element
    whole: tuple[float, float]  # width and height
    panels: tuple[float, float, float, float]  # the view box without title, subtitle and footer
    letters: frozenset[tuple[str, str]]  # each weight and character that it sets


class UnlikeThemes(ValueError):
    """The drawings for the light and the dark page differ in more than their colours."""


def inline(light: Drawing, dark: Drawing, prefix: str, colours: Palette) -> InlineSvg:
    """The chart as part of a page. `prefix` begins its ids. Raises UnlikeThemes."""
    panels = _panels(light)
    tree, other = _parsed(light), _parsed(dark)
    pairs = list(itertools.zip_longest(tree.iter(), other.iter()))
    if any(a is None or b is None or a.tag != b.tag for a, b in pairs):
        raise UnlikeThemes(light.title)
    for element, twin in pairs:
        for name in ("style", "fill", "stroke"):
            if name in element.attrib:
                element.set(name, _merged(element.get(name, ""), twin.get(name, ""), colours))
    _tidy(tree, prefix)
    width, height = (float(each) for each in tree.attrib["viewBox"].split()[2:])
    markup = "".join(ElementTree.tostring(child, encoding="unicode") for child in tree)
    return InlineSvg(markup, (width, height), panels, frozenset(_letters(tree)))


def _parsed(drawn: Drawing) -> ElementTree.Element:
    figure = drawn.figure
    for text in figure.texts:
        text.set_gid(WORDS)
    content = io.BytesIO()
    canvas, dots_per_inch = figure.canvas, figure.dpi
    with styled(drawn.look):
        matplotlib.rcParams["svg.fonttype"] = "none"
        FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None})  # savefig would draw twice
    figure.set_canvas(canvas)
    figure.dpi = dots_per_inch
    return ElementTree.fromstring(content.getvalue())


def _merged(light: str, dark: str, colours: Palette) -> str:
    if _COLOUR.sub("", light) != _COLOUR.sub("", dark):
        raise UnlikeThemes(f"{light} and {dark}")
    others = iter(_COLOUR.findall(dark))
    merged = _COLOUR.sub(lambda found: colours.variable(found[0], next(others)), light)
    return re.sub(r"([:;]) ", r"\1", merged)


def _tidy(tree: ElementTree.Element, prefix: str) -> None:
    """Leaves out what only files need, and shortens what is left to hundredths of a point."""
    for parent in list(tree.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}metadata" or child.find(f"{_SVG}style") is not None or _is_empty(child):
                parent.remove(child)
    used = {name for element in tree.iter() for name in _references(element)}
    for element in tree.iter():
        element.tag = element.tag.removeprefix(_SVG)
        name = element.attrib.pop("id", "")
        if name == WORDS:
            element.set("class", WORDS)
        elif name in used:
            element.set("id", prefix + name)
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
        for key in ("href", "clip-path"):
            if key in element.attrib:
                element.set(key, element.attrib[key].replace("#", f"#{prefix}"))
        for key in ("d", "x", "y", "width", "height", "transform"):
            if key in element.attrib:
                element.set(key, " ".join(_DECIMALS.sub(_shorter, element.attrib[key]).split()))
        if _UNTURNED.match(element.get("transform", "")):
            del element.attrib["transform"]
        if not (element.text or "").strip():
            element.text = None
        element.tail = None
    _flatten(tree)


def _flatten(element: ElementTree.Element) -> None:
    """Groups that say nothing of their parts go."""
    for child in element:
        _flatten(child)
    parts: list[ElementTree.Element] = []
    for child in element:
        parts += list(child) if child.tag == "g" and not child.attrib else [child]
    element[:] = parts


def _is_empty(element: ElementTree.Element) -> bool:
    return element.tag == f"{_SVG}g" and all(_is_empty(child) for child in element)


def _references(element: ElementTree.Element) -> Iterator[str]:
    for key in (_LINK, "clip-path"):
        yield from _REFERENCE.findall(element.get(key, ""))


def _shorter(number: re.Match[str]) -> str:
    text = f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _panels(drawn: Drawing) -> tuple[float, float, float, float]:
    """As wide as the page's margins leave, so that text is as large in every chart; as high as the panels and keys."""
    figure = drawn.figure
    renderer = figure.canvas.get_renderer()
    points = 72 / figure.dpi
    width, height = float(figure.bbox.width) * points, float(figure.bbox.height) * points
    box = Bbox.union([part.get_tightbbox(renderer) for part in (*figure.axes, *figure.legends)])
    left = max(0.0, min(float(box.x0) * points, width - float(box.x1) * points) - _BESIDE_PANELS)
    top = max(0.0, height - float(box.y1) * points - _BESIDE_PANELS)
    bottom = min(height, height - float(box.y0) * points + _BESIDE_PANELS)
    return round(left, 1), round(top, 1), round(width - 2 * left, 1), round(bottom - top, 1)


def _letters(tree: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for element in tree.iter("text"):
        weight = "bold" if re.search(r"\b(bold|[6-9]00)\b", element.get("style", "")) else "normal"
        yield from ((weight, letter) for letter in element.text or "")


def letters_of(found: Iterable[InlineSvg]) -> dict[str, str]:
    """The characters of each weight."""
    by_weight: dict[str, set[str]] = {"normal": set(), "bold": set()}
    for one in found:
        for weight, letter in one.letters:
            by_weight[weight].add(letter)
    return {weight: "".join(sorted(letters)) for weight, letters in by_weight.items()}
