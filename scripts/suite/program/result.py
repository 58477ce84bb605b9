"""How do recording, replay and the runs of the program become one result file? As a run like any other."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.base.files import own_place
from suite.program import rows
from suite.program.pairs import Measured
from suite.program.recording import Recorded
from suite.results.compact import write_compact
from suite.results.end_to_end import CONTEXT, FAMILY
from suite.results.merge import extended, merge
from suite.results.model import LABEL, Account, Document
from suite.runner.program import Catalogue

RUN_FILE = "run.json.gz"


def write(
    folder: Path,
    catalogue: Catalogue,
    replayed: Document | None,
    measured: Measured | None,
    recorded: Recorded | None,
    label: str | None = None,
) -> Path | None:
    """Writes what was measured, also where one of the parts is missing, with the user's name for the run. Returns None
    where nothing was measured."""
    ran = _of_runs(catalogue, measured) if measured is not None and measured.runs else None
    if replayed is not None and ran is not None:
        document = extended(replayed, ran, {FAMILY})
    elif (only := replayed or ran) is not None:
        document = only
    else:
        return None
    facts = rows.context(measured) if measured is not None else {}
    if recorded is not None:
        facts["recording"] = _facts_of(recorded)
        facts["notes"] = [*facts.get("notes", ()), *recorded.notes]
        if measured is None:
            facts |= {"command": recorded.profile.get("command"), "problem": recorded.hung}
    document["context"][CONTEXT] = facts
    if label:
        document["context"][LABEL] = label
    file = own_place(folder / RUN_FILE)
    write_compact(file, document)
    return file


def _facts_of(recorded: Recorded) -> Mapping[str, Any]:
    facts: dict[str, Any] = {"files": len(recorded.files), "problem": recorded.problem}
    if recorded.file is not None:
        facts |= {"file": recorded.file.name, "profile": recorded.profile}
    return facts


def _of_runs(catalogue: Catalogue, measured: Measured) -> Document:
    units = rows.units(measured)
    account = Account(
        complete=not measured.interrupted,
        processes_planned=1 + max(unit.process for unit, _ in units),
        units=tuple(unit for unit, _ in units),
        about={**catalogue.declared, "families": {FAMILY: rows.about()}},
    )
    facts = {**catalogue.context, "date": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()), "host_name": socket.gethostname()}
    document = merge(units, account, [], facts)
    document["context"] |= {"executable": "stackheap", "num_cpus": os.cpu_count() or 1}
    return document
