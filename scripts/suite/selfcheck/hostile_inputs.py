"""Which hostile inputs do the tests try, and how many of them hold? Counted from the tests' mark `hostile(KIND)`.

An input holds where its test must pass; one that is known not to hold has a test that is expected to fail (xfail). This
module is also the plugin of pytest that counts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.base import foreign
from suite.base.errors import UnitFailed
from suite.base.foreign_program import run_foreign

MARK, PREFIX = "hostile", "hostile inputs: "
TESTS = "tests/python"
HERE = Path(__file__).resolve().parents[2]  # where Python finds this package
SECONDS = 300.0
KINDS = (  # in the order in which they are told
    "malloc library", "measured program", "recording of a program", "result file", "recorded pairs", "history", "size",
    "text that is not ours", "set-up", "limit of the system", "state of the machine", "disk fault", "signal",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """The inputs of a kind."""

    name: str
    tests: Mapping[str, int]  # by the name of the test, in words: how many inputs it tries
    failing: int  # inputs that do not hold

    @property
    def tried(self) -> int:
        return sum(self.tests.values())

    @property
    def held(self) -> int:
        return self.tried - self.failing


def kinds(root: Path) -> Sequence[Kind]:
    """What the tests of the project try, by kind. Raises UnitFailed where pytest cannot collect them."""
    asked = (sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-p", __name__, "-o", "addopts=",
             "-m", MARK, TESTS)  # fmt: skip
    answer = run_foreign(asked, SECONDS, folder=root, environment={**os.environ, "PYTHONPATH": str(HERE)})
    told = [line for line in answer.output.splitlines() if line.startswith(PREFIX)]
    if answer.exit_code != 0 or not told:
        last = (answer.errors.strip() or answer.output.strip()).splitlines()[-1:]
        raise UnitFailed(f"pytest cannot collect the tests with the mark {MARK}: {''.join(last)}")
    return [Kind(*fields) for fields in foreign.read_json(told[0].removeprefix(PREFIX))]


def pytest_collection_finish(session: Any) -> None:
    """Of pytest: prints what it has collected."""
    print(f"\n{PREFIX}{json.dumps(_counted(session.items))}")


def _counted(items: Iterable[Any]) -> list[tuple[str, Mapping[str, int], int]]:
    tests: dict[str, dict[str, int]] = {}
    failing: dict[str, int] = {}
    for item in items:
        kind = str(item.get_closest_marker(MARK).args[0])
        name = item.originalname.removeprefix("test_").replace("_", " ")
        of_kind = tests.setdefault(kind, {})
        of_kind[name] = of_kind.get(name, 0) + 1
        failing[kind] = failing.get(kind, 0) + (item.get_closest_marker("xfail") is not None)
    return [(kind, tests[kind], failing[kind]) for kind in sorted(tests, key=KINDS.index)]  # an unknown one is an error
