"""Can every claim get every verdict, and is its text true for the run?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Union

import pytest

from suite import claims
from suite.base.files import write_json
from suite.claims import DOES_NOT_HOLD, HOLDS, HOLDS_BUT, NOT_MEASURED, UNDECIDED
from suite.claims.inputs import few_cycles_apart
from suite.commands import claims as command
from suite.results.model import Benchmark, BenchmarkName, Run, Sample
from suite.results.read import read_run
from support import synthetic

Figure = Union[float, Mapping[str, float], tuple[float, Mapping[str, float]]]  # ns, counters, or both
Figures = Mapping[str, Figure]  # of each benchmark
Noise = Callable[[str, int], float]


def a_little(name: str, process: int) -> float:
    return 1 + 0.002 * process


def a_lot(name: str, process: int) -> float:
    return (0.5, 4.0, 1.0, 0.25, 2.0)[process]


def make_run(
    folder: Path, figures: Figures, processes: int = 5, noise: Noise = a_little, cores: int = 2, mallocs: int = 2
) -> Run:
    rows = []
    for name, value in figures.items():
        ns, counters = (1.0, value) if isinstance(value, Mapping) else value if isinstance(value, tuple) else (value, {})
        for process in range(processes):
            factor = 1.0 if isinstance(value, Mapping) else noise(name, process)
            rows.append({**synthetic.row(name, ns * factor, counters), "repetition_index": process})
    context = synthetic.context(synthetic.names_of(mallocs), cores)
    write_json(folder / "run.json", {"context": context, "benchmarks": rows})
    return read_run(folder / "run.json")


def verdict_of(claim_id: str, run: Run) -> claims.ClaimVerdict:
    return next(judged_claim for judged_claim in claims.verdicts(run) if judged_claim.id == claim_id)


# ---- what each claim reads, as a function of what decides it (the mallocs are glibc and mimalloc; one cycle is 0.25 ns)


def scoped(touch: str, **prices: Mapping[int, float]) -> dict[str, float]:
    return {f"scoped/{who}/bytes:{size}/touch:{touch}": ns for who, by in prices.items() for size, ns in by.items()}


def flat(stack: float, heap: float, touched: float) -> dict[str, float]:
    """Prices at 1 MiB; 8 bytes cost 10 ns."""
    large = 1 << 20
    none = scoped("none", stack_array={8: 10, large: stack}, glibc={8: 10, large: heap})
    return {**none, **scoped("all", stack_array={8: 10, large: touched})}


def state(stack: float, **aged: float) -> dict[str, float]:
    """Prices on an aged heap; on an empty heap they are 10 ns."""
    aged = {"stack_array": stack, **aged}
    name = "heap_state/{}/bytes:64/state:{}/threads:ever"
    return {name.format(who, "aged"): ns for who, ns in aged.items()} | {name.format(who, "empty"): 10 for who in aged}


def many(together: float) -> dict[str, float]:
    stack = {f"many/stack_array/count:{count}/taken:together": ns for count, ns in ((1, 10), (64, together))}
    return stack | {f"many/glibc/count:{count}/taken:apart": 10.0 * count for count in (1, 64)}


def large(first: float, whole: float) -> dict[str, float]:
    name = "large/glibc/bytes:{}/touch:{}"
    prices = {(1024, "first"): 10.0, (4096, "first"): first, (1024, "all"): 10.0, (4096, "all"): whole}
    return {name.format(*at): ns for at, ns in prices.items()}


def system(**mallocs: tuple[float, float]) -> dict[str, Figure]:
    """Price and page faults of each malloc; a mapping costs 1 µs and one fault."""
    mallocs_and_system = {"mmap": (1000.0, 1.0), **mallocs}
    return {f"scoped/{who}/bytes:64/touch:first": (ns, {"page_faults": faults}) for who, (ns, faults) in mallocs_and_system.items()}


def homes(**heap: float) -> dict[str, float]:
    names = {"stream": "stream/bytes:65536/home:{}", "chase": "chase/bytes:65536/order:random/home:{}"}
    prices = {names[family].format("heap"): ns for family, ns in heap.items()}
    return prices | {names[family].format("stack"): 10.0 for family in heap}


def pointers(near: float, far: float) -> dict[str, float]:
    layouts = {"depth:0/layout:packed": 10.0, "depth:1/layout:packed": near, "depth:1/layout:scattered": far}
    return {f"indirection/{name}": ns for name, ns in layouts.items()}


def jumps(in_l1: float, in_l2: float) -> dict[str, float]:
    name = "chase/bytes:{}/order:{}/home:heap"
    at_random = {name.format(size, "random"): ns for size, ns in ((4096, in_l1), (1 << 20, in_l2))}
    return at_random | {name.format(size, "sequential"): 10 for size in (4096, 1 << 20)}


def neighbours(shuffled: float, by_column: float) -> dict[str, float]:
    lists = {"list_shuffled": shuffled, "vector": 10.0}
    prices = {f"traverse/{who}/count:1000/payload:8": ns for who, ns in lists.items()}
    return prices | {f"matrix/one_block/n:64/by:{by}": ns for by, ns in (("column", by_column), ("row", 10.0))}


def walks(**aged: float) -> dict[str, float]:
    fresh = {f"list_walk/{who}/heap:empty": 10.0 for who in aged}
    return fresh | {f"list_walk/{who}/heap:aged": ns for who, ns in aged.items()}


def on_two_cores(family: str, **prices: float) -> dict[str, float]:
    return {f"{family}/{who}/threads:{n}": ns for who, two in prices.items() for n, ns in ((1, 10.0), (2, two))}


def contended(glibc: float, mimalloc: float) -> dict[str, float]:
    private = on_two_cores("private", glibc=glibc, mimalloc=10)
    return private | on_two_cores("larson", glibc=10, mimalloc=mimalloc)


def starts(large: float, touched: float) -> dict[str, float]:
    name = "thread_start/fresh_stack/bytes:{}/touch:{}"
    prices = {(1024, "none"): 100.0, (4096, "none"): large, (1024, "all"): 100.0, (4096, "all"): touched}
    return {name.format(*at): ns for at, ns in prices.items()}


def drops(arena: float, **apart: float) -> dict[str, Mapping[str, float]]:
    drop_ns = {f"cleanup/{who}/count:100/drop:each": {"drop_ns": ns} for who, ns in apart.items()}
    return drop_ns | {"cleanup/arena/count:100/drop:at_once": {"drop_ns": arena}}


def passed(an_int: float, string: float, vector: float) -> dict[str, float]:
    """Prices of a copy; a move costs 10 ns."""
    copies = {"int": an_int, "long_string": string, "vector_1000": vector}
    moved = {f"pass/type:{kind}/how:move": 10.0 for kind in copies}
    return moved | {f"pass/type:{kind}/how:copy": ns for kind, ns in copies.items()}


def lent(**prices: float) -> dict[str, float]:
    """Prices of lending; the call alone costs 10 ns."""
    alone = {f"pass/type:{kind}/how:none": 10.0 for kind in prices}
    return alone | {f"pass/type:{kind}/how:borrow": ns for kind, ns in prices.items()}


def pointed(make: float, use: float, shared: float) -> dict[str, float]:
    kinds = {"make/kind:unique_ptr": make, "use/kind:unique_ptr": use, "make/kind:shared_ptr": shared}
    plain = {f"smart_pointer/op:{op}/kind:raw": 10.0 for op in ("make", "use")}
    return plain | {f"smart_pointer/op:{name}": ns for name, ns in kinds.items()}


def strings(**on_heap: float) -> dict[str, Mapping[str, float]]:
    return {f"string_cliff/string/length:{length[1:]}": {"on_heap": share} for length, share in on_heap.items()}


def ends_of(stack: float, granted: float, touched: float, unlimited: float = 0.0) -> dict[str, Mapping[str, float]]:
    return {
        "stack_limit/stack:main/frame:64": {"usable_bytes": stack, "at_least": unlimited},
        "heap_limit/glibc/limit:granted": {"granted_bytes": granted},
        "heap_limit/glibc/limit:touched": {"touched_bytes": touched},
    }


def recursions(small: float, large: float) -> dict[str, float]:
    name = "recursion/shape:chain/depth:100/frame:{}/by:{}"
    calls = {name.format(frame, "calls"): ns for frame, ns in ((64, small), (1024, large))}
    return calls | {name.format(frame, "heap_kept"): 10.0 for frame in (64, 1024)}


def books(glibc: float, mimalloc: float, in_large: float = 1.2) -> dict[str, Mapping[str, float]]:
    held = {("glibc", 8): glibc, ("mimalloc", 8): mimalloc, ("glibc", 4096): in_large, ("mimalloc", 4096): in_large}
    return {f"overhead/{who}/bytes:{size}": {"resident_bytes_per_byte": bytes_held} for (who, size), bytes_held in held.items()}


def returned(**shares: float) -> dict[str, Mapping[str, float]]:
    return {f"returned/{who}/sizes:small": {"returned_share_after_1s": share} for who, share in shares.items()}


CASES: dict[str, dict[str, Figures]] = {
    "stack-is-faster": {
        HOLDS: scoped("first", stack_array={64: 2}, glibc={64: 20}, mimalloc={64: 10}),
        HOLDS_BUT: scoped("first", stack_array={64: 2}, glibc={64: 20}, mimalloc={64: 2}),
        DOES_NOT_HOLD: scoped("first", stack_array={64: 9}, glibc={64: 9}, mimalloc={64: 5}),
    },
    "stack-is-flat": {HOLDS: flat(10, 90, 10), HOLDS_BUT: flat(10, 90, 90), DOES_NOT_HOLD: flat(50, 90, 50)},
    "no-search": {
        HOLDS: state(10, glibc=20), HOLDS_BUT: state(10, glibc=10, mimalloc=9), DOES_NOT_HOLD: state(20, glibc=20),
    },
    "all-at-once": {HOLDS: many(10), HOLDS_BUT: many(30), DOES_NOT_HOLD: many(640)},
    "large-takes-time": {HOLDS: large(20, 90), HOLDS_BUT: large(10, 90), DOES_NOT_HOLD: large(10, 10)},
    "touch-dominates": {
        HOLDS: scoped("all", stack_array={8: 2, 64: 10}, glibc={8: 20, 64: 10}, mimalloc={8: 20, 64: 10}),
        HOLDS_BUT: scoped("all", stack_array={8: 2, 64: 10}, glibc={8: 20, 64: 10}, mimalloc={8: 20, 64: 40}),
        DOES_NOT_HOLD: scoped("all", stack_array={8: 2, 64: 10}, glibc={8: 20, 64: 20}, mimalloc={8: 20, 64: 40}),
    },
    "unknown-size-needs-heap": {
        HOLDS: scoped("first", alloca={8: 20, 64: 20}, glibc={8: 10, 64: 10}),
        HOLDS_BUT: scoped("first", alloca={8: 2, 64: 20}, glibc={8: 10, 64: 10}),
        DOES_NOT_HOLD: scoped("first", alloca={8: 2, 64: 2}, glibc={8: 10, 64: 10}),
    },
    "os-finds-room": {
        HOLDS: system(glibc=(20, 1), mimalloc=(1000, 0)), HOLDS_BUT: system(glibc=(20, 1), mimalloc=(8, 0)),
        DOES_NOT_HOLD: system(glibc=(20, 0), mimalloc=(8, 0)),
    },
    "heap-access-slower": {
        HOLDS: homes(stream=20, chase=20), HOLDS_BUT: homes(stream=20, chase=10),
        DOES_NOT_HOLD: homes(stream=10, chase=9),
    },
    "pointer-costs": {HOLDS: pointers(20, 30), HOLDS_BUT: pointers(20, 90), DOES_NOT_HOLD: pointers(10, 10)},
    "jumping-costs": {HOLDS: jumps(20, 30), HOLDS_BUT: jumps(10, 30), DOES_NOT_HOLD: jumps(10, 10)},
    "neighbours-help": {
        HOLDS: neighbours(50, 20), HOLDS_BUT: neighbours(50, 10), DOES_NOT_HOLD: neighbours(10, 8),
    },
    "heap-ages": {
        HOLDS: walks(glibc=20, mimalloc=30), HOLDS_BUT: walks(glibc=20, mimalloc=10),
        DOES_NOT_HOLD: walks(glibc=10, mimalloc=9),
    },
    "own-stack": {
        HOLDS: on_two_cores("private", stack_array=10), HOLDS_BUT: on_two_cores("private", stack_array=14),
        DOES_NOT_HOLD: on_two_cores("private", stack_array=30),
    },
    "shared-heap-contends": {HOLDS: contended(20, 20), HOLDS_BUT: contended(20, 10), DOES_NOT_HOLD: contended(10, 9)},
    "stack-costs-at-start": {HOLDS: starts(200, 200), HOLDS_BUT: starts(200, 900), DOES_NOT_HOLD: starts(100, 900)},
    "drop-at-once": {
        HOLDS: drops(1, glibc=9, mimalloc=5), HOLDS_BUT: drops(5, glibc=9, mimalloc=5),
        DOES_NOT_HOLD: drops(9, glibc=9, mimalloc=5),
    },
    "simple-copies-cheap": {HOLDS: passed(10, 50, 90), HOLDS_BUT: passed(10, 10, 90), DOES_NOT_HOLD: passed(50, 50, 90)},
    "borrow-is-free": {
        HOLDS: lent(int=10, vector=10.4), HOLDS_BUT: lent(int=10, vector=20), DOES_NOT_HOLD: lent(int=20, vector=20),
    },
    "automatic-is-free": {HOLDS: pointed(10, 10, 10), HOLDS_BUT: pointed(10, 10, 20), DOES_NOT_HOLD: pointed(20, 20, 20)},
    "strings-on-heap": {
        HOLDS: strings(_1=1, _8=1), HOLDS_BUT: strings(_1=0, _8=0, _16=1), DOES_NOT_HOLD: strings(_1=0, _64=0),
    },
    "stack-is-small": {
        HOLDS: ends_of(1e6, 1e9, 1e7), HOLDS_BUT: ends_of(1e6, 1e7, 1e7), DOES_NOT_HOLD: ends_of(1e6, 5e5, 5e5),
    },
    "recursion-or-heap": {HOLDS: recursions(20, 20), HOLDS_BUT: recursions(20, 10), DOES_NOT_HOLD: recursions(10, 9)},
    "bookkeeping": {HOLDS: books(1.5, 1.2), HOLDS_BUT: books(1.5, 1.0), DOES_NOT_HOLD: books(1.0, 1.001)},
    "freed-is-returned": {
        HOLDS: returned(glibc=1, mimalloc=0.95), HOLDS_BUT: returned(glibc=1, mimalloc=0.5),
        DOES_NOT_HOLD: returned(glibc=0, mimalloc=0.5),
    },
}  # fmt: skip


WAYS = [(claim_id, verdict) for claim_id, ways in CASES.items() for verdict in ways]


@pytest.mark.parametrize(("claim_id", "verdict"), WAYS)
def test_every_claim_follows_the_numbers(tmp_path: Path, claim_id: str, verdict: str) -> None:
    judged = verdict_of(claim_id, make_run(tmp_path, CASES[claim_id][verdict]))
    assert judged.verdict == verdict, judged.text
    assert bool(judged.condition) == (verdict == HOLDS_BUT)
    assert judged.text.endswith(".") and any(letter.isdigit() for letter in judged.text)


def test_every_claim_has_every_case() -> None:
    assert set(CASES) == {claim.id for claim in claims.CLAIMS}
    assert all(set(ways) == {HOLDS, HOLDS_BUT, DOES_NOT_HOLD} for ways in CASES.values())


NOISY = [(claim_id, verdict) for claim_id, verdict in WAYS if any(isinstance(value, float) for value in CASES[claim_id][verdict].values())]


@pytest.mark.parametrize("power", [0.0, 0.25])  # no difference in the medians, and one that the intervals swallow
@pytest.mark.parametrize(("claim_id", "verdict"), NOISY)
def test_no_claim_is_stronger_than_its_intervals(tmp_path: Path, claim_id: str, verdict: str, power: float) -> None:
    figures = CASES[claim_id][verdict].items()
    nearer = {name: 10.0 * value**power if isinstance(value, (int, float)) else value for name, value in figures}
    judged = verdict_of(claim_id, make_run(tmp_path, nearer, noise=a_lot))
    assert judged.verdict == UNDECIDED and "too wide" in judged.text, judged


@pytest.mark.parametrize("claim_id", list(CASES))
def test_a_claim_without_data_is_not_measured(tmp_path: Path, claim_id: str) -> None:
    judged = verdict_of(claim_id, make_run(tmp_path, {"layout/array_of_structs/count:9/fields:one": 1.0}))
    assert judged.verdict == NOT_MEASURED and judged.text and not judged.condition


@pytest.mark.parametrize(("claim_id", "verdict"), NOISY)
def test_few_processes_are_not_enough(tmp_path: Path, claim_id: str, verdict: str) -> None:
    assert verdict_of(claim_id, make_run(tmp_path, CASES[claim_id][verdict], processes=2)).verdict == UNDECIDED


def test_twice_as_much_is_not_as_much_even_where_it_is_one_cycle(tmp_path: Path) -> None:
    one_cycle_more = {**many(10), **dict(zip((name for name in many(10) if "stack_array" in name), (0.25, 0.5)))}
    judged = verdict_of("all-at-once", make_run(tmp_path, one_cycle_more))
    assert (judged.verdict, judged.condition) == (HOLDS_BUT, "with a cycle or two more")


def test_a_single_core_gives_no_verdict_on_threads(tmp_path: Path) -> None:
    run = make_run(tmp_path, {**CASES["own-stack"][HOLDS], **CASES["shared-heap-contends"][HOLDS]}, cores=1)
    for claim_id in ("own-stack", "shared-heap-contends"):
        assert verdict_of(claim_id, run).verdict == NOT_MEASURED


def test_a_sentence_names_the_mallocs_and_the_ratios(tmp_path: Path) -> None:
    figures = scoped("first", stack_array={64: 2}, glibc={64: 20}, mimalloc={64: 2})
    judged_claim = verdict_of("stack-is-faster", make_run(tmp_path, figures, noise=lambda *_: 1.0))
    assert judged_claim.text == "64 bytes take 2.0\u00a0ns on the stack; as a multiple of that: glibc 10.0 times, mimalloc 1.00 times."
    assert judged_claim.condition == "not shown for mimalloc"


def test_a_stack_without_a_limit_is_not_small(tmp_path: Path) -> None:
    judged_claim = verdict_of("stack-is-small", make_run(tmp_path, ends_of(1e6, 1e9, 1e7, unlimited=1.0)))
    assert judged_claim.verdict == DOES_NOT_HOLD and "at least" in judged_claim.text


def test_the_command_prints_all_claims_or_the_chosen_claims(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, CASES["strings-on-heap"][HOLDS_BUT])
    file = str(tmp_path / "run.json")
    assert command.main([file]) == 0
    everything = capsys.readouterr().out
    assert "only from 16 characters on" in everything
    assert everything.splitlines()[-1] == f"holds, but: 1; not measured: {len(claims.CLAIMS) - 1}"
    assert command.main([file, "--claim", "strings-on-heap"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "holds, but: 1"


def test_the_command_refuses_a_file_that_is_not_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"context": {}, "benchmarks": []}))
    assert command.main([str(tmp_path / "run.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_two_cycles_are_few_and_three_are_not() -> None:
    def of_cycles(count: float) -> Benchmark:
        samples = tuple(Sample(process, count, {"cycles": count}) for process in range(8))
        return Benchmark(BenchmarkName.parse("pass/type:int/how:copy"), samples)

    assert few_cycles_apart(of_cycles(11.5), of_cycles(10.0))
    assert not few_cycles_apart(of_cycles(13.0), of_cycles(10.0))
