"""Is a chart's SVG small and editable: text as text, rounded lengths, no id and no clip that does nothing?"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from suite import charts
from suite.charts.kit.frame import Drawing, Look, styled
from suite.charts.kit.svg import DECIMALS, FONTS, render
from support import synthetic

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture(scope="module")
def chart() -> bytes:
    run = synthetic.synthetic(keep=lambda name: name.startswith("handoff/"))
    drawing = charts.draw(run, "handoff")
    assert drawing is not None
    return charts.render(drawing, "svg")


def drawn(change: str = "") -> ElementTree.Element:
    """A figure with a line and markers that leave its panel, or stay inside."""
    with styled(Look()):
        figure = Figure(figsize=(4, 3))
        axes = figure.subplots()
        FigureCanvasAgg(figure)
        axes.plot([0.0, 1.0, 2.0], [1.123456, 2.0, 1.5], marker="o")
        axes.set_xlim(-1.0, 3.0)
        axes.set_ylim(0.0, 3.0)
        if change == "leaves":
            axes.set_ylim(1.4, 1.8)
        figure.text(0.1, 0.1, "5\u00a0µs × 2 − 1 < $3$ & ◆")
    drawing = Drawing(figure, Look(), "a title", "a caption", "described")
    return ElementTree.fromstring(render(drawing, {"Title": "a title", "Date": None}))


def test_text_is_text_in_fonts_that_most_computers_have(chart: bytes) -> None:
    texts = list(ElementTree.fromstring(chart).iter(f"{SVG}text"))
    assert len(texts) > 10
    assert all(re.search(rf"font:[^;]*px {re.escape(FONTS)}(;|$)", text.get("style", "")) for text in texts)
    assert {"glibc 2.36", "control"} & {text.text for text in texts}


def test_special_characters_stand_in_the_text_as_they_are() -> None:
    assert "5\u00a0µs × 2 − 1 < $3$ & ◆" in {text.text for text in drawn().iter(f"{SVG}text")}


def test_lengths_have_one_decimal(chart: bytes) -> None:
    tree = ElementTree.fromstring(chart)
    lengths = [element.get(key, "") for element in tree.iter() for key in ("d", "x", "y", "transform")]
    assert re.search(r"\d\.\d\b", " ".join(lengths))
    assert not re.search(rf"\.\d{{{DECIMALS + 1}}}", " ".join(lengths))


def test_a_file_is_a_few_kb_and_the_same_each_time(chart: bytes) -> None:
    run = synthetic.synthetic(keep=lambda name: name.startswith("handoff/"))
    again = charts.draw(run, "handoff")
    assert again is not None and charts.render(again, "svg") == chart
    assert len(chart) < 20_000


def test_every_id_is_used_and_every_reference_leads_somewhere(chart: bytes) -> None:
    tree = ElementTree.fromstring(chart)
    ids = [element.get("id") for element in tree.iter() if "id" in element.attrib]
    used = {re.sub(r".*#([^)]*)\)?", r"\1", value) for element in tree.iter() for key, value in element.attrib.items()
            if key in (LINK, "clip-path")}  # fmt: skip
    assert len(ids) == len(set(ids)) and set(ids) == used


def test_only_what_leaves_its_panel_is_clipped() -> None:
    assert not [element for element in drawn().iter() if "clip-path" in element.attrib]
    clipped = [element for element in drawn("leaves").iter() if "clip-path" in element.attrib]
    assert clipped and list(drawn("leaves").iter(f"{SVG}clipPath"))


def test_the_picture_is_that_of_matplotlib() -> None:
    """Every marker and text that matplotlib writes is in the file."""
    drawing = charts.draw(synthetic.synthetic(keep=lambda name: name.startswith("handoff/")), "handoff")
    assert drawing is not None
    plain = io.BytesIO()
    with styled(drawing.look):
        drawing.figure.savefig(plain, format="svg")
    whole, tidy = ElementTree.fromstring(plain.getvalue()), ElementTree.fromstring(charts.render(drawing, "svg"))
    for tag in ("use", "text"):
        assert len(list(tidy.iter(SVG + tag))) == len(list(whole.iter(SVG + tag)))
    marks = [element for element in whole.iter(f"{SVG}path") if element.get("clip-path")]
    assert len(marks) <= len(list(tidy.iter(f"{SVG}path")))
