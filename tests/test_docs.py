"""Generated pages equal what the code says, and the documents name only what exists."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

from shapeprof.cli import app
from shapeprof.rules.rule import all_rules
from shapeprof.sources.annotations import format as annotation_formats
from shapeprof.sources.formats import format as mask_formats

ROOT = Path(__file__).parent.parent


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["formats.md", "rules.md", "metrics.md", "spec.schema.json"])
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == generator().pages()[name], (
        "run: python docs/generate.py"
    )


def test_the_readme_names_every_command_and_only_options_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {o for c in commands.values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    for name in commands:
        assert f"shapeprof {name}" in readme
    used = re.findall(r"shapeprof [a-z]+[^\n`]*", readme)
    for option in {o for line in used for o in re.findall(r"(?<![\w-])--[a-z-]+", line)}:
        assert option in options | {"--help"}, option


def test_every_rule_and_relative_link_in_the_documents_exists() -> None:
    codes = {r.code for r in all_rules()}
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "benchmarks/README.md",
        *(ROOT / "docs").glob("*.md"),
    ]:
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"\b[RT]\d+\b", text)) <= codes, page
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_row_of_the_formats_names_a_test_that_exists() -> None:
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    rows = [
        line
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith(("|---", "| format", "| layout", "| how it is"))
    ]
    assert len(rows) > 40
    for row in rows:
        file = ""
        named = re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", row)
        assert named, row
        for path, test in named:
            file = path or file
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), (file, test)


@pytest.mark.parametrize(
    ("formats", "heading"),
    [(mask_formats.all_formats, "| how it is stored |"), (annotation_formats.all_formats, "| format or layout |")],
)
def test_every_format_has_a_row_that_names_its_test(formats: Callable[[], tuple[Any, ...]], heading: str) -> None:
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    table = text[text.index(heading) :].split("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert not [f.title for f in formats() if not any(f.title in cell for cell in first)], (
        "add a row to docs/formats.md"
    )


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    """Paths are from the root, from shapeprof/ or from the folder of the file's room."""
    for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|toml|md))`", page.read_text(encoding="utf-8")):
        places = [ROOT, ROOT / "shapeprof", ROOT / "shapeprof/sources", ROOT / "shapeprof/metrics"]
        assert any((place / name).exists() for place in places), name


def test_contributing_names_every_registry() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for word in (
        "@metric(",
        "@rule(",
        "register(Format(",
        "register(AnnotationFormat(",
        "@finding(",
        "@target(",
        "option(",
    ):
        assert word in text
