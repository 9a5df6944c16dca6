"""Who may know whom, and what starting up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "shapeprof"
HEAVY = {"numpy", "cv2", "pandas", "torch", "numba", "pyarrow", "skimage", "PIL", "rich.console"}

# room -> rooms of shapeprof it may import, lazily and for types too. The ground is everyone's.
MAY_KNOW = {
    "cli": {*("session", "scan", "sources", "recommend", "export", "report", "targets")},
    "session": {"jit", "export", "profile", "recommend", "rules", "scan", "sources"},
    "scan": {"metrics", "profile", "sources"},
    "profile": {"jit", "metrics"},
    "rules": {"profile", "design"},
    "recommend": {"rules", "profile", "design"},
    "design": set(),
    "export": {"design", "metrics", "profile", "recommend", "sources", "targets"},
    "targets": {"design"},
    "findings": {"metrics", "profile", "recommend"},
    "report": {"design", "export", "findings", "metrics", "profile", "recommend", "rules"},
    "sources": {"jit"},
    "sources/names": set(),
    "sources/formats": {"jit"},
    "sources/listing": {"sources/formats", "sources/names"},
    "sources/annotations": {"sources/formats", "sources/listing", "sources/names"},
    "sources/values": {"sources/formats", "sources/names"},
    "sources/layouts": {"sources/formats", "sources/listing", "sources/names", "sources/values"},
    "sources/reading": {
        *("jit", "sources/annotations", "sources/formats", "sources/layouts", "sources/run_length", "sources/values")
    },
    "metrics": {"jit"},
    "jit": set(),
    "nn": set(),
    "__init__": {"design", "export", "profile", "recommend", "scan", "sources"},
}
GROUND = {
    *("cache", "errors", "grouping", "issues", "labelmap", "limits", "options", "progress", "runmap", "sampling"),
    *("version", "wording", "writing"),
}
# The ground inside of sources/: everyone's there. Its other files (find, pairing, detection, ...) may know every room.
SOURCES_GROUND = {f"sources/{name}" for name in ("class_files", "encoding", "maskset")}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if "assets" not in p.parts)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sub_room(path: Path) -> str:
    """``sources/formats`` of a file in that folder; else its room."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "/".join(parts[:2]) if parts[0] == "sources" else parts[0]


def imports(path: Path, *, types: bool = False, names: bool = False) -> set[tuple[str, bool]]:
    """(module, at module level) of everything a file imports, relative names resolved.

    ``types``: also what is imported for types only (TYPE_CHECKING). ``names``: also every imported name as if it were a
    module, as ``from package import module`` may import one.
    """
    tree = ast.parse(path.read_text())
    package = ("shapeprof", *path.relative_to(PACKAGE).parts[:-1])
    found: set[tuple[str, bool]] = set()

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types:
            return
        if isinstance(node, ast.Import):
            found.update((a.name, top) for a in node.names)
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(p for p in (base, node.module or "") if p)
            if module == "shapeprof" or names:
                found.update((f"{module}.{a.name}", top) for a in node.names)
            else:
                found.add((module, top))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, top and not inside)

    visit(tree, True)
    return found


def edges(files: list[Path]) -> dict[Path, set[Path]]:
    """File to the files that it imports: when it is loaded, inside of functions, and for types only.

    A package's ``__init__`` counts where names are taken from it, not where it is only passed through.
    """
    by_module: dict[str, Path] = {}
    for path in files:
        parts = ("shapeprof", *path.relative_to(PACKAGE).with_suffix("").parts)
        by_module[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    graph: dict[Path, set[Path]] = {}
    for path in files:
        named = {module for module, _ in imports(path, types=True, names=True)}
        found = {by_module.get(m) or by_module.get(m.rpartition(".")[0]) for m in named}
        graph[path] = {other for other in found if other is not None and other != path}
    return graph


@cache
def all_edges() -> dict[Path, set[Path]]:
    """``edges`` of the whole package."""
    return edges(FILES)


def circles(graph: dict[Path, set[Path]]) -> list[set[Path]]:
    """The sets of files that reach each other (strongly connected components of two files or more)."""

    def reached(start: Path) -> set[Path]:
        seen: set[Path] = set()
        waiting = list(graph[start])
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen.add(path)
                waiting += graph.get(path, set())
        return seen

    reach = {path: reached(path) for path in graph}
    found = {frozenset(p for p in reach[path] if path in reach[p]) for path in graph if path in reach[path]}
    return [set(circle) for circle in found]


def test_the_circle_finder_sees_circles_of_any_length() -> None:
    a, b, c, d = (Path(name) for name in "abcd")
    assert circles({a: {b}, b: {c}, c: set(), d: {a}}) == []
    assert circles({a: {b}, b: {c}, c: {a}, d: {a}}) == [{a, b, c}]


@pytest.mark.slow
@pytest.mark.parametrize("room", ["sources", ""])  # "" is the whole package
def test_no_file_imports_itself_by_way_of_others(room: str) -> None:
    files = {path for path in FILES if path.is_relative_to(PACKAGE / room)}
    assert len(files) > 1
    graph = {path: all_edges()[path] & files for path in files}
    assert [sorted(p.relative_to(PACKAGE).as_posix() for p in circle) for circle in circles(graph)] == []


@pytest.mark.parametrize("name", sorted(name for name in MAY_KNOW if name.startswith("sources/")))
def test_rooms_inside_of_sources_know_only_their_neighbours(name: str) -> None:
    files = [path for path in FILES if sub_room(path) == name]
    assert files
    known = {sub_room(other) for path in files for other in all_edges()[path]}
    assert known <= MAY_KNOW[name] | GROUND | SOURCES_GROUND | {name}


def test_the_ground_of_sources_knows_no_room() -> None:
    for path in FILES:
        if sub_room(path) in SOURCES_GROUND:
            assert {sub_room(other) for other in all_edges()[path]} <= GROUND | SOURCES_GROUND, path


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_rooms_know_only_their_neighbours(path: Path) -> None:
    here = room(path)
    known = {m.split(".")[1] for m, _ in imports(path) if m.startswith("shapeprof.")}
    assert known <= MAY_KNOW.get(here, set()) | GROUND | {here}


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_outside_libraries_stay_in_their_rooms(path: Path) -> None:
    here = room(path)
    outside = {m.split(".")[0] for m, _ in imports(path)}
    assert ("torch" in outside) <= (here == "nn")
    assert ("rich" in outside) <= (here in {"cli", "report"})
    assert ("typer" in outside) <= (here == "cli")
    assert ("PIL" in outside) <= (here in {"sources", "nn"})


def test_only_the_command_line_exits_or_prints() -> None:
    for path in FILES:
        if room(path) in {"cli", "nn"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in {"print", "exit", "sys.exit", "input"}, path


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(m for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import shapeprof", "import shapeprof.cli", "import shapeprof.targets.pytorch"])
def test_starting_up_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_by(statement) & (HEAVY if "targets" not in statement else HEAVY - {"rich.console"})


@pytest.mark.parametrize("arguments", ["['--help']", "['scan', '--help']", "['export', '--help']", "['--version']"])
def test_help_loads_nothing_heavy(arguments: str) -> None:
    statement = f"sys.argv[1:] = {arguments}\nimport contextlib, io\nfrom shapeprof.cli import main\n"
    statement += "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()\n"
    code = f"import sys\n{statement}print(' '.join(m for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & (HEAVY - {"rich.console"})


def test_the_public_names_exist() -> None:
    import shapeprof

    for name in shapeprof.__all__:
        assert getattr(shapeprof, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        shapeprof.nonsense  # noqa: B018
