"""The command line. A command is: parse, call the library, render. Nothing heavy is imported before it is needed.

Exit codes: 0 done, 1 error, 2 usage, 3 nothing measurable or a check failed.
"""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from .errors import InputError, PairingError, ShapeprofError, UsageError
from .issues import Issue
from .labelmap import MAX_PIXELS

if TYPE_CHECKING:
    from rich.console import Console

    from .export.verify import Verification
    from .profile.profile import Profile
    from .recommend.recommend import Recommendation
    from .scan.scan import Progress
    from .scan.shards import ScanOptions

app = typer.Typer(
    help="Measure the shapes in segmentation masks and get the network they ask for, with the reasons.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FILES = "Which files are masks, and how"  # panels of --help
VALUES = "What their values mean"
MEASURING = "Measuring"
REPORT = "The design"

Masks = Annotated[
    str,
    typer.Argument(
        metavar="MASKS",
        help="Folder of masks or annotations, searched recursively; a list of paths; a COCO file; or a URL.",
    ),
]
Source = Annotated[
    str, typer.Argument(metavar="MASKS|PROFILE", help="Folder of masks, or the profile.json (or folder) of a scan.")
]
Classes = Annotated[
    str | None,
    typer.Option(
        "--classes",
        metavar="FILE|NAMES",
        help="Class names in id order: a,b,c or a csv, txt, json, yaml file.",
        rich_help_panel=VALUES,
    ),
]
Background = Annotated[
    str | None,
    typer.Option(
        metavar="VALUE|none", help="Raw value of the background; none: every value is a class.", rich_help_panel=VALUES
    ),
]
Ignore = Annotated[
    str | None,
    typer.Option(
        "--ignore-index",
        metavar="VALUES|none",
        help="Raw values that belong to no class: 255 or 254,255.",
        rich_help_panel=VALUES,
    ),
]
Invert = Annotated[
    bool, typer.Option("--invert", help="Of two values, swap foreground and background.", rich_help_panel=VALUES)
]
Pages = Annotated[
    Literal["auto", "stack", "classes"],
    typer.Option(
        "--pages", help="What the pages of a file are: a stack of masks, or classes of one mask.", rich_help_panel=FILES
    ),
]
MaxPixels = Annotated[
    int, typer.Option(min=1, metavar="N", help="Pixels of a file beyond which it is not read.", rich_help_panel=FILES)
]
Instances = Annotated[
    bool | None,
    typer.Option(
        "--instances/--no-instances",
        help="Values are object ids, not classes.",
        show_default="detected",
        rich_help_panel=VALUES,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude-class", metavar="NAME", help="A class to leave out; may be given again.", rich_help_panel=VALUES
    ),
]
Merge = Annotated[
    list[str] | None,
    typer.Option(
        "--merge-classes", metavar="A,B=NEW", help="Classes to take as one; may be given again.", rich_help_panel=VALUES
    ),
]
Part = Annotated[
    int,
    typer.Option(
        "--sample", min=0, metavar="N", help="Measure only N of the masks; 0: all of them.", rich_help_panel=FILES
    ),
]
Annotations = Annotated[
    bool | None,
    typer.Option(
        "--annotations/--no-annotations",
        help="Draw COCO, VIA, LabelMe or YOLO annotations even where there are masks.",
        show_default="where there are no masks",
        rich_help_panel=FILES,
    ),
]
TrainSize = Annotated[
    int | None,
    typer.Option(
        min=8,
        metavar="N",
        help="Measure with the shorter side resized to N px. Default: native.",
        rich_help_panel=MEASURING,
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        metavar="GLOB",
        help="Which files are the masks, as '*_labelIds.png'. Default: by their names.",
        rich_help_panel=FILES,
    ),
]
Layout = Annotated[
    Literal["auto", "files", "objects", "classes"],
    typer.Option(
        help="What a file holds: a mask, one object of its folder's mask, or the class that its name tells.",
        rich_help_panel=FILES,
    ),
]
Explain = Annotated[
    bool,
    typer.Option(
        "--explain-input", help="Show what each file is read as, and why; measure nothing.", rich_help_panel=FILES
    ),
]
Floor = Annotated[
    int,
    typer.Option(
        min=1, metavar="PX", help="Objects under this area are counted, not measured.", rich_help_panel=MEASURING
    ),
]
Sample = Annotated[
    int,
    typer.Option(
        min=10, metavar="N", help="Masks for linear survival, local width and the bootstrap.", rich_help_panel=MEASURING
    ),
]
Best = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Masks for survival at best too, 0.3 to 5 s each; 0: none.", rich_help_panel=MEASURING
    ),
]
Thickness = Annotated[
    bool,
    typer.Option("--thickness", help="Local width on every mask, not only on the sample.", rich_help_panel=MEASURING),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX",
        help="One capture group over mask paths: what belongs together (patient, video).",
        rich_help_panel=MEASURING,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="An unreadable mask is an error, not a finding.", rich_help_panel=MEASURING)
]
Workers = Annotated[
    int,
    typer.Option(
        min=0, metavar="N", help="Processes; 0: one per core.", show_default="one per core", rich_help_panel=MEASURING
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        min=0.0, max=0.9, metavar="SHARE", help="Linear survival that may be lost (rule R1).", rich_help_panel=REPORT
    ),
]
RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", help="TOML with thresholds of your own.", rich_help_panel=REPORT),
]
Memory = Annotated[
    float, typer.Option(min=0.5, metavar="GB", help="GPU memory to plan crop and batch for.", rich_help_panel=REPORT)
]
Images = Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the images that belong to the masks.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else there.")]


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        from .version import __version__

        typer.echo(f"shapeprof {__version__}")
        raise typer.Exit


@app.command()
def scan(
    ctx: typer.Context,
    masks: Masks,
    images: Images = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="Folder for the profile. Default: MASKS.shapeprof."),
    ] = None,
    classes: Classes = None,
    background: Background = None,
    ignore_index: Ignore = None,
    instances: Instances = None,
    exclude: Exclude = None,
    merge: Merge = None,
    sample: Part = 0,
    invert: Invert = False,
    pages: Pages = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
    annotations: Annotations = None,
    train_size: TrainSize = None,
    floor: Floor = 32,
    survival_sample: Sample = 256,
    survival_best: Best = 0,
    thickness: Thickness = False,
    group: Group = None,
    strict: Strict = False,
    tolerance: Tolerance = None,
    rules: RulesFile = None,
    memory: Memory = 8.0,
    workers: Workers = 0,
    pattern: Pattern = None,
    layout: Layout = "auto",
    explain_input: Explain = False,
    as_json: Json = False,
) -> None:
    """Measure a folder of masks; report the network they ask for, and why."""
    place = _local(masks)
    if not explain_input:
        from .scan.workers import prepare_for

        prepare_for(place, workers)
    options = _scan_options(ctx.params)
    thresholds = _thresholds(rules, tolerance)
    if explain_input:
        _explain_input(place, options, as_json)
        return
    from .scan.folder import default_output

    out = output or default_output(place)
    if images is not None and not images.is_dir():
        raise InputError(f"{images}: no such folder; expected the images that belong to the masks")
    profile, seconds = _scanned(place, options, out, as_json)
    if images is not None:
        profile = _with_pairs(profile, place, images, group)
    recommendation = _recommended(profile, thresholds, memory)
    _show(profile, recommendation, masks, out, images, _again(output, tolerance, rules, memory, out), seconds, as_json)


@app.command()
def report(
    source: Source, tolerance: Tolerance = None, rules: RulesFile = None, memory: Memory = 8.0, as_json: Json = False
) -> None:
    """Show the report again. Scans only when no scan of these masks is kept."""
    thresholds = _thresholds(rules, tolerance)
    profile, out = _profile_of(_local(source), None)
    recommendation = _recommended(profile, thresholds, memory)
    again = _again(None, tolerance, rules, memory, out)
    _show(profile, recommendation, source, out, None, again, float("nan"), as_json)


@app.command()
def export(
    ctx: typer.Context,
    source: Source,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="New or empty folder for the model.")],
    images: Images = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The masks, when a PROFILE was made elsewhere.")
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="What to write.")] = "pytorch",
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="Classes may overlap: keep all classes of a pixel.")
    ] = False,
    reference: Annotated[
        str | None, typer.Option(metavar="NAME", help="A well-known design instead: unet, deeplabv3+, ...")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="A published encoder instead: microsoft/resnet-50, or a folder.")
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained/--no-pretrained", help="Start --encoder from its weights.")
    ] = True,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Check the network quickly, where torch is installed.")
    ] = True,
    group: Group = None,
    classes: Classes = None,
    background: Background = None,
    ignore_index: Ignore = None,
    instances: Instances = None,
    exclude: Exclude = None,
    merge: Merge = None,
    invert: Invert = False,
    pages: Pages = "auto",
    max_pixels: MaxPixels = MAX_PIXELS,
    annotations: Annotations = None,
    train_size: TrainSize = None,
    tolerance: Tolerance = None,
    rules: RulesFile = None,
    memory: Memory = 8.0,
    workers: Workers = 0,
    pattern: Pattern = None,
    layout: Layout = "auto",
    as_json: Json = False,
) -> None:
    """Write the recommended model, its training script and data list: `python DIR/train.py` trains it."""
    thresholds = _thresholds(rules, tolerance)
    place = _local(source)
    typed = _typed_for_reading(ctx)
    if typed and _is_profile(place):
        raise UsageError(
            f"{_safe(str(place))} is a profile: how its masks were read is settled. Give the mask folder to read them "
            f"with {', '.join(typed)}"
        )
    profile, _ = _profile_of(place, _scan_options(ctx.params) if typed else None)
    recommendation = _recommended(profile, thresholds, memory)
    from .export import export as exporter
    from .recommend.overrides import chosen
    from .report.terminal import SEVERITIES

    recommendation = chosen(recommendation, profile, reference, encoder, pretrained=pretrained, memory_gb=memory)
    root = masks or (None if _is_profile(place) else place)
    with _progress("Writing masks") as progress:
        result = exporter.export_model(
            profile,
            recommendation,
            output,
            masks=root,
            images=images,
            target=to,
            group=group or profile.arguments.get("group"),
            progress=progress,
            multi_label=multi_label,
        )
    verification, told = _quick_checks(output) if verify else (None, "Nothing was checked (--no-verify).")
    if as_json:
        from .report.verification import to_dict

        typer.echo(exporter.to_json(result, None if verification is None else to_dict(verification)))
        return
    for issue in result.issues:
        mark, where = SEVERITIES[issue.severity][0], f"{issue.path}: " if issue.path else ""
        typer.echo(f"{mark} {_safe(where + issue.message)}", err=True)
    for line in exporter.describe(result):
        typer.echo(_safe(line))
    typer.echo(told)
    if result.pairs:
        typer.echo(f"Next  python {_safe(shlex.quote(str(output / 'train.py')))}")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `export` has written.")],
    quick: Annotated[bool, typer.Option("--quick", help="Only the checks that take seconds.")] = False,
    as_json: Json = False,
) -> None:
    """Prove that an exported network is what its spec says, that it learns, and that it can be deployed."""
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
    name: Annotated[str | None, typer.Argument(metavar="[RULE|METRIC]", help="R1, convexity, ...")] = None,
) -> None:
    """What a rule or a metric is, why, and from where."""
    from .metrics.registry import all_metrics
    from .rules import rules

    known = {r.code: f"{r.code} {r.name}\n\n{r.page}" for r in rules()}
    known |= {metric.name: metric.explain() for metric in all_metrics()}
    if name is None:
        typer.echo("Rules:   " + ", ".join(f"{r.code} ({r.name})" for r in rules()))
        typer.echo("Metrics: " + ", ".join(metric.name for metric in all_metrics()))
        return
    text = known.get(name) or known.get(name.upper()) or known.get(name.lower())
    if text is None:
        import difflib

        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `shapeprof explain` lists all names"
        raise UsageError(f"no rule or metric is called {name!r}{hint}")
    typer.echo(text)


# Parsing --------------------------------------------------------------------------------------


def _scan_options(typed: dict[str, Any]) -> ScanOptions:
    """The options of a command, by name; what the command does not have keeps its default."""
    from dataclasses import fields

    from .scan.shards import ScanOptions
    from .sources import ReadOptions

    classes = typed["classes"]
    names, file = None, None
    if classes is not None:
        if Path(classes).is_file():
            file = Path(classes)
        elif "," in classes or not Path(classes).suffix:
            names = tuple(part.strip() for part in classes.split(","))
        else:
            raise UsageError(f"--classes {classes}: no such file; give a file, or names as a,b,c in id order")
    settled = {
        **typed,
        "classes": names,
        "class_file": file,
        "background": _raw("--background", typed["background"]),
        "ignore_index": _raws("--ignore-index", typed["ignore_index"]),
        "exclude": tuple(typed["exclude"] or ()),
        "merge": tuple(typed["merge"] or ()),
    }
    read = ReadOptions(**{field.name: settled[field.name] for field in fields(ReadOptions)})
    measuring = {field.name: settled[field.name] for field in fields(ScanOptions) if field.name in settled}
    return ScanOptions(read, **measuring)


def _typed_for_reading(ctx: typer.Context) -> list[str]:
    """The options that were typed and say how masks are read, also those that repeat a default."""
    from dataclasses import fields

    from .sources import ReadOptions

    names = {field.name for field in fields(ReadOptions)}
    sources = {p.opts[0]: ctx.get_parameter_source(str(p.name)) for p in ctx.command.params if p.name in names}
    return [option for option, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def _raws(option: str, text: str | None) -> Any:
    if text is None or "," not in text:
        return _raw(option, text)
    return tuple(_raw(option, part.strip()) for part in text.split(","))


def _raw(option: str, text: str | None) -> Any:
    if text is None:
        return "auto"
    if text.lower() == "none":
        return None
    try:
        return int(text.removeprefix("#"), 16) if text.startswith("#") else int(text)
    except ValueError:
        raise UsageError(f"{option} {text}: expected a whole number, a colour like #1E1E1E, or none") from None


def _thresholds(rules: Path | None, tolerance: float | None) -> Any:
    from dataclasses import replace

    from .rules.thresholds import Thresholds, override

    thresholds = override(rules) if rules else Thresholds()
    return thresholds if tolerance is None else replace(thresholds, tolerance=tolerance)


def _again(
    output: Path | None, tolerance: float | None, rules: Path | None, memory: float, out: Path
) -> tuple[bool, tuple[str, ...]]:
    """Whether the next command must name the profile itself, and the options that it must repeat."""
    options: list[str] = []
    if tolerance is not None:
        options += ["--tolerance", f"{tolerance:g}"]
    if rules is not None:
        options += ["--rules", str(rules)]
    if memory != 8.0:
        options += ["--memory", f"{memory:g}"]
    return output is not None, tuple(options)


# Calling --------------------------------------------------------------------------------------


def _local(place: str) -> Path:
    """The path that was typed; of a URL, that of the copy that is fetched."""
    from .sources.listing.remote import fetched, is_url

    if not place.strip():
        raise UsageError("the place of the masks is empty; expected a folder, as an unset variable in a script gives")
    if not is_url(place):
        return Path(place)
    with _progress("Fetching") as progress:
        return fetched(place, progress)


def _explain_input(masks: Path, options: ScanOptions, as_json: bool) -> None:
    """Show what the masks would be read as; where that can't be told, end as a scan would."""
    from .report.input import input_to_json, render_input
    from .sources.explain import SHOWN, explain_input

    found = explain_input(masks, options.read, None if as_json else SHOWN)
    if as_json:
        typer.echo(input_to_json(found))
    else:
        _console(sys.stdout).print(render_input(found))
    if found.problem is not None:
        raise typer.Exit(getattr(found.problem, "exit_code", 1))


def _scanned(masks: Path, options: ScanOptions, out: Path, quiet: bool = False) -> tuple[Profile, float]:
    import time

    from .jit import is_compiled
    from .scan.scan import scan_masks

    if not is_compiled():
        typer.echo("First run on this machine: compiling the kernels, once, in about 30 seconds.", err=True)
    started = time.monotonic()
    try:
        with _progress("Measuring") as progress:
            profile = scan_masks(masks, options, out, progress)
    except KeyboardInterrupt:
        typer.echo("What is measured is kept: the same command goes on from there.", err=True)
        raise
    if not quiet and (before := profile.ledger.files - profile.log["measured"]) > 0:
        typer.echo(f"{before:,} of {profile.ledger.files:,} masks are as an earlier scan measured them.", err=True)
    return profile, time.monotonic() - started


def _with_pairs(profile: Profile, masks: Path, images: Path, group: str | None) -> Profile:
    """The profile, with what pairing its masks with images finds; shown, not kept."""
    from dataclasses import replace

    from .sources import Encoding, masks_again, pair

    try:
        folder = masks_again(masks, profile.arguments, Encoding.from_dict(profile.encoding))
        pairing = pair(folder, images, group_pattern=group)
    except PairingError as error:
        found: tuple[Issue, ...] = (Issue("warning", "images-do-not-match", str(error)),)
    else:
        paired = sum(1 + len(item.more) for item in pairing.pairs)
        pairs = f"{paired:,} of {profile.ledger.files:,} masks have their image"
        found = (*pairing.issues, Issue("info", "images-paired", f"{pairs} ({pairing.rule})"))
    return replace(profile, issues=(*profile.issues, *found))


def _quick_checks(folder: Path) -> tuple[Verification | None, str]:
    """The quick checks of an export, and a line about them; an error there is no error of the export."""
    from .export.verify import verify_model
    from .report.verification import one_line

    try:
        with _progress("Checking") as progress:
            result = verify_model(folder, quick=True, progress=progress)
    except ShapeprofError as error:
        return None, f"Nothing was checked: {_safe(str(error))}"
    return result, one_line(result)


def _profile_of(source: Path, options: ScanOptions | None) -> tuple[Profile, Path]:
    """The profile that ``source`` is, or the one kept for a mask folder, or that of a new scan."""
    from .profile import file as profile_file
    from .scan.folder import default_output
    from .scan.scan import kept_profile
    from .scan.shards import ScanOptions

    file = source / "profile.json" if source.is_dir() else source
    if _is_profile(source):
        return profile_file.load(file), file.parent
    out = default_output(source)
    kept = kept_profile(source, options)
    if kept is not None:
        usual = ScanOptions().arguments()
        made = [f"{name} {value}" for name, value in kept.arguments.items() if value != usual.get(name)]
        if options is None and made:
            typer.echo(f"As in the kept scan of these masks: {_safe(', '.join(made))}.", err=True)
        return kept, out
    typer.echo(f"No up-to-date scan of {_safe(str(source))} is kept: scanning it first.", err=True)
    return _scanned(source, options or ScanOptions(), out)[0], out


def _is_profile(source: Path) -> bool:
    """Whether ``source`` is a profile or the folder of one; a list of masks or a document of annotations is none."""
    from .sources import is_annotation_document
    from .sources.listing.lists import is_list

    if source.is_dir():
        return (source / "profile.json").is_file()
    return source.is_file() and not is_list(source) and not is_annotation_document(source)


def _recommended(profile: Profile, thresholds: Any, memory: float) -> Recommendation:
    from .recommend.recommend import recommend_design

    return recommend_design(profile, thresholds, memory)


# Rendering ------------------------------------------------------------------------------------


def _show(
    profile: Profile,
    recommendation: Recommendation,
    masks: str,
    out: Path,
    images: Path | None,
    again: tuple[bool, tuple[str, ...]],
    seconds: float,
    as_json: bool,
) -> None:
    if as_json:
        from .report.machine import to_json

        typer.echo(to_json(profile, recommendation))
        return
    from .report.terminal import Place, show

    named, options = again
    source = str(out / "profile.json") if named else masks
    place = Place(source, out, str(images) if images else None, options, seconds)
    show(_console(sys.stdout), profile, recommendation, place)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    width = None if stream.isatty() or os.environ.get("COLUMNS") else 100
    return Console(file=stream, width=width, soft_wrap=False, markup=False, emoji=False, highlight=False)


@contextmanager
def _progress(what: str) -> Iterator[Progress | None]:
    """A progress bar on stderr, for a person only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _safe(text: str) -> str:
    from .report.text import printable

    return printable(text)


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
    except OSError as error:  # of what is shown: everything else has a message of its own
        if error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        with suppress(OSError):
            typer.echo(f"shapeprof: the output can't be written ({error.strerror})", err=True)
        os._exit(1)  # leaving the usual way would write what is left once more
    except KeyboardInterrupt:
        typer.echo("shapeprof: stopped", err=True)
        raise SystemExit(130) from None


def _safe_lines(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
