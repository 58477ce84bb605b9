"""Which text may harm its reader, where can it stand in what the suite reads, and what must not come out?

The fields are those of the documents themselves: a new fact of the program, a new field of a record or a new column of a
history is hostile here without being named.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from suite.base.errors import BadInput
from suite.base.text import printable
from suite.gate.pairs_file import Calibration, Pair, RecordedPairs, Side, write_calibration, write_pairs
from suite.history import store
from suite.results.model import Sample
from suite.results.read import read_run
from suite.results.recording import profile_in
from support import ROOT, synthetic

Path_ = tuple[str, ...]  # of a field; every index of a list is *

# By what it would do. Together they are TEXT.
TEXTS: Mapping[str, str] = {
    "control": "\x1b[2J\x9b31m\x07\x00\x7f\r\x1b]8;;http://evil\x1b\\\x1b]52;c;eA==\x07",
    "direction": "\u202e\u2066\u200f\u061c",
    "unseen": "\u200b\u2028\u2029\ufeff\ufe0f\u3164\U000e0041\ufffe\uffff",
    "half a pair": "\ud800",
    "marks": "z" + "\u0301" * 20,
    "log": "\n::error::evil\n##[error]evil%0A::set-output name=evil::x",
    "HTML": "\"'><!--evil--></script></title><evil evil=1>\" evil=1 x=\"javascript:evil &amp;",
    "Markdown": "|`[evil](javascript:evil) ![evil](x) @evil #1 **<evil>|",
    "rich": "[bold]evil[link=http://evil][/nope]:smile:",
    "formula": "=1+1",
    "TeX": "$\\frac{_^%{evil}$",
    "XML": "]]>&#0;",
}  # fmt: skip
TEXT = "".join(reversed(TEXTS.values()))  # begins with what has a meaning at the beginning
SHORT = "=\x1b[2J\u202e\u200b\n::a::<evil evil=1>[bold]$\\"  # for the names of files: most systems take 255 bytes


# ---- what the suite reads


@cache
def _run() -> str:
    """A small run with every fact that the program tells, a failed and a skipped benchmark, and a user's program."""
    chosen = re.compile(r"scoped/(none|glibc|stack_array)/bytes:64/touch:first|overhead/glibc/bytes:64|program/")
    document = synthetic.document(mallocs=2, processes=2, keep=lambda name: chosen.match(name) is not None)
    told = (ROOT / "benchmarks" / "harness" / "context.cpp").read_text()
    facts = dict.fromkeys(re.findall(r'add\("(\w+)"', told), "1")
    document["context"] = {**facts, "executable": "stackheap", "library_build_type": "release", **document["context"]}
    document["context"]["cpu_model"] = "AMD EPYC 9R14"
    account = document["context"]["suite"]
    account["failed"] = [{"family": "scoped", "process": 0, "reason": "scoped/glibc/bytes:8: it failed"}]
    account["about"]["machine"] = [{"name": "load", "state": "good", "value": "0", "effect": "", "remedy": ""}]
    account["units"][0].update(disturbed=True, reasons=["others took the processor"])
    for facts in document["context"]["program"]["mallocs"].values():
        facts.update(file="/lib/libc.so.6", version="2.36")
    row = next(row for row in document["benchmarks"] if row["name"].startswith("scoped/glibc"))
    for name, words in {"failed": {"error_occurred": True, "error_message": "it failed"},
                        "skipped": {"skipped": True, "skip_message": "it was skipped"}}.items():  # fmt: skip
        document["benchmarks"].append({**row, "name": f"scoped/{name}", "run_name": f"scoped/{name}", **words, "real_time": 0.0})
    return json.dumps(document)


def sound_run() -> Any:
    return json.loads(_run())


def texts_in(document: Any, place: Path_ = ()) -> Iterator[Path_]:
    """Where texts stand."""
    if isinstance(document, str):
        yield place
    pairs = document.items() if isinstance(document, dict) else (("*", value) for value in document) if isinstance(document, list) else ()
    for key, value in pairs:
        yield from texts_in(value, (*place, key))


def with_text(document: Any, text: str, is_wanted: Callable[[Path_], bool], place: Path_ = ()) -> Any:
    """The document with the text before and after each text at such a place."""
    if isinstance(document, str):
        return f"{text}{document}{text}" if is_wanted(place) else document
    if isinstance(document, dict):
        return {key: with_text(value, text, is_wanted, (*place, key)) for key, value in document.items()}
    if isinstance(document, list):
        return [with_text(value, text, is_wanted, (*place, "*")) for value in document]
    return document


def with_keys(document: Any, text: str) -> Any:
    """The document with a field of this name in every object: a number or text, as its last field is."""
    if isinstance(document, dict):
        inner = {key: with_keys(value, text) for key, value in document.items()}
        return inner | {text: text if isinstance(value, (dict, list)) else value for value in [*inner.values()][-1:]}
    return [with_keys(value, text) for value in document] if isinstance(document, list) else document


def with_names(document: Any, text: str) -> Any:
    """The document in which a malloc, and so its benchmarks, have the text in their names."""
    inside = json.dumps(text)[1:-1]
    return json.loads(re.sub(r'(?<=[/.])glibc(?=[/"])|"glibc"(?=: )', lambda name: name[0].replace("glibc", f"glibc{inside}"), json.dumps(document)))


@cache
def places_of_run() -> tuple[Path_, ...]:
    return tuple(dict.fromkeys(texts_in(sound_run())))


def write_run(file: Path, document: Any) -> Path:
    file.write_text(json.dumps(document))
    return file


@cache
def refused_alone(folder: Path) -> frozenset[Path_]:
    """The places at which any text but the right one makes the file damaged: a date, a unit, the time's unit."""
    refused = set()
    for place in places_of_run():
        file = write_run(folder / "tried.json", with_text(sound_run(), "?", place.__eq__))
        try:
            store.prepare(file)
            profile_in(read_run(file))
        except BadInput:
            refused.add(place)
    return frozenset(refused)


def hostile_run(folder: Path, text: str, but: Callable[[Path_], bool] = lambda place: False) -> Any:
    """A run that is read, in which every other text, a field of every object and a malloc's name is hostile."""
    refused = refused_alone(folder)
    document = with_text(sound_run(), text, lambda place: place not in refused and not but(place))
    return with_names(with_keys(document, text), text)


def write_hostile_pairs(file: Path, text: str) -> Path:
    """A file of pairs, in which every text is hostile."""
    pairs = tuple(Pair(Sample(place, 10.0, {}), Sample(place, 15.0 + place / 100, {}), True) for place in range(40))
    facts = {"cpu_model": "EPYC", "compiler": "GNU"}
    recorded = RecordedPairs(Side("old", facts), Side("new", facts), 1, {f"scoped/{text}/bytes:64": pairs, "scoped/b": pairs},
                             {"L1": pairs}, ("a problem",), ("a warning",), planned=20)  # fmt: skip
    write_pairs(file, recorded)
    document = json.loads(file.read_text())
    return write_run(file, with_text(with_keys({**document, "pairs": {}, "controls": {}}, text), text, lambda place: True)
                     | {key: document[key] for key in ("pairs", "controls")})  # fmt: skip


def write_hostile_floors(file: Path, text: str) -> Path:
    write_calibration(file, Calibration({text: 0.01, "scoped/b": 0.02}, 1, 2, None, 3))
    return file


@cache
def _evaluation() -> str:
    with gzip.open(ROOT / "results/evaluation/recording.json.gz") as recorded:
        document = json.load(recorded)
    document["turns"] = {condition: turns[:1] for condition, turns in document["turns"].items()}
    return json.dumps(document)


def write_hostile_evaluation(file: Path, text: str) -> Path:
    return write_run(file, with_text(json.loads(_evaluation()), text, lambda place: True))


def write_hostile_history(file: Path, run: Any, text: str, runs: int) -> Path:
    """A history of hostile runs, whose columns are then hostile as well. A column that is refused with any text stays."""
    with store.opened(file, to_write=True) as record:
        for number in range(runs):
            run["context"]["date"] = f"2026-01-{number + 2:02}T03:04:05+00:00"
            for row in run["benchmarks"] if number == runs - 8 else ():  # worse from then on
                row["real_time"] *= 1.5
            record.add(store.prepare(write_run(file.with_suffix(".json"), run)), f"c{number}")
        for reason in ("first", "second"):
            record.annotate(store.Annotation(1, None, None, "", True, reason))
            record.annotate(store.Annotation(None, "c1", None, "scoped", False, reason))
            record.annotate(store.Annotation(None, None, "2026-01-02", "", False, reason))
    for table, column in _text_columns(file):
        before = file.read_bytes()
        _make_hostile(file, table, column, text)
        try:
            with store.opened(file) as record:
                alike = record.like(None)
                if len(alike) < runs:
                    raise BadInput("the runs are no longer alike")
                record.table(alike), record.samples(alike[-1]), record.annotations(), record.machine(alike[0].machine)
        except BadInput:
            file.write_bytes(before)
    return file


def _text_columns(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as base:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, column[1]) for table in tables for column in base.execute(f"PRAGMA table_info({table})")
                if column[2] in ("TEXT", "BLOB")]  # fmt: skip


def _make_hostile(file: Path, table: str, column: str, text: str) -> None:
    with closing(sqlite3.connect(file)) as base:
        base.text_factory = lambda content: content.decode(errors="surrogateescape")
        for row, value in base.execute(f"SELECT id, {column} FROM {table}").fetchall():
            written = _hostile_cell(value, text)
            if written is not None:
                base.execute(f"UPDATE OR IGNORE {table} SET {column} = CAST(? AS TEXT) WHERE id = ?"
                             if isinstance(written, bytes) and isinstance(value, str) else
                             f"UPDATE OR IGNORE {table} SET {column} = ? WHERE id = ?", (written, row))  # fmt: skip
                if isinstance(value, bytes) and table == "layout":
                    base.execute("UPDATE layout SET digest = ? WHERE id = ?", (hashlib.sha256(zlib.decompress(written)).hexdigest(), row))
        base.commit()


def _hostile_cell(value: object, text: str) -> bytes | None:
    """The value with the text, also inside JSON, packed or not; None where it is not a text."""
    if isinstance(value, bytes):
        try:
            document = json.loads(zlib.decompress(value))
        except (ValueError, zlib.error):
            return None
        inside = with_text(document, text, lambda place: place[:1] == ("*",) and len(place) == 2)
        return zlib.compress(json.dumps(inside, separators=(",", ":")).encode())
    if not isinstance(value, str):
        return None
    if value.startswith("{"):
        return json.dumps(with_keys(with_text(json.loads(value), text, lambda place: True), text)).encode()
    return f"{text}{value}{text}".encode(errors="replace")


# ---- what must not come out


def check_terminal(text: str) -> None:
    assert printable(text, kept="\n\u00a0") == text
    assert not re.search(r"(?m)^\s*::|##\w*\[", text)


def check_seen(document: Any) -> None:
    """No text of a document has a letter that nobody sees."""
    for text in (document, *document) if isinstance(document, dict) else (document,):
        assert not isinstance(text, str) or printable(text, kept="\u00a0") == text
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        check_seen(value)


def check_json(text: str) -> None:
    check_seen(json.loads(text))


def check_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text)))
    assert len({len(row) for row in rows}) == 1 and len(rows) > 1
    for cell in (cell for row in rows for cell in row):
        check_seen(cell)
        assert not re.match(r"\s*[=+@-]", cell) or re.fullmatch(r"-?[0-9.]+(e[+-]?[0-9]+)?", cell)


def check_markdown(text: str) -> None:
    check_terminal(re.sub(r"(?m)^\s*::|##\w*\[", "", text))
    assert not re.search(r"<evil|<!--evil|(?<!\\)\]\(javascript|!\[evil|(?<!\w)@evil", text)
    tables = re.findall(r"(?m)(?:^\|.*\n?)+", text)
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)


def check_xml(content: str | bytes) -> None:
    """Also SVG."""
    for element in ElementTree.fromstring(content).iter():
        check_seen([(element.text or "").replace("\n", ""), *element.attrib.values()])  # a message may have lines
        assert "evil" not in element.tag and not any("evil" in name for name in element.attrib)
        assert not any(value.strip().startswith("javascript") for value in element.attrib.values())


class _Page(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        check_seen([value for _, value in attrs])
        assert "evil" not in tag and not any("evil" in name for name, _ in attrs), (tag, attrs)
        assert not any((value or "").strip().startswith("javascript") for _, value in attrs)

    def handle_comment(self, data: str) -> None:
        assert "evil" not in data

    def handle_data(self, data: str) -> None:
        assert printable(data, kept="\n\u00a0") == data


def check_html(text: str) -> None:
    page = _Page()
    page.feed(text)
    page.close()


def check_png(content: bytes) -> None:
    """The texts beside the picture, which programs show."""
    at, texts = 8, []
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        if content[at + 4 : at + 8] in (b"tEXt", b"iTXt"):
            texts.append(content[at + 8 : at + 8 + length].replace(b"\0", b"").decode("utf-8", "replace"))
        at += length + 12
    assert texts
    check_seen(texts)


def check_pdf(content: bytes) -> None:
    titles = re.findall(rb"/(?:Title|Subject) \((.*?)(?<!\\)\)", content, re.DOTALL)
    assert titles
    for title in titles:
        plain = re.sub(rb"\\([()\\])", rb"\1", title)
        check_seen(plain.decode("utf-16") if plain.startswith(b"\xfe\xff") else plain.decode("latin-1"))


CHECKS: Mapping[str, Callable[[Any], None]] = {
    "text": check_terminal, "json": check_json, "csv": check_csv, "md": check_markdown, "xml": check_xml, "svg": check_xml,
    "html": check_html,
}  # fmt: skip
CHECKS_OF_BYTES: Mapping[str, Callable[[bytes], None]] = {"png": check_png, "pdf": check_pdf}


def check_file(file: Path) -> None:
    kind = file.suffix[1:]
    if kind in CHECKS_OF_BYTES:
        CHECKS_OF_BYTES[kind](file.read_bytes())
    elif kind in CHECKS:
        CHECKS[kind](file.read_text(encoding="utf-8"))
    else:
        raise AssertionError(f"{file} is written, and no check knows its kind")
