"""Does the README's first sight show what commands print, and what was measured?"""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as xml
from pathlib import Path

from rich.table import Table

from suite.base.cli import ROOT
from suite.commands import compare
from suite.gate.pairs_file import read_pairs
from suite.pages import docs, front_page, terminal
from suite.results.read import read_run
from support import synthetic

EVALUATION = """# Statistics

| rule | A/A suites with a flag | 2 % found |
|---|--:|--:|
| criterion.rs | of another table | |

<!-- generated: evaluation -->
### Quiet

| rule | A/A comparisons flagged | A/A suites with a flag | 2 % found |
|---|--:|--:|--:|
| **this project's** | 1 % | 2 % | 3 % |
| criterion.rs | 4 % | 5 % | 6 % |
| LNT | 7 % | 8 % | 9 % |

### Noisy

| rule | A/A suites with a flag | 2 % found |
|---|--:|--:|
| criterion.rs | 10 % | 11 % |
| **this project's** | 12 % | 13 % |
<!-- end -->
"""


def test_a_tool_stands_beside_others_where_both_tables_have_it() -> None:
    rows = list(front_page.beside_other_tools(EVALUATION))
    assert rows == [("this project", "2 %", "12 %", "3 %"), ("criterion.rs", "5 %", "10 %", "6 %")]
    assert not list(front_page.beside_other_tools("without a table"))


def test_the_page_about_statistics_has_every_tool_of_the_readme() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    rows = list(front_page.beside_other_tools(text))
    assert len(rows) == len(front_page.RULES)
    assert all(re.search(r"^[0-9.]+ %", cell) for row in rows for cell in row[1:])


def test_a_finding_that_surprises_stands_where_a_run_decides_its_claim() -> None:
    assert len(front_page.surprises(read_run(ROOT / docs.REFERENCE_RUN))) == len(front_page.SURPRISING)
    assert not front_page.surprises(synthetic.synthetic(keep=lambda name: name.startswith("scoped/")))


def test_minutes_from_a_bare_system_are_rounded_up() -> None:
    measured: dict[str, str | int] = {
        "system": "Debian 99", "date": "2031-02-03", "cores": 4, "packages": 17, "download_mb": 23, "disk_mb": 71,
        "seconds_to_install": 59, "seconds_to_numbers": 121,
    }  # fmt: skip
    text = front_page.from_bare(measured)
    assert text.startswith("On a bare Debian 99 with 4 cores, it downloads 17 packages (23 MB), which take 71 MB of disk.")
    assert "installed within 1 minute," in text and "measured within 3 minutes (measured on 2031-02-03)" in text


def test_a_picture_of_a_terminal_holds_the_text_and_nothing_from_the_network() -> None:
    table = Table(title="numbers")
    table.add_row("a < b & {c}", "@text@")
    picture = terminal.picture("scripts/run --only '<x>'", [table])
    drawn = xml.fromstring(picture)
    space = "{http://www.w3.org/2000/svg}"
    title, description = (drawn.findtext(f"{space}{name}") or "" for name in ("title", "desc"))
    assert title == "scripts/run --only '<x>'"
    assert "$ scripts/run --only '<x>'" in description and "a < b & {c}" in description and "@text@" in description
    letters = "".join("".join(text.itertext()) for text in drawn.iter(f"{space}text")).replace("\xa0", " ")
    assert "a < b & {c}" in letters and "$ scripts/run" in letters
    assert not re.search(rb"url\(|href|@font-face|https?://(?!www\.w3\.org|purl\.org)", picture.replace(b"url(#", b""))


def test_the_comparison_that_the_readme_shows_is_recorded(tmp_path: Path) -> None:
    recorded = read_pairs(ROOT / front_page.PAIRS)
    pictures = dict(front_page.pictures(ROOT, synthetic.synthetic()))
    assert list(pictures) == ["terminal", "gate"]
    title = xml.fromstring(pictures["gate"]).findtext("{http://www.w3.org/2000/svg}title")
    assert title == front_page.COMPARISON
    words = shlex.split(front_page.COMPARISON.replace("\\\n", ""))
    assert compare.parse(words[1:]).label == [side.label for side in (recorded.old, recorded.new)]
    assert list(dict(front_page.pictures(tmp_path, synthetic.synthetic()))) == ["terminal"]
