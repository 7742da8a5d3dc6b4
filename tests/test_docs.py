"""The Python blocks of the README and of docs/ run, print what the page says they print, and tables are complete."""

import contextlib
import gc
import io
import itertools
import re
from pathlib import Path
from typing import NamedTuple

import jax
import matplotlib
import pytest

import jaxsnn as snn
from jaxsnn.equations.functions import FUNCTIONS, INTERNAL
from jaxsnn.equations.grammar import FLAGS
from jaxsnn.events import EXECUTIONS
from jaxsnn.fit import BIJECTIONS, LOSSES, METHODS
from jaxsnn.integrators import INTEGRATORS
from jaxsnn.plasticity import RULES

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def precision_of_the_suite():
    """A page may switch to 64 bits; the next one begins as every script does."""
    before = jax.config.jax_enable_x64
    yield
    jax.config.update("jax_enable_x64", before)


class Block(NamedTuple):
    """A fenced Python block, where it begins, and the `text` block right below it: what it prints."""

    code: str
    line: int
    printed: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    fences = list(FENCE.finditer(text))
    found = []
    for fence, after in itertools.zip_longest(fences, fences[1:]):
        if fence["language"] != "python":
            continue
        directly = after is not None and not text[fence.end() : after.start()].strip()
        printed = after["text"] if after is not None and directly and after["language"] == "text" else None
        found.append(Block(fence["text"], text.count("\n", 0, fence.start()) + 2, printed))
    return found


def first_column(page: str, heading: str) -> list[str]:
    """What stands in backquotes in the first column of the table below a heading."""
    section = (ROOT / "docs" / page).read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]*)`", row.split("|")[1])]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_python_blocks_run_and_print_what_the_page_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    gc.collect()  # names of objects of another page are free again
    snn.seed(1)
    namespace: dict[str, object] = {"__name__": page.stem}
    for code, line, printed in blocks(page):
        out = io.StringIO()
        # Empty lines in front, so that a traceback names the line of the page.
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)
        if printed is not None:
            assert out.getvalue().strip() == printed.strip(), f"{page.name}, line {line}"


def test_every_page_is_in_the_menu_and_every_link_leads_somewhere():
    menu = set(re.findall(r"(\w+\.md)", (ROOT / "mkdocs.yml").read_text()))
    assert menu == {page.name for page in PAGES[1:]}
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_table_of_functions_is_the_one_of_the_code():
    page = (ROOT / "docs" / "equations.md").read_text()
    documented = first_column("equations.md", "Functions")
    assert sorted(name.partition("(")[0] for name in documented) == sorted(set(FUNCTIONS) - INTERNAL)
    for name, row in FUNCTIONS.items():
        if name not in INTERNAL:
            assert row.meaning.partition(": ")[2] in page or row.meaning in page, f"{name}: {row.meaning}"


def test_table_of_flags_is_the_one_of_the_code():
    assert sorted(first_column("equations.md", "Flags")) == sorted(frozenset().union(*FLAGS.values()))


def test_table_of_executions_is_the_one_of_the_code():
    assert sorted(first_column("synapses_and_delays.md", "How spikes are delivered")) == sorted(EXECUTIONS)


@pytest.mark.parametrize(
    "heading, table", [("Bounds", BIJECTIONS), ("Losses", LOSSES), ("Methods", METHODS)], ids=lambda x: str(x)[:8]
)
def test_tables_of_fitting_are_those_of_the_code(heading, table):
    names = {name.partition("(")[0] for name in first_column("fitting.md", heading)}
    assert names == set(table)
    if heading == "Losses":
        page = (ROOT / "docs" / "fitting.md").read_text()
        assert all(f"https://doi.org/{row.source.doi}" in page for row in table.values())


def test_the_changelog_counts_what_there_is():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert f"{len(set(FUNCTIONS) - INTERNAL)} functions" in text
    assert f"{len(RULES)} rules" in text
    assert f"{len(LOSSES)} losses" in text


def test_every_example_is_in_the_readme():
    listed = re.findall(r"^\| \[(\w+\.py)\]", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def test_table_of_schemes_is_the_one_of_the_code():
    assert sorted(first_column("integration.md", "Schemes")) == sorted(set(INTEGRATORS) - {"linear"})
