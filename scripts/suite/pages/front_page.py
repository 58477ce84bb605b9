"""What does the README show at first sight? Findings that surprise, the output of commands, and the gate beside other tools."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from suite import claims
from suite.base import phrases
from suite.base.blocks import BLOCK
from suite.base.cli import PLAIN_WIDTH
from suite.gate import formats, paired_run
from suite.gate.pairs_file import read_pairs
from suite.gate.sequential_test import PAIRS as PAIRS_OF_A_STAGE
from suite.gate.sequential_test import Rule
from suite.pages import summary, terminal
from suite.results.model import Run

# The claims whose verdicts surprise most, in this order.
SURPRISING = (
    "heap-access-slower", "neighbours-help", "heap-ages", "bookkeeping", "freed-is-returned", "heap-ends-with-memory",
)  # fmt: skip
TOPICS_SHOWN = 1  # of the tables that scripts/run prints: "Getting started" stays within two screens
PAIRS = Path("results", "reference", "pairs.json")  # that COMPARISON has recorded
RUN = "scripts/run"
COMPARISON = """scripts/compare --env new:GLIBC_TUNABLES=glibc.malloc.tcache_count=0 --pairs 10 --label 'thread cache on' \\
    --label 'thread cache off' --only 'glibc/bytes:(64|512|65536)/touch:(none|all)'"""
FOUND = "scripts/run prints a table for each question, with medians and intervals."
COMPARED = "scripts/compare prints what got slower when glibc's malloc has no thread cache."
RULES = ("**this project's**", "Google Benchmark's compare.py", "criterion.rs", "LNT")
_HEADINGS = ("A/A suites with a flag", "2 % found")


def surprises(run: Run) -> list[str]:
    """What was measured of each of these claims that the run decides, in a sentence."""
    decided = {judged.id: judged.gist for judged in claims.verdicts(run) if judged.verdict not in claims.OPEN}
    return [decided[name] for name in SURPRISING if name in decided]


def pictures(root: Path, run: Run) -> Iterator[tuple[str, bytes]]:
    """Of what commands print, by their name."""
    yield "terminal", terminal.picture(RUN, _findings(run))
    if (root / PAIRS).exists():
        recorded = read_pairs(root / PAIRS)
        comparison = paired_run.verdict(recorded, Rule(pairs=recorded.planned or PAIRS_OF_A_STAGE))
        text = formats.as_text(comparison, width=PLAIN_WIDTH, colour=True)
        yield "gate", terminal.picture(COMPARISON, [Text.from_ansi(text)])


def _findings(run: Run) -> Iterator[RenderableType]:
    found = summary.findings(run)
    topics = list(dict.fromkeys(finding.topic for finding in found))[:TOPICS_SHOWN]
    for table in summary.as_tables(finding for finding in found if finding.topic in topics):
        yield table
        yield ""
    yield "..."


def from_bare(measured: Mapping[str, str | int]) -> str:
    """What results/bare/measure found out, as a sentence."""
    minutes = [math.ceil(int(measured[f"seconds_to_{end}"]) / 60) for end in ("install", "numbers")]
    return (
        f"On a bare {measured['system']} with {measured['cores']} cores, it downloads {measured['packages']} packages "
        f"({measured['download_mb']} MB), which take {measured['disk_mb']} MB of disk. They are installed within "
        f"{phrases.count(minutes[0], 'minute', 'minutes')}, and the smoke profile is built and measured within "
        f"{phrases.count(minutes[1], 'minute', 'minutes')} (measured on {measured['date']})."
    )


def beside_other_tools(evaluation: str) -> Iterator[tuple[str, ...]]:
    """From the text of the page about statistics: each tool, how often it flags a suite where nothing changed, quiet and on a
    noisy machine, and how often it finds a slowdown of 2 %."""
    block = next((found["text"] for found in BLOCK.finditer(evaluation) if found["name"] == "evaluation"), "")
    tables = {title: _table(text) for title, text in re.findall(r"^### (Quiet|Noisy)\n(.*?)(?=^###|\Z)", block, re.M | re.S)}
    for rule in RULES:
        if all(rule in tables.get(title, {}) for title in ("Quiet", "Noisy")):
            quiet, noisy = tables["Quiet"][rule], tables["Noisy"][rule]
            yield rule.strip("*").removesuffix("'s"), quiet[_HEADINGS[0]], noisy[_HEADINGS[0]], quiet[_HEADINGS[1]]


def _table(text: str) -> Mapping[str, Mapping[str, str]]:
    """The rows of a Markdown table by their first cell, each cell by its heading."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    headings = lines[0] if lines else []
    return {row[0]: dict(zip(headings, row)) for row in lines[2:]}
