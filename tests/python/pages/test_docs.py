"""Does the README agree with the reference run, and does the check report a difference?"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from suite import charts, claims
from suite.base.files import write_json
from suite.commands import readme as command
from suite.pages import docs, report
from suite.results import numbers
from suite.results.compact import write_compact
from suite.results.model import COUNTED_BESIDE, Document
from suite.results.read import read_run
from support import ROOT, synthetic

pytestmark = pytest.mark.slow  # draws the charts of whole documents

FEW = ("scoped/", "churn/", "private/", "spill/")
WRITTEN = "# A title\n\n{}\nBetween.\n\n{}\nAfter.\n"
BLOCK = "<!-- generated: {} -->\nbefore\n<!-- end -->\n"


def few(name: str) -> bool:
    return name.startswith(FEW)


def dearer(name: str) -> float:
    return 3 * synthetic.price(name)


@pytest.fixture
def few_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws four charts only, and no report, since both take seconds."""
    names = ("numbers", "scoped", "churn", "private")
    some = {name: chart for name, chart in charts.charts().items() if name in names}
    monkeypatch.setattr(charts, "charts", lambda: some)
    monkeypatch.setattr(report, "make", lambda runs: f"the report of {[series.times for series in runs[0].series()]}")
    monkeypatch.setattr(docs, "HERO_LOOKS", {"(prefers-color-scheme: dark)": charts.Look("dark")})


@pytest.fixture
def root(tmp_path: Path, few_charts: None) -> Path:
    """A project with a reference run, whose README and figures are fresh."""
    measure_again(tmp_path)
    (tmp_path / "README.md").write_text(WRITTEN.format(BLOCK.format("hero"), BLOCK.format("claim counts")))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "claims.md").write_text(BLOCK.format("claims"))
    (tmp_path / "docs" / "allocation.md").write_text(BLOCK.format("chapter allocation"))
    (tmp_path / "docs" / "other.md").write_text(BLOCK.format("of another command"))
    assert command.main([], tmp_path) == 0
    return tmp_path


def measure_again(root: Path, price: synthetic.Price = synthetic.price) -> None:
    (root / docs.REFERENCE).mkdir(parents=True, exist_ok=True)
    write_compact(root / docs.REFERENCE_RUN, measured_by_the_present_program(root, price))


def measured_by_the_present_program(root: Path, price: synthetic.Price = synthetic.price) -> Document:
    """A run of the families and of the format that the project's sources name."""
    document = synthetic.document(keep=few, ns=price)
    document["context"]["format"] = "7"
    (root / docs.PROGRAM).write_text("project(x)\nset(STACKHEAP_FORMAT 7)\n")
    for family in document["context"]["suite"]["about"]["families"]:
        (root / "benchmarks" / "chapter").mkdir(parents=True, exist_ok=True)
        (root / "benchmarks" / "chapter" / f"{family}.cpp").touch()
    return document


def contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def check(root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The check's exit status and the stale parts it names. The check must not change a file."""
    before = contents(root)
    capsys.readouterr()
    status = command.main(["--check"], root)
    assert contents(root) == before
    return status, [line.removeprefix("stale: ") for line in capsys.readouterr().out.splitlines()]


def test_written_pages_are_fresh_and_stay_unchanged(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(root, capsys) == (0, [])
    before = contents(root)
    assert command.main([], root) == 0
    assert contents(root) == before


def test_the_blocks_hold_figure_finding_and_numbers_and_the_text_around_them_stays(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert text.startswith("# A title\n\n<!-- generated: hero -->\n<picture>")
    assert "\nBetween.\n" in text and text.endswith("\nAfter.\n") and "\nbefore\n" not in text
    for source in re.findall(r'(?:src|srcset)="([^"]*)"', text):
        assert (root / source).is_file()
    assert '<img src="results/reference/figures/numbers.svg" alt="Memory numbers every programmer should know' in text
    assert "| 64 bytes on the stack | nothing measurable |" in text
    verdicts = claims.verdicts(read_run(root / docs.REFERENCE_RUN))
    assert f"{claims.counted(verdicts)}: [each claim with its verdict and its numbers](docs/claims.md)." in text
    assert f"Of {len(claims.CLAIMS)} claims about" in text


def test_the_page_about_the_claims_has_a_table_for_each_chapter_and_folds_the_details(root: Path) -> None:
    text = (root / "docs" / "claims.md").read_text()
    assert "## [Allocation](allocation.md): what does it cost to get memory?\n\n| claim | verdict | measured |\n" in text
    for judged in claims.verdicts(read_run(root / docs.REFERENCE_RUN)):
        row = next(line for line in text.splitlines() if line.startswith(f"| {judged.statement} | **{judged.verdict}**"))
        assert row.count(" | ") == 2 and f"| {judged.gist}" in row
        folded = re.search("<details><summary>All numbers</summary>(.*)</details> \\|$", row)
        assert bool(folded) == bool(judged.details)
        assert folded is None or folded[1].startswith(judged.details) and f".md#{judged.families[-1]})" in row


def test_a_chapters_page_shows_its_families_with_figures_that_exist(root: Path) -> None:
    text = (root / "docs" / "allocation.md").read_text()
    assert "### churn\n\nWhat does churn ask?" in text and "### scoped" in text and "### private" not in text
    sources = re.findall(r'src="([^"]*)"', text)
    assert "../results/reference/figures/churn.svg" in sources
    assert all((root / "docs" / source).is_file() for source in sources)


def test_the_values_of_a_figure_are_folded_under_it_and_not_in_its_alt_text(root: Path) -> None:
    text = (root / "docs" / "allocation.md").read_text()
    figure = next(part for part in text.split("<img ") if "/churn.svg" in part)
    alt, _, below = figure.partition('">')
    folded = below.partition("<details><summary>values</summary>\n\n")[2].partition("\n\n</details>")[0].splitlines()
    glibc = next(line for line in folded if line.startswith("| glibc "))
    assert folded[0].startswith("|  | ") and {line.count("|") for line in folded} == {glibc.count("|")}
    assert re.search(r"\| \d[\d.]* [nµ]s \(\d[\d.]* to \d[\d.]* [nµ]s\) \|", glibc) and "mimalloc 2" not in alt


def test_the_chart_of_several_runs_is_drawn_where_all_of_them_are_kept(tmp_path: Path) -> None:
    for number, file in enumerate(docs.COMPILERS):
        assert docs.of_compilers(tmp_path) is None
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        document = synthetic.document(keep=lambda name: name.startswith("scoped/"), ns=dearer if number else synthetic.price)
        document["context"]["label"] = file.stem
        write_compact(tmp_path / file, document)
    drawn = docs.of_compilers(tmp_path)
    assert drawn is not None and "clang" in drawn.title


def test_a_new_run_makes_blocks_and_figures_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure_again(root, dearer)
    status, stale = check(root, capsys)
    assert status == 1
    blocks = {"README.md (block hero)", "docs/claims.md (block claims)", "docs/allocation.md (block chapter allocation)"}
    assert blocks <= set(stale)
    assert "results/reference/figures/churn.svg (differs)" in stale
    assert command.main([], root) == 0
    assert check(root, capsys) == (0, [])


def test_a_refresh_takes_a_run_as_the_reference_with_figures_pages_and_report(
    root: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = tmp_path_factory.mktemp("measured")
    write_json(measured / "run.json", measured_by_the_present_program(root, dearer))
    assert command.main(["--refresh", str(measured)], root) == 0
    assert "refreshed: docs/claims.md (block claims)" in capsys.readouterr().out
    before, after = read_run(measured), read_run(root / docs.REFERENCE_RUN)
    for name, benchmark in before.by_name.items():
        assert after.by_name[name].times == pytest.approx(benchmark.times, rel=1e-4)
    assert (root / docs.REFERENCE_REPORT).read_text() == report.make([after])
    assert check(root, capsys) == (0, [])
    content = contents(root)
    assert command.main(["--refresh", str(measured)], root) == 0
    assert contents(root) == content
    assert "report.html" not in capsys.readouterr().out  # it is as it was


def test_an_old_report_is_written_anew(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_file = root / docs.REFERENCE_REPORT
    fresh = report_file.read_text()
    report_file.write_text("old")
    assert check(root, capsys) == (0, [])  # a check would take twice as long
    assert command.main([], root) == 0
    assert "refreshed: results/reference/report.html\n" in capsys.readouterr().out
    assert report_file.read_text() == fresh


def without(document: Document, family: str) -> Document:
    account = document["context"]["suite"]
    account["units"] = [unit for unit in account["units"] if unit["family"] != family]
    del account["about"]["families"][family]
    document["benchmarks"] = [row for row in document["benchmarks"] if not row["name"].startswith(f"{family}/")]
    return document


def test_a_later_run_adds_the_families_that_the_reference_lacks(
    root: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("later")
    shutil.copy(root / docs.REFERENCE_RUN, folder / "earlier.json.gz")
    write_compact(root / docs.REFERENCE_RUN, without(measured_by_the_present_program(root), "churn"))
    assert f"{docs.REFERENCE_RUN} (lacks the family churn)" in check(root, capsys)[1]
    later = measured_by_the_present_program(root, dearer)
    later["context"].update(date="2027-02-03T04:05:06+00:00", revision="1234567")
    write_json(folder / "run.json", later)
    assert command.main(["--extend", str(folder)], root) == 0
    assert check(root, capsys) == (0, [])
    run, earlier, measured = (read_run(path) for path in (root / docs.REFERENCE_RUN, folder / "earlier.json.gz", folder))
    assert run.account.about["added"] == [
        {"families": ["churn"], "date": "2027-02-03T04:05:06+00:00", "revision": "1234567"}
    ]  # fmt: skip
    for name, benchmark in run.by_name.items():
        source = measured if name.startswith("churn/") else earlier
        assert benchmark.times == pytest.approx(source.by_name[name].times, rel=1e-4), name
    (root / "README.md").write_text(BLOCK.format("machine"))
    assert command.main([], root) == 0
    assert "Measured later on 2027-02-03: churn." in (root / "README.md").read_text()


def test_a_run_that_cannot_extend_the_reference_is_one_line(
    root: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(root)
    document = measured_by_the_present_program(root)
    file = tmp_path_factory.mktemp("later") / "run.json"

    def refusal() -> str:
        write_json(file, document)
        assert command.main(["--extend", str(file)], root) == 2
        assert contents(root) == before
        return capsys.readouterr().err

    assert refusal() == f"scripts/readme: {file} has no family that the reference lacks\n"
    document["context"]["cores"] = "64"
    assert refusal() == f"scripts/readme: {file} cannot extend the reference: cores was 2, is 64\n"
    document["context"]["suite"]["complete"] = False
    assert refusal() == f"scripts/readme: {file} is incomplete: a reference is a whole run\n"


def test_an_interrupted_run_does_not_become_the_reference(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = synthetic.document(keep=few)
    document["context"]["suite"]["complete"] = False
    write_json(tmp_path / "part.json", document)
    before = contents(root)
    assert command.main(["--refresh", str(tmp_path / "part.json")], root) == 2
    answer = capsys.readouterr()
    assert answer.err == f"scripts/readme: {tmp_path / 'part.json'} is incomplete: a reference is a whole run\n"
    assert contents(root) == before


def test_an_edited_block_is_stale_and_the_rest_is_not(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = root / "README.md"
    file.write_text(file.read_text().replace("claims about", "claims on", 1).replace("Between.", "Beside."))
    assert check(root, capsys) == (1, ["README.md (block claim counts)"])


def test_missing_changed_and_left_over_figures_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / docs.FIGURES
    (folder / "churn.svg").unlink()
    shutil.copy(folder / "scoped.svg", folder / "retired.svg")
    changed = folder / "scoped.svg"
    changed.write_bytes(changed.read_bytes().replace(b"<text ", b"<text class='edited' ", 1))
    stale = [f"{docs.FIGURES / name}" for name in ("churn.svg (missing)", "scoped.svg (differs)")]
    assert check(root, capsys) == (1, [*stale, f"{docs.FIGURES / 'retired.svg'} (no chart draws it)"])
    assert command.main([], root) == 0
    assert not (folder / "retired.svg").exists()
    assert check(root, capsys) == (0, [])


def test_another_drawing_library_may_place_letters_differently_but_not_change_the_text(root: Path) -> None:
    figure = (root / docs.FIGURES / "churn.svg").read_bytes()
    elsewhere = figure.replace(b"Matplotlib ", b"Matplotlib 99.").replace(b"<text ", b"<text  ", 1)
    assert docs.same_figure(figure, elsewhere)
    assert not docs.same_figure(figure, elsewhere.replace(b"<dc:description>", b"<dc:description>Else. "))
    assert not docs.same_figure(figure, figure.replace(b"<text ", b"<text  ", 1))


def test_every_block_can_be_generated(root: Path) -> None:
    names = ("hero", "claims", "claim counts", "terminal", "findings", "machine", "families", "numbers", "chapter contention")
    (root / "README.md").write_text("".join(BLOCK.format(name) for name in names))
    assert command.main([], root) == 0
    text = (root / "README.md").read_text()
    assert "Measured on 2026-01-02: 1 package, 2 cores" in text and "glibc 0.10.2" in text
    assert "| allocation | [`churn`](docs/allocation.md#churn) | What does churn ask? |" in text
    for row in numbers.rows(read_run(root / docs.REFERENCE_RUN)):
        cells = f"| {row.kind} | {row.words} | {row.text} | {row.interval} | {row.human} | [`{row.benchmark}`](docs/"
        assert cells in text
    assert "### private" in text and 'src="results/reference/figures/private.svg"' in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BLOCK.format("nonsense"), "generated block 'nonsense' is unknown; accepted: hero"),
        ("<!-- generated: hero -->\nno end", "has no <!-- end -->"),
    ],
)
def test_unknown_and_unfinished_marks_are_refused(
    text: str, message: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "README.md").write_text(text)
    before = contents(root)
    assert command.main([], root) == 2
    assert message in capsys.readouterr().err
    assert contents(root) == before


def test_a_missing_reference_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check"], tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_markup_in_a_result_file_stays_text(root: Path) -> None:
    document = measured_by_the_present_program(root)
    document["context"]["topology"] = "<script>|`*"
    write_compact(root / docs.REFERENCE_RUN, document)
    (root / "README.md").write_text(BLOCK.format("machine"))
    assert command.main([], root) == 0
    assert "&lt;script&gt;\\|'\\*" in (root / "README.md").read_text()


# ---- was the reference run measured by the present program?


def reference(root: Path, document: Document) -> list[str]:
    """The check's lines about the reference, without the file's name and the brackets."""
    write_compact(root / docs.REFERENCE_RUN, document)
    prefix = f"{docs.REFERENCE_RUN} ("
    lines = docs.outdated(root)
    assert all(line.startswith(prefix) and line.endswith(")") for line in lines)
    return [line.removeprefix(prefix)[:-1] for line in lines]


def test_a_reference_of_another_format_is_stale(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = measured_by_the_present_program(root)
    assert reference(root, document) == []
    document["context"]["format"] = "6"
    assert reference(root, document) == ["has format 6, the present program writes format 7"]
    assert check(root, capsys) == (1, [f"{docs.REFERENCE_RUN} (has format 6, the present program writes format 7)"])
    assert command.main([], root) == 0
    answer = capsys.readouterr()
    assert answer.out.startswith("still stale: ") and "measure a new reference" in answer.err
    del document["context"]["format"]
    assert reference(root, document) == ["has no format, the present program writes format 7"]


@pytest.mark.parametrize("counter", COUNTED_BESIDE)
def test_a_reference_without_a_counter_of_each_benchmark_is_stale(root: Path, counter: str) -> None:
    document = measured_by_the_present_program(root)
    for row in document["benchmarks"]:
        row.pop(counter, None)
    assert reference(root, document) == [f"lacks {counter}, which the present program measures beside every benchmark"]


def test_a_reference_with_other_families_is_stale(root: Path) -> None:
    document = measured_by_the_present_program(root)
    (root / "benchmarks" / "chapter" / "churn.cpp").rename(root / "benchmarks" / "chapter" / "churned.cpp")
    (root / "benchmarks" / "harness").mkdir()
    (root / "benchmarks" / "harness" / "main.cpp").touch()
    assert reference(root, document) == [
        "lacks the family churned", "has the family churn, which the present program lacks"
    ]  # fmt: skip


def test_a_missing_format_in_the_sources_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / docs.PROGRAM).write_text("project(x)\n")
    assert command.main(["--check"], root) == 2
    assert capsys.readouterr().err == "scripts/readme: CMakeLists.txt does not set STACKHEAP_FORMAT to a number\n"


# ---- this project's own


def test_this_projects_own_readme_is_fresh() -> None:
    assert docs.stale(ROOT, docs.make(ROOT)) == []


def test_this_projects_own_reference_was_measured_by_the_present_program() -> None:
    assert docs.outdated(ROOT) == []
