"""What does the repository keep of a run? Each process's numbers to five digits, without aggregates, packed by gzip.

The numbers of a run hold 15 digits, of which the noise of any machine leaves three: the rest is most of the file.
"""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

from suite.base.files import write_whole
from suite.results.model import Document
from suite.results.read import rows_of_processes

SIGNIFICANT_DIGITS = 5
DIGITS_KEPT = "significant_digits"  # the key in the context of a file whose numbers are rounded


def compact(document: Document) -> Document:
    """The run with rounded numbers, which its context says, and without aggregates; iterations keep three digits."""
    context = {**document["context"], DIGITS_KEPT: SIGNIFICANT_DIGITS}
    rows = [_rounded(row) for row in rows_of_processes(document)]
    for row in rows:
        if isinstance(iterations := row.get("iterations"), int):  # nothing is computed from them
            row["iterations"] = int(float(f"{iterations:.3g}"))
    return {"context": _rounded(context), "benchmarks": rows}


def write_compact(path: Path, document: Document) -> None:
    """Writes the compact run, packed: the same run gives the same bytes. Raises OSError."""
    text = json.dumps(compact(document), separators=(",", ":"), allow_nan=False) + "\n"
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(text.encode())
    write_whole(path, packed.getvalue())


def _rounded(value: Any) -> Any:
    """Whole numbers, such as bytes, keep all digits."""
    if isinstance(value, float) and not value.is_integer():
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, (list, tuple)) else value
