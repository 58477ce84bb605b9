"""Are hostile inputs counted as the tests try them?"""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.base.errors import UnitFailed
from suite.selfcheck import hostile_inputs

TESTS = """
import pytest

@pytest.mark.hostile("history")
def test_a_trigger_is_refused(): ...

@pytest.mark.hostile("malloc library")
@pytest.mark.parametrize("fault", ["prints", "ends", pytest.param("hangs", marks=pytest.mark.xfail(reason="known"))])
def test_a_library_that_fails_is_named(fault): ...

@pytest.mark.nightly
@pytest.mark.hostile("malloc library")
def test_a_daemon_is_ended(): ...

def test_of_something_else(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / hostile_inputs.TESTS).mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -m 'not nightly'\nmarkers =\n hostile(kind)\n nightly\n")
    (tmp_path / hostile_inputs.TESTS / "test_some.py").write_text(TESTS)
    return tmp_path


def test_inputs_are_counted_by_kind_and_those_known_not_to_hold_are_told(project: Path) -> None:
    libraries, histories = hostile_inputs.kinds(project)
    assert (libraries.name, libraries.tried, libraries.held) == ("malloc library", 4, 3)
    assert libraries.tests == {"a library that fails is named": 3, "a daemon is ended": 1}
    assert (histories.name, histories.tried, histories.held) == ("history", 1, 1)


def test_a_kind_that_is_not_known_is_an_error(project: Path) -> None:
    (project / hostile_inputs.TESTS / "test_some.py").write_text(TESTS.replace('"history"', '"histories"'))
    with pytest.raises(UnitFailed, match="pytest cannot collect the tests with the mark hostile"):
        hostile_inputs.kinds(project)


def test_tests_that_cannot_be_collected_are_an_error(project: Path) -> None:
    (project / hostile_inputs.TESTS / "test_some.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(UnitFailed, match="cannot collect"):
        hostile_inputs.kinds(project)
