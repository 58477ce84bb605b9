"""How does every test in Python run: with which examples, on which core, beside what?

Hypothesis draws the same examples each time, so that a failure has its cause in a change and not in luck. To look for
new examples: pytest --hypothesis-profile=default.

A test's marks say what it needs. `built`, `browser` and `quick` follow from its code and are added here; `timing`, `slow`
and `nightly` are written at the test. pyproject.toml explains all of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import os
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import settings

TESTS = Path(__file__).resolve().parent
PROGRAM = ("measuring_program.py", "program")  # every test that runs the built program finds it through this function
NOT_QUICK = ("built", "browser", "slow", "nightly")

pytest.register_assert_rewrite("support")  # what the tests share also says which values a failed assertion compared
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


# ---- what a test needs


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if any(reaches_program(function) for function in (getattr(item, "function", None), *fixtures_of(item).values())):
            item.add_marker("built")
        if TESTS / "browser" in item.path.parents:
            item.add_marker("browser")
        if not any(item.get_closest_marker(name) for name in NOT_QUICK):
            item.add_marker("quick")
    if on_worker(config):
        arrange_for_workers(items)


def fixtures_of(item: pytest.Item) -> dict[str, Any]:
    """The functions of all fixtures that a test uses, also through another fixture, by name."""
    if not isinstance(item, pytest.Function):
        return {}
    return {name: definitions[-1].func for name, definitions in item._fixtureinfo.name2fixturedefs.items()}


@cache
def reaches_program(start: Any) -> bool:
    """Whether a function calls PROGRAM, itself or through functions and classes of the tests that it names."""
    left, seen = [start], set()
    while left:
        value = inspect.unwrap(reached) if callable(reached := left.pop()) else reached
        if isinstance(value, type) and belongs_to_tests(inspect.getmodule(value)):
            left += [getattr(member, "fget", getattr(member, "func", member)) for member in vars(value).values()]
        elif isinstance(value, FunctionType) and value not in seen and is_in_tests(value.__code__.co_filename):
            seen.add(value)
            if (Path(value.__code__.co_filename).name, value.__name__) == PROGRAM:
                return True
            left += named_in(value)
    return False


def named_in(function: FunctionType) -> Iterator[Any]:
    """The values of the global names in a function, and of names in the tests' modules that it refers to."""
    names = set(names_of(function.__code__))
    for value in [function.__globals__[name] for name in names & function.__globals__.keys()]:
        yield value
        if isinstance(value, ModuleType) and belongs_to_tests(value):
            yield from (getattr(value, name) for name in names & vars(value).keys())


def names_of(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_of(constant)


def belongs_to_tests(module: ModuleType | None) -> bool:
    return is_in_tests(getattr(module, "__file__", None) or "")


def is_in_tests(file: str) -> bool:
    return TESTS in Path(file).parents


# ---- several tests at once (pytest -n)


def on_worker(config: pytest.Config) -> bool:
    """Whether this process is one of several that pytest-xdist has started to share the tests."""
    return hasattr(config, "workerinput")


def arrange_for_workers(items: list[pytest.Item]) -> None:
    """Keeps tests that share a fixture in one process, and puts them first; tests that need a quiet machine come last."""
    for item in items:
        if shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: (is_alone(item), item.get_closest_marker("xdist_group") is None))


def shares_a_fixture(item: pytest.Item) -> bool:
    if not isinstance(item, pytest.Function):
        return False
    definitions = [overridden[-1] for overridden in item._fixtureinfo.name2fixturedefs.values()]
    shared = [definition.func for definition in definitions if definition.scope != "function"]
    return any(is_in_tests(inspect.getfile(function)) for function in shared)


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("timing") is not None


@contextlib.contextmanager
def locked(path: Path, operation: int) -> Iterator[None]:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, operation)
        yield
    finally:
        os.close(handle)


def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A `timing` test has the machine to itself: the other processes wait until it is done."""
    if not on_worker(item.config):
        yield
        return
    with contextlib.ExitStack() as held:
        # Who waits for the second lock holds the first, so that no stream of short tests keeps a timing test waiting.
        with locked(TESTS, fcntl.LOCK_EX):
            held.enter_context(locked(Path(__file__), fcntl.LOCK_EX if is_alone(item) else fcntl.LOCK_SH))
        yield


# Called, not written as decorators: to mypy, pluggy's decorators of some versions have no type.
pytest.hookimpl(tryfirst=True)(pytest_collection_modifyitems)  # before pytest-xdist reads the groups
pytest.hookimpl(hookwrapper=True)(pytest_runtest_protocol)


@pytest.fixture(scope="session")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The malloc that takes notes, which several tests of the program need."""
    if not Path("/lib64/ld-linux-x86-64.so.2").exists() and platform.libc_ver()[0] != "glibc":
        pytest.skip("the witness stands on glibc's own names")
    from support.measuring_program import compiled

    return compiled("tests/cpp/libraries/witness_malloc.cpp", tmp_path_factory.mktemp("witness"))
