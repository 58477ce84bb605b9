"""What can go wrong that a user should read in one line?"""

from __future__ import annotations


class BadInput(Exception):
    """Something the user gave cannot be used. Its text is one line."""


class UnitFailed(Exception):
    """A process gave no result. Its text is the reason."""


class UnitHung(UnitFailed):
    """A process did not end in time."""
