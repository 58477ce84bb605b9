"""What is in a chart's SVG? Text as text, lengths rounded, and nothing that only matplotlib needs.

Text is set in `DejaVu Sans, Verdana, sans-serif`: a reader can search it, and a speaker can edit it. The layout was
computed with DejaVu Sans; Verdana comes from the same design and is as wide, so text fits there as well.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from matplotlib.backends.backend_svg import FigureCanvasSVG

from suite.charts.kit.frame import Drawing, styled

WORDS = "words"  # the class of title, subtitle and footer: a page shows them as its own text
FONTS = "'DejaVu Sans',Verdana,sans-serif"
DECIMALS = 1  # of a point: a projector's pixel has 0.6 points
STROKES = "stroke-linejoin:round"  # of the whole chart
LINK = "xlink:href"

_SVG = "http://www.w3.org/2000/svg"
_PREFIXES = {
    _SVG: "",
    "http://www.w3.org/1999/xlink": "xlink:",
    "http://purl.org/dc/elements/1.1/": "dc:",
    "http://creativecommons.org/ns#": "cc:",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf:",
}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_COMMAND = re.compile(r"([A-Za-z])([^A-Za-z]*)")
_REFERENCE = re.compile(r"#([^)]+)")
_UNTURNED = re.compile(r"^rotate\(-?0 ")
_FONT_FAMILY = re.compile(r"'?DejaVu Sans'?[^;]*")
_NEAR = 0.1  # points: a line that ends this far outside of its panel is not clipped


def render(drawing: Drawing, metadata: Mapping[str, str | None]) -> bytes:
    """The content of the file: the same for the same data, whenever it is drawn."""
    tree = tidy_tree(drawing, metadata)
    for namespace, prefix in _PREFIXES.items():
        tree.set(f"xmlns:{prefix[:-1]}" if prefix else "xmlns", namespace)
    tree.set("style", STROKES)
    for element in list(tree):
        element.tail = "\n"
    content: bytes = ElementTree.tostring(tree, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + content + b"\n"


def tidy_tree(drawing: Drawing, metadata: Mapping[str, str | None]) -> ElementTree.Element:
    """The chart's SVG element. Names have no namespaces, but prefixes: `text`, `xlink:href`."""
    tree = _drawn(drawing, metadata)
    for element in tree.iter():
        element.tag = _short_name(element.tag)
        for name in list(element.attrib):
            element.set(_short_name(name), element.attrib.pop(name))
        element.tail = None
        if not (element.text or "").strip():
            element.text = None
    definitions = _definitions(tree)
    _style_markers_once(tree, definitions)
    _name_definitions(tree, definitions)
    _remove_idle_clips(tree, definitions)
    for element in (*tree.iter(), *(part for definition in definitions for part in definition.iter())):
        _round(element)
    _flatten(tree)
    if definitions:
        shared = ElementTree.Element("defs")
        shared.extend(definitions)
        tree.insert(_first_mark(tree), shared)
    return tree


def references(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    """The attributes of the element that name a definition, and its id."""
    for key in (LINK, "clip-path"):
        for name in _REFERENCE.findall(element.get(key, "")):
            yield key, name


def _drawn(drawing: Drawing, metadata: Mapping[str, str | None]) -> ElementTree.Element:
    figure = drawing.figure
    for text in figure.texts:
        text.set_gid(WORDS)
    content = io.BytesIO()
    canvas, dots_per_inch = figure.canvas, figure.dpi
    with styled(drawing.look):
        FigureCanvasSVG(figure).print_svg(content, metadata=dict(metadata))  # savefig would draw twice
    figure.set_canvas(canvas)
    figure.dpi = dots_per_inch
    return ElementTree.fromstring(content.getvalue())


def _short_name(name: str) -> str:
    namespace, _, local = name[1:].partition("}") if name.startswith("{") else ("", "", name)
    return _PREFIXES.get(namespace, "") + local


# ---- definitions: markers and clipping rectangles


def _definitions(tree: ElementTree.Element) -> list[ElementTree.Element]:
    """Takes all definitions out of the tree, without matplotlib's style sheet."""
    definitions = []
    for parent in list(tree.iter()):
        for child in list(parent):
            if child.tag == "defs":
                definitions += [element for element in child if element.tag != "style"]
                parent.remove(child)
    return definitions


def _style_markers_once(tree: ElementTree.Element, definitions: list[ElementTree.Element]) -> None:
    """Moves the style of a marker's uses to its definition, if all uses have the same style."""
    uses: dict[str, list[ElementTree.Element]] = {}
    for element in tree.iter("use"):
        uses.setdefault(element.get(LINK, "")[1:], []).append(element)
    for definition in definitions:
        used = uses.get(definition.get("id", ""), [])
        styles = {element.get("style", "") for element in used}
        if len(styles) == 1:
            own, inherited = (_properties(style) for style in (definition.get("style", ""), *styles))
            definition.set("style", ";".join(f"{name}:{value}" for name, value in {**inherited, **own}.items()))
            for element in used:
                element.attrib.pop("style", None)


def _properties(style: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in style.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _name_definitions(tree: ElementTree.Element, definitions: list[ElementTree.Element]) -> None:
    """Gives definitions that are alike one id, a short one; other elements need no id."""
    new_names: dict[str, str] = {}
    by_content: dict[bytes, str] = {}
    for element in list(definitions):
        old = element.attrib.pop("id", "")
        content = ElementTree.tostring(element)
        if content in by_content:
            definitions.remove(element)
        new_names[old] = by_content.setdefault(content, f"d{len(by_content)}")
        element.set("id", new_names[old])
    for element in tree.iter():
        if element.attrib.pop("id", "") == WORDS:
            element.set("class", WORDS)
        for key, old in list(references(element)):
            element.set(key, element.attrib[key].replace(f"#{old}", f"#{new_names[old]}"))


@dataclass(frozen=True)
class _Box:
    """A clipping rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, x: float, y: float, reach: float) -> bool:
        """Whether something at this place that reaches so far lies inside."""
        across = self.left - _NEAR <= x - reach and x + reach <= self.right + _NEAR
        return across and self.top - _NEAR <= y - reach and y + reach <= self.bottom + _NEAR


def _remove_idle_clips(tree: ElementTree.Element, definitions: list[ElementTree.Element]) -> None:
    """Removes a clip that cuts nothing: an editor shows it as a group that is hard to take apart."""
    boxes = {element.get("id"): _box(element[0]) for element in definitions if element.tag == "clipPath"}
    reaches = {element.get("id"): _reach(element) for element in definitions if element.tag == "path"}
    for element in tree.iter():
        for key, name in list(references(element)):
            if key == "clip-path" and all(
                boxes[name].holds(x, y, reach) for part in element.iter() for x, y, reach in _places(part, reaches)
            ):
                del element.attrib[key]
    used = {name for element in tree.iter() for _, name in references(element)}
    definitions[:] = [element for element in definitions if element.get("id") in used]


def _box(rectangle: ElementTree.Element) -> _Box:
    x, y, width, height = (float(rectangle.get(key, "0")) for key in ("x", "y", "width", "height"))
    return _Box(x, y, x + width, y + height)


def _reach(marker: ElementTree.Element) -> float:
    """How far from its place a marker extends, without its line."""
    return max((abs(float(number)) for number in _NUMBER.findall(marker.get("d", ""))), default=0.0)


def _places(element: ElementTree.Element, reaches: Mapping[str | None, float]) -> Iterator[tuple[float, float, float]]:
    numbers = [float(number) for number in _NUMBER.findall(element.get("d", ""))]
    yield from ((x, y, 0.0) for x, y in zip(numbers[::2], numbers[1::2]))
    for key, name in references(element):
        if key == LINK:
            yield float(element.get("x", "0")), float(element.get("y", "0")), reaches.get(name, 0.0)


# ---- lengths


def _round(element: ElementTree.Element) -> None:
    for key in ("x", "y", "width", "height", "transform"):
        if key in element.attrib and (key not in ("width", "height") or element.tag != "svg"):
            element.set(key, _NUMBER.sub(lambda number: _short(float(number[0])), element.attrib[key]))
    if "d" in element.attrib:
        element.set("d", _short_path(element.attrib["d"]))
    if _UNTURNED.match(element.get("transform", "")):
        del element.attrib["transform"]
    if "style" in element.attrib:
        style = re.sub(r"([:;,]) ", r"\1", element.attrib["style"].strip().rstrip(";"))
        element.set("style", _FONT_FAMILY.sub(FONTS, style))


def _short(number: float) -> str:
    text = f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _short_path(path: str) -> str:
    """The same path in fewer letters: level and upright lines have a command of their own."""
    pieces: list[str] = []
    at = ("", "")
    for command, operands in _COMMAND.findall(path):
        numbers = [_short(float(number)) for number in _NUMBER.findall(operands)]
        if command == "L" and numbers[1:] == [at[1]]:
            pieces.append(f"H{numbers[0]}")
        elif command == "L" and numbers[:1] == [at[0]]:
            pieces.append(f"V{numbers[1]}")
        else:
            pieces.append(command + " ".join(numbers).replace(" -", "-"))
        at = (numbers[-2], numbers[-1]) if len(numbers) > 1 else at
    return "".join(pieces)


# ---- groups


def _flatten(element: ElementTree.Element) -> None:
    """Removes groups that say nothing of their parts, and gives a clip to a part that is alone in its group."""
    for child in element:
        _flatten(child)
    parts: list[ElementTree.Element] = []
    for child in element:
        parts += list(child) if child.tag == "g" and (not child.attrib or len(child) == 0) else [child]
    element[:] = parts


def _first_mark(tree: ElementTree.Element) -> int:
    """The place after title and metadata."""
    return next((place for place, element in enumerate(tree) if element.tag not in ("title", "metadata")), len(tree))
