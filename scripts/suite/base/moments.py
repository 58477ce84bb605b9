"""When was something measured, by a text that a clock or a user wrote? The clock may have been wrong, the text anything."""

from __future__ import annotations

from datetime import datetime, timezone


def moment(text: str) -> datetime | None:
    """A date, or a date and time, as UTC; text without a time zone is UTC. None where it is no date."""
    try:
        parsed = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return parsed.astimezone(timezone.utc) if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None


def utc_text(text: str) -> str | None:
    """The same to the second, in one form: such texts are in the order of their moments."""
    found = moment(text)
    return found.isoformat(timespec="seconds") if found is not None else None


def now() -> datetime:
    return datetime.now(timezone.utc)
