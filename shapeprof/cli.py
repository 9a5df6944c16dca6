"""The command line. A command parses, calls the library, and renders. Nothing heavy is imported before it is needed.

Exit codes: 0 done, 1 error, 2 usage, 3 nothing measurable or a check failed.
"""

from __future__ import annotations

import errno
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer
from typer.core import TyperCommand

from . import session
from .errors import ShapeprofError, UsageError
from .options import (
    FILES,
    PANELS,
    Declared,
    DesignOptions,
    ExportOptions,
    ImageOptions,
    declared,
    from_typed,
    typed_again,
)
from .progress import Progress
from .scan.options import ScanOptions

if TYPE_CHECKING:
    from rich.console import Console

    from .export.export import Export
    from .recommend.decision import Recommendation

app = typer.Typer(
    help="Measure the shapes in segmentation masks and get the network they ask for, with the reasons.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Masks = Annotated[
    str,
    typer.Argument(
        metavar="MASKS",
        help="Folder of masks or annotations, searched recursively; a list of paths; one annotation file; or a URL.",
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="MASKS|PROFILE", help="Folder of masks, or the profile.json (or folder) of a scan.")
]
EXPLAIN = "Only show which files are read as masks, how, and why."
Explain = Annotated[bool, typer.Option("--explain-input", help=EXPLAIN, rich_help_panel=FILES)]
Details = Annotated[bool, typer.Option("--details", help="Also show every decision with its numbers, and every class.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else there.")]

# Options of a scan that `export` does not offer, to keep its help short: scan first to use them.
SCAN_ONLY = ("sample", "floor", "survival_sample", "survival_best", "thickness", "strict")


# Options --------------------------------------------------------------------------------------


def takes(*kinds: type, but: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that some dataclasses declare, except those named in ``but``.

    The command is called with one value of each dataclass, in order, and its own parameters by name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[len(kinds) :]
        options = [each for kind in kinds for each in declared(kind) if each.flag is not None and each.name not in but]
        options.sort(key=lambda each: PANELS.index(each.option.panel))

        def run(**typed: Any) -> None:
            command(*(from_typed(kind, typed) for kind in kinds), **{each.name: typed[each.name] for each in own})

        parameters = [*(each.replace(kind=each.KEYWORD_ONLY) for each in own), *map(_parameter, options)]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


def _parameter(each: Declared) -> inspect.Parameter:
    """An option as a parameter that typer understands."""
    option = each.option
    kind: Any = each.hint
    default = each.default
    if option.reads is not None:
        kind, default = str | None, None
    elif default == ():
        kind, default = list[str] | None, None
    settings = typer.Option(
        str(each.flag),
        help=option.help,
        rich_help_panel=option.panel,
        metavar=option.metavar,
        min=option.min,
        max=option.max,
        show_default=option.shown or True,
    )
    annotation = Annotated[kind, settings]
    return inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


class _WithTargets(TyperCommand):
    """A command whose help lists the targets, which are looked up only for that."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from .targets.target import all_targets

        to: Any = next(each for each in self.params if each.name == "to")
        known = ", ".join(f"{each.name} ({each.title})" for each in all_targets())
        to.help = f"{to.help.rstrip('.')}: {known}."
        super().format_help(ctx, formatter)


# Commands -------------------------------------------------------------------------------------


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from .version import __version__

        typer.echo(f"shapeprof {__version__}")
        raise typer.Exit


@app.command()
@takes(ScanOptions, DesignOptions, ImageOptions)
def scan(
    scanning: ScanOptions,
    design: DesignOptions,
    pairing: ImageOptions,
    masks: Masks,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Folder for the profile. Default: MASKS.shapeprof."),
    ] = None,
    explain_input: Explain = False,
    details: Details = False,
    as_json: Json = False,
) -> None:
    """Measure a folder of masks; report the network they ask for, and why."""
    place = session.local(masks, LISTENER)
    if explain_input:
        _explain_input(place, scanning, as_json)
        return
    session.prepare(place, scanning)
    thresholds = session.thresholds(design)
    found = session.scan(place, scanning, output, pairing.images, LISTENER)
    if not as_json:
        session.say_reused(found.profile, LISTENER)
    recommendation = session.recommended(found.profile, thresholds, design)
    named = masks if output is None else str(found.out / "profile.json")
    _show(found, recommendation, named, design, images=pairing.images, details=details, as_json=as_json)


@app.command()
@takes(DesignOptions)
def report(design: DesignOptions, source: Source, details: Details = False, as_json: Json = False) -> None:
    """Show the report again. Scans only when no scan of these masks is kept."""
    thresholds = session.thresholds(design)
    found = session.find_profile(session.local(source, LISTENER), None, LISTENER)
    recommendation = session.recommended(found.profile, thresholds, design)
    _show(found, recommendation, source, design, details=details, as_json=as_json)


@app.command(cls=_WithTargets)
@takes(ScanOptions, DesignOptions, ExportOptions, but=SCAN_ONLY)
def export(
    scanning: ScanOptions,
    design: DesignOptions,
    exporting: ExportOptions,
    ctx: typer.Context,
    source: Source,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="New or empty folder for the model.")],
    as_json: Json = False,
) -> None:
    """Write the recommended network, ready to train with `python DIR/train.py`."""
    from .export.export import to_json
    from .report.verification import to_dict

    thresholds = session.thresholds(design)
    place = session.local(source, LISTENER)
    found = session.find_profile(place, scanning if _asks_for_a_scan(ctx, place) else None, LISTENER)
    recommendation = session.recommended(found.profile, thresholds, design)
    recommendation = session.chosen(recommendation, found.profile, exporting, design)
    masks = exporting.masks or (None if session.is_profile(place) else place)
    result = session.export(found.profile, recommendation, output, masks, exporting, scanning.group, LISTENER)
    checks = session.quick_checks(result, LISTENER) if exporting.verify else None
    if as_json:
        typer.echo(to_json(result, None if checks is None or isinstance(checks, ShapeprofError) else to_dict(checks)))
        return
    _show_export(result, _one_line(checks))


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `export` has written.")],
    quick: Annotated[bool, typer.Option("--quick", help="Only the checks that take seconds.")] = False,
    as_json: Json = False,
) -> None:
    """Check that an exported network is what its spec says, learns, and can be deployed."""
    from .export.verify import verify_model
    from .report.verification import render, to_json

    with _progress("Checking") as progress:
        result = verify_model(folder, quick=quick, progress=progress)
    if as_json:
        typer.echo(to_json(result))
    else:
        _console(sys.stdout).print(render(result))
    if result.failed:
        raise typer.Exit(3)


@app.command()
def explain(
    name: Annotated[
        str | None, typer.Argument(metavar="[RULE|METRIC|FINDING]", help="R1, convexity, lossy-ids, ...")
    ] = None,
) -> None:
    """Show what a rule, a metric or a finding means, and why. Without a name: list all."""
    from .report.explain import names, pages

    if name is None:
        for kind, listed in names().items():
            typer.echo(f"{kind + ':':<10}" + ", ".join(listed))
        return
    known = pages()
    text = known.get(name) or known.get(name.upper()) or known.get(name.lower())
    if text is None:
        import difflib

        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `shapeprof explain` lists all names"
        raise UsageError(f"no rule, metric or finding is called {name!r}{hint}")
    typer.echo(text)


# Parsing --------------------------------------------------------------------------------------


def _asks_for_a_scan(ctx: typer.Context, place: Path) -> bool:
    """Whether an option that changes the profile was typed, even with its default value.

    Raises:
        UsageError: one was typed with a profile, which can't be changed.
    """
    names = {each.name for each in declared(ScanOptions) if each.option.recorded} - {"group"}  # it splits data too
    sources = {p.opts[0]: ctx.get_parameter_source(str(p.name)) for p in ctx.command.params if p.name in names}
    typed = [flag for flag, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if typed and session.is_profile(place):
        raise UsageError(
            f"{_safe(str(place))} is a profile: how its masks were read is settled. Give the mask folder to read them "
            f"with {', '.join(typed)}"
        )
    return bool(typed)


# Rendering ------------------------------------------------------------------------------------


def _explain_input(masks: Path, scanning: ScanOptions, as_json: bool) -> None:
    """Show how each mask would be read; if detection fails, exit with the code that a scan would use."""
    from .report.input import input_to_json, render_input
    from .sources.explain import SHOWN, explain_input

    found = explain_input(masks, scanning.read, None if as_json else SHOWN)
    if as_json:
        typer.echo(input_to_json(found))
    else:
        _console(sys.stdout).print(render_input(found))
    if found.problem is not None:
        raise typer.Exit(getattr(found.problem, "exit_code", 1))


def _show(
    found: session.Found,
    recommendation: Recommendation,
    named: str,
    design: DesignOptions,
    *,
    images: Path | None = None,
    details: bool = False,
    as_json: bool = False,
) -> None:
    """The report of a profile. ``named``: the masks or profile as the next command has to name them."""
    if as_json:
        from .report.machine import to_json

        typer.echo(to_json(found.profile, recommendation))
        return
    from .report.summary import Place
    from .report.terminal import show

    place = Place(named, found.out, str(images) if images else None, typed_again(design), found.seconds)
    show(_console(sys.stdout), found.profile, recommendation, place, details=details)


def _show_export(result: Export, checks: str) -> None:
    from .export.export import describe, next_lines
    from .report.terminal import SEVERITIES

    for issue in result.issues:
        mark, where = SEVERITIES[issue.severity][0], f"{issue.path}: " if issue.path else ""
        typer.echo(f"{mark} {_safe(where + issue.message)}", err=True)
    for line in describe(result):
        typer.echo(_safe(line))
    typer.echo(_safe(checks))
    for line in next_lines(result):
        typer.echo(f"Next  {_safe(line)}")


def _one_line(checks: Any) -> str:
    """One line about the quick checks of an export: a Verification, the error that prevented it, or None."""
    from .report.verification import one_line

    if checks is None:
        return "Nothing was checked (--no-verify)."
    return f"Nothing was checked: {checks}" if isinstance(checks, ShapeprofError) else one_line(checks)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    width = None if stream.isatty() or os.environ.get("COLUMNS") else 100
    return Console(file=stream, width=width, soft_wrap=False, markup=False, emoji=False, highlight=False)


@contextmanager
def _progress(title: str) -> Iterator[Progress | None]:
    """A progress bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _safe(text: str) -> str:
    from .wording import printable

    return printable(text)


LISTENER = session.Listener(lambda sentence: typer.echo(_safe(sentence), err=True), _progress)


def main() -> None:
    """Entry point: run the app; turn errors that users can mend into one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        app()
    except ShapeprofError as error:
        typer.echo(f"shapeprof: {_safe_lines(str(error))}", err=True)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None
    except OSError as error:  # raised by printing; every other one has become a message already
        if error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        with suppress(OSError):
            typer.echo(f"shapeprof: the output can't be written ({error.strerror})", err=True)
        os._exit(1)  # a normal exit would try to print the rest again
    except KeyboardInterrupt:
        typer.echo("shapeprof: stopped", err=True)
        raise SystemExit(130) from None


def _safe_lines(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
