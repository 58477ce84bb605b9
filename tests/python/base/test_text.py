"""Are numbers written as people read them?"""

from __future__ import annotations

import pytest

from suite.base import phrases
from suite.base.text import bytes_text, three_figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1"), (0.27149, "0.271"), (99.94, "99.9"), (99.96, "100"), (12345.6, "12,346"), (1.5e9, "1,500,000,000"),
     (0.0000271, "0.0000271"), (-0.00002, "-0.00002"), (5e-324, "4.94e-324"), (float("inf"), "inf")],
)  # fmt: skip
def test_a_number_has_three_figures_and_no_exponent(value: float, text: str) -> None:
    assert three_figures(value) == text


@pytest.mark.parametrize(("part", "text"), [(0.0, "0 %"), (1e-6, "0.0001 %"), (2e-7, "0.00002 %"), (0.48, "48 %"), (2.6, "260 %")])
def test_a_share_has_no_exponent(part: float, text: str) -> None:
    assert phrases.share(part).replace(phrases.NO_BREAK, " ") == text


@pytest.mark.parametrize(("value", "text"), [(260.4, "260"), (99.6, "100"), (0.97, "0.97"), (3.0, "3"), (0.0000124, "0.000012")])
def test_two_figures_have_no_exponent(value: float, text: str) -> None:
    assert phrases.at_most_two_figures(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1047961, "1,023 KiB"), (1048064, "1 MiB"), ((1 << 30) - 1, "1 GiB")],
)
def test_a_size_that_rounds_to_the_next_unit_is_written_in_it(count: int, text: str) -> None:
    assert bytes_text(count) == text
