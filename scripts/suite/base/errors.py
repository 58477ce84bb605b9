"""Which errors should a user read in one line?"""

from __future__ import annotations

import re

NO_EXPRESSION = (re.error, RecursionError, OverflowError)  # what re.compile raises


class BadInput(Exception):
    """An option or a file that the user gave cannot be used. The text is one line."""


class UnitFailed(Exception):
    """A process gave no result. The text is the reason."""


class UnitHung(UnitFailed):
    """A process did not end in time."""
