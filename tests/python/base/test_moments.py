"""Is a date the moment that it means, whatever clock wrote it?"""

from __future__ import annotations

import pytest

from suite.base.moments import utc_text

pytestmark = pytest.mark.hostile("state of the machine")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:00+00:00"),
        ("1970-01-01T05:30:00+05:30", "1970-01-01T00:00:00+00:00"),
        ("2038-01-19T03:14:08+00:00", "2038-01-19T03:14:08+00:00"),
        ("9999-12-31T23:59:59+00:00", "9999-12-31T23:59:59+00:00"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00+00:00"),
        ("2026-03-29T02:30:00", "2026-03-29T02:30:00+00:00"),  # an hour that is not there in a zone with summer time
        ("2026-11-30T07:00:00Z", "2026-11-30T07:00:00+00:00"),
        (" 2026-11-30 ", "2026-11-30T00:00:00+00:00"),
        ("9999-12-31T23:59:59-12:00", None),  # in UTC, a year of five digits
        ("0001-01-01T00:00:00+14:00", None),
        ("10000-01-01T00:00:00+00:00", None),
        ("-001-01-01T00:00:00+00:00", None),
        ("2026-02-29T00:00:00+00:00", None),
        ("2026-01-01T24:00:01+00:00", None),
        ("2" * 5000, None),
        ("2026-01-01\x1b[31mT00:00:00", None),
        ("", None),
        ("None", None),
    ],
    ids=lambda text: repr(text[:26]) if isinstance(text, str) else "none",
)
def test_a_moment_is_that_of_its_text_in_utc(text: str, utc: str | None) -> None:
    assert utc_text(text) == utc
