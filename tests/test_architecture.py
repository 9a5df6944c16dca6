"""Who may know whom, and what starting up loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "shapeprof"
HEAVY = {"numpy", "cv2", "pandas", "torch", "numba", "pyarrow", "skimage", "PIL", "rich.console"}

# room -> rooms of shapeprof it may import, lazily and for types too. The ground is everyone's.
MAY_KNOW = {
    "cli": {"jit", "scan", "sources", "profile", "recommend", "rules", "export", "report", "metrics"},
    "scan": {"jit", "metrics", "profile", "sources"},
    "profile": {"jit", "metrics"},
    "rules": {"profile", "design"},
    "recommend": {"rules", "profile", "design"},
    "design": set(),
    "export": {"design", "metrics", "profile", "recommend", "scan", "sources", "targets"},
    "targets": {"design"},
    "report": {"export", "metrics", "profile", "recommend"},
    "sources": {"jit"},
    "metrics": {"jit"},
    "jit": set(),
    "nn": set(),
    "__init__": {"design", "export", "profile", "recommend", "scan", "sources"},
}
GROUND = {"cache", "errors", "grouping", "issues", "labelmap", "runmap", "version"}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if "assets" not in p.parts)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[tuple[str, bool]]:
    """(module, at module level) of everything a file imports, relative names resolved, TYPE_CHECKING left out."""
    tree = ast.parse(path.read_text())
    package = ("shapeprof", *path.relative_to(PACKAGE).parts[:-1])
    found: set[tuple[str, bool]] = set()

    def visit(node: ast.AST, top: bool) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update((a.name, top) for a in node.names)
        if isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(p for p in (base, node.module or "") if p)
            if module == "shapeprof":
                found.update((f"shapeprof.{a.name}", top) for a in node.names)
            else:
                found.add((module, top))
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, top and not inside)

    visit(tree, True)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_rooms_know_only_their_neighbours(path: Path) -> None:
    here = room(path)
    known = {m.split(".")[1] for m, _ in imports(path) if m.startswith("shapeprof.")}
    assert known <= MAY_KNOW.get(here, set()) | GROUND | {here}


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
    assert not loaded_by(statement) & (HEAVY if "emitters" not in statement else HEAVY - {"rich.console"})


@pytest.mark.parametrize("arguments", ["['--help']", "['scan', '--help']", "['--version']"])
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
