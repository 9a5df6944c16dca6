"""Options. Each is declared once, as a field of a dataclass; everything else follows from the declaration:
how it is typed and shown in ``--help``, what a profile records, and which kept measurements still hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from .errors import UsageError
from .limits import MEMORY_GB

FILES = "Which files are masks, and how"
VALUES = "What their values mean"
MEASURING = "Measuring"
DESIGN = "The design"
DEFAULT_TARGET = "pytorch"
PANELS = (None, FILES, VALUES, MEASURING, DESIGN)  # of --help, in order

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Option:
    """What is declared about an option, beside its field's name, type and default."""

    help: str
    panel: str | None
    flag: str | None  # "--floor"; None: not on the command line
    metavar: str | None
    min: float | None
    max: float | None
    shown: str | None  # default as --help shows it; None: the default itself
    measures: bool  # changes what is measured of a mask: kept measurements hold only for the same value
    recorded: bool  # changes the profile: it is one of its ``arguments``
    finds: bool  # says which files are masks
    reads: Callable[[str, str], Any] | None  # (flag, text) -> value, or {field: value} for several fields


def option(
    default: Any,
    help: str,  # noqa: A002 (as typer calls it)
    *,
    panel: str | None = None,
    flag: str | None = "",
    metavar: str | None = None,
    min: float | None = None,  # noqa: A002
    max: float | None = None,  # noqa: A002
    shown: str | None = None,
    measures: bool = True,
    recorded: bool | None = None,
    finds: bool = False,
    reads: Callable[[str, str], Any] | None = None,
) -> Any:
    """Declare a field of a frozen dataclass as an option.

    Args:
        default: value when the option is not typed.
        help: one sentence for ``--help``.
        panel: heading in ``--help``.
        flag: default: from the field's name. None: the option can't be typed, only set in Python.
        metavar: word for the value in ``--help``.
        min: smallest value.
        max: largest value.
        shown: default as ``--help`` shows it.
        measures: whether it changes what is measured of a mask. True is safe: masks are measured again
            when the value differs.
        recorded: whether it changes the profile in any way. Default: as ``measures``.
        finds: whether it says which files are masks.
        reads: turns (flag, typed text) into the value, or into a dict of values of several fields.
    """
    recorded = measures if recorded is None else recorded
    declared = Option(help, panel, flag, metavar, min, max, shown, measures, recorded, finds, reads)
    return field(default=default, metadata={"option": declared})


@dataclass(frozen=True, slots=True)
class Declared:
    """A field that is an option."""

    name: str
    hint: Any  # type of the value
    default: Any
    option: Option

    @property
    def flag(self) -> str | None:
        """``"--floor"``; ``"--verify/--no-verify"`` of a switch that is on by default or can be unset."""
        flag = self.option.flag
        if flag != "":
            return flag
        word = self.name.replace("_", "-")
        return f"--{word}/--no-{word}" if self.hint == bool | None or self.default is True else f"--{word}"


def declared(kind: Any) -> tuple[Declared, ...]:
    """All options of a dataclass and of the dataclasses that are its fields, in order."""
    hints = get_type_hints(kind)
    found: list[Declared] = []
    for each in fields(kind):
        hint = hints[each.name]
        found += declared(hint) if is_dataclass(hint) else [_declared(each, hint)]
    return tuple(found)


def _declared(each: Field[Any], hint: Any) -> Declared:
    known = each.metadata.get("option")
    if known is None:  # safe: measured again when the value differs
        known = Option("", None, None, None, None, None, None, measures=True, recorded=True, finds=False, reads=None)
    return Declared(each.name, hint, None if each.default is MISSING else each.default, known)


def from_typed(kind: type[T], typed: dict[str, Any]) -> T:
    """A dataclass of options from typed values by field name; an option that was not typed (None) keeps its default."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]
        if is_dataclass(hint := hints[each.name]):
            values[each.name] = from_typed(hint, typed)  # type: ignore[arg-type]
        elif typed.get(each.name) is not None:
            values |= _read(_declared(each, hint), typed[each.name])
    return kind(**values)


def _read(each: Declared, value: Any) -> dict[str, Any]:
    if each.option.reads is not None:
        value = each.option.reads(str(each.flag), value)
        if isinstance(value, dict):
            return value
    return {each.name: tuple(value) if isinstance(value, list) else value}


def recorded(options: Any) -> dict[str, Any]:
    """The options that change a profile, by name, as JSON values: ``arguments`` of profile.json."""
    return {each.name: _as_json(value) for each, value in _values(options) if each.option.recorded}


def measuring(options: Any) -> dict[str, Any]:
    """The options that change what is measured of a mask, by name, as JSON values."""
    return {each.name: _as_json(value) for each, value in _values(options) if each.option.measures}


def finding(kind: type[T], arguments: dict[str, Any]) -> T:
    """Options that find the same mask files as those recorded in ``arguments`` of a profile."""
    names = [each.name for each in declared(kind) if each.option.finds and each.name in arguments]
    return kind(**{name: tuple(v) if isinstance(v := arguments[name], list) else v for name in names})


def typed_again(options: Any) -> tuple[str, ...]:
    """The options that differ from their defaults, as they are typed: ``("--tolerance", "0.1")``."""
    words: list[str] = []
    for each, value in _values(options):
        if each.flag is not None and value != each.default:
            words += [each.flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return tuple(words)


def _values(options: Any) -> Iterator[tuple[Declared, Any]]:
    """Every option of a dataclass with its value, nested ones included."""
    own = {each.name: each for each in declared(type(options))}
    for each in fields(options):
        value = getattr(options, each.name)
        if each.name in own:
            yield own[each.name], value
        else:
            yield from _values(value)


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


# How typed text is read ----------------------------------------------------------------------


def class_names(flag: str, text: str) -> dict[str, Any]:
    """Class names from ``a,b,c``, or the file that holds them."""
    if Path(text).is_file():
        return {"class_file": Path(text)}
    if "," in text or not Path(text).suffix:
        return {"classes": tuple(part.strip() for part in text.split(","))}
    raise UsageError(f"{flag} {text}: no such file; give a file, or names as a,b,c in id order")


def raw_value(flag: str, text: str) -> int | None:
    """A stored value: a whole number or a colour ``#RRGGBB``; None for ``none``."""
    if text.lower() == "none":
        return None
    try:
        return int(text.removeprefix("#"), 16) if text.startswith("#") else int(text)
    except ValueError:
        raise UsageError(f"{flag} {text}: expected a whole number, a colour like #1E1E1E, or none") from None


def raw_values(flag: str, text: str) -> Any:
    """One stored value, or several: ``254,255``."""
    if "," not in text:
        return raw_value(flag, text)
    return tuple(raw_value(flag, part.strip()) for part in text.split(","))


# Options of the design and of an export -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DesignOptions:
    """What the rules are to keep to. The profile does not depend on it."""

    tolerance: float | None = option(
        None,
        "Share of a class's area that the output may lose.",
        panel=DESIGN,
        metavar="SHARE",
        min=0.0,
        max=0.9,
        measures=False,
    )
    rules: Path | None = option(
        None, "TOML file with your own thresholds (see docs/rules.md).", panel=DESIGN, metavar="FILE", measures=False
    )
    memory: float | None = option(
        None,
        "GPU memory that training may take: sets crop and batch.",
        panel=DESIGN,
        metavar="GB",
        min=0.5,
        shown=f"{MEMORY_GB:g}",
        measures=False,
    )


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """Where the images are."""

    images: Path | None = option(None, "Folder of the images that belong to the masks.", metavar="DIR", measures=False)


@dataclass(frozen=True, slots=True)
class ExportOptions(ImageOptions):
    """What to export."""

    masks: Path | None = option(
        None, "Folder of the masks, if it is not where the scan found it.", metavar="DIR", measures=False
    )
    to: str = option(DEFAULT_TARGET, "What to write.", metavar="TARGET", measures=False)
    multi_label: bool = option(False, "Let classes overlap: a pixel keeps all of its classes.", measures=False)
    reference: str | None = option(
        None, "A well-known design instead: unet, deeplabv3+, ...", metavar="NAME", measures=False
    )
    encoder: str | None = option(
        None, "A published encoder instead: microsoft/resnet-50, or a folder.", metavar="NAME", measures=False
    )
    pretrained: bool = option(True, "Start --encoder from its weights.", measures=False)
    verify: bool = option(True, "Check the network quickly, where torch is installed.", measures=False)
