"""Which commit made a malloc slower? Makes a small malloc with a history, and carries out docs/bisect.md on it.

As a program it writes what this printed into the page: bisection.py PROGRAM, with a stackheap built for release.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from suite.base.blocks import BLOCK, OPENING

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "bisect.md"
BLOCK_NAME = "bisection"

MAKEFILE = """\
libmine.so: mine.c
	cc -O2 -fno-builtin -fPIC -shared -Wl,-Bsymbolic -o $@ $<
"""

MALLOC = """\
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { classes = 44, smallest = 32, chunk_bytes = 65536 };

struct block { struct block* next; };
struct header { size_t class; struct block* block; };

static _Thread_local struct block* lists[classes];
static _Thread_local char* chunk;
static _Thread_local size_t left;

static struct block* fresh(size_t bytes) {
  if (left < bytes) {
    const size_t more = bytes > chunk_bytes ? bytes : chunk_bytes;
    char* const taken = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (taken == MAP_FAILED) return NULL;
    chunk = taken;
    left = more;
  }
  struct block* const block = (struct block*)chunk;
  chunk += bytes;
  left -= bytes;
  return block;
}

static void* allocate(size_t size, size_t alignment) {
  const size_t bytes = size + sizeof(struct header) + alignment;
  if (bytes < size) return NULL;
  size_t class = 0;
  while ((size_t)smallest << class < bytes) ++class;
  struct block* const block = lists[class] ? lists[class] : fresh((size_t)smallest << class);
  if (block == NULL) return NULL;
  if (block == lists[class]) lists[class] = block->next;
  const uintptr_t start = (uintptr_t)block + sizeof(struct header);
  struct header* const memory = (struct header*)((start + alignment - 1) & ~(uintptr_t)(alignment - 1));
  memory[-1] = (struct header){class, block};
  return memory;
}

void* malloc(size_t size) { return allocate(size, 16); }

void free(void* memory) {
  if (memory == NULL) return;
  const struct header header = ((struct header*)memory)[-1];
  header.block->next = lists[header.class];
  lists[header.class] = header.block;
}

void* calloc(size_t count, size_t size) {
  if (size && count > SIZE_MAX / 2 / size) return NULL;
  void* const memory = malloc(count * size);
  return memory ? memset(memory, 0, count * size) : NULL;
}

size_t malloc_usable_size(void* memory) {
  const struct header* const header = (struct header*)memory - 1;
  return ((size_t)smallest << header->class) - ((size_t)memory - (size_t)header->block);
}

void* realloc(void* memory, size_t size) {
  void* const larger = malloc(size);
  if (memory == NULL || larger == NULL) return larger;
  const size_t usable = malloc_usable_size(memory);
  memcpy(larger, memory, usable < size ? usable : size);
  free(memory);
  return larger;
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = allocate(size, alignment < 16 ? 16 : alignment);
  return *memory ? 0 : ENOMEM;
}
"""

CULPRIT = "Fill freed blocks, to find uses after free"
# What each commit after v1.0 replaces in the malloc, and by what.
COMMITS = {
    "Take larger chunks": ("chunk_bytes = 65536", "chunk_bytes = 1 << 20"),
    "Say what a header is": ("struct header {", "// Before the memory that malloc returned.\nstruct header {"),
    "Let realloc keep a block that is large enough": (
        "  void* const larger",
        "  if (memory && size <= malloc_usable_size(memory)) return memory;\n  void* const larger",
    ),
    "Begin to count blocks": ("static void* allocate", "static size_t count(void)\n\nstatic void* allocate"),
    "Count no blocks after all": ("static size_t count(void)\n\n", ""),
    "Set errno": ("MAP_FAILED) return NULL;", "MAP_FAILED) {\n      errno = ENOMEM;\n      return NULL;\n    }"),
    CULPRIT: (
        "  header.block->next =",
        "  memset(header.block, 0xdd, (size_t)smallest << header.class);\n  header.block->next =",
    ),
    "Say who may free": ("void free(", "// Another thread may free a block: it then keeps the block.\nvoid free("),
}


def make_repository(folder: Path) -> None:
    """A repository of the malloc: v1.0, and a commit for each change."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / ".gitignore").write_text("libmine.so\n")
    text = MALLOC
    commit(folder, text, "A malloc with a free list for each size")
    git(folder, "tag", "v1.0")
    for subject, (before, after) in COMMITS.items():
        assert text.count(before) == 1, subject
        text = text.replace(before, after)
        commit(folder, text, subject)


def commit(folder: Path, malloc: str, subject: str) -> None:
    (folder / "mine.c").write_text(malloc)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", subject)


def git(folder: Path, *arguments: str) -> str:
    """The same commits have the same numbers each time."""
    facts = {"NAME": "A. Author", "EMAIL": "author@example.org", "DATE": "2026-01-01T00:00:00Z"}
    user = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in facts.items()}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **user}).stdout


def scripts_on(page: str) -> tuple[str, list[str]]:
    """The step of the bisection, and the commands of the reader, as the page shows them."""
    step, *commands = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return step, commands


def carry_out(page: str, program: Path, folder: Path) -> str:
    """Does what the page says, in an empty folder, and returns what the bisection printed."""
    step, commands = scripts_on(page)
    make_repository(folder / "malloc")
    (folder / "is_slower").write_text(step)
    (folder / "is_slower").chmod(0o755)
    # This project, with a build that takes no time: of a program that is there.
    shutil.copytree(ROOT / "scripts", folder / "stackheap" / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "CMakePresets.json", folder / "stackheap")
    tools = folder / "tools"
    tools.mkdir()
    (tools / "cmake").write_text(
        f'#!/bin/sh\ncase $1 in\n--preset) mkdir -p "build/$2" && : > "build/$2/build.ninja" ;;\n'
        f'--build) ln -sf "{program}" "$2/stackheap" ;;\nesac\n'
    )
    (tools / "cmake").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C"}
    script = "set -e\n" + "".join(commands)
    ended = subprocess.run(
        ["bash", "-c", script], cwd=folder / "malloc", env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def filled(page: str, printed: str) -> str:
    assert [block["name"] for block in BLOCK.finditer(page)] == [BLOCK_NAME]
    lines = "\n".join(line.rstrip() for line in printed.splitlines())
    return BLOCK.sub(lambda _: f"{OPENING} {BLOCK_NAME} -->\n```text\n{lines}\n```\n<!-- end -->", page)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        text = PAGE.read_text()
        PAGE.write_text(filled(text, carry_out(text, Path(sys.argv[1]).resolve(), Path(place))))
