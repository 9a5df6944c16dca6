"""What an annotation format is, and which ones there are.

To add one, add a file here that ends in ``register(AnnotationFormat(...))``. It is found by itself, and everything that
depends on the format follows: which files are documents, how masks are drawn from them, what messages and documents
name. Importing the formats loads no numpy, as the command line's help names them.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from shapeprof.sources.class_files import ClassNames
from shapeprof.sources.maskset import AnnotationSet, AnnotationSource, Category
from shapeprof.wording import either

from .model import ClassList, Document, NotThisFormat, Record, Region, classes_by_name


@dataclass(frozen=True)
class Content:
    """One file that may be a document: its name and its bytes."""

    name: str
    data: bytes

    @cached_property
    def json(self) -> Any:
        """The JSON value that it holds; raise NotThisFormat."""
        try:
            return json.loads(self.data)
        except RecursionError:
            raise NotThisFormat("it is no JSON that can be read (nested too deeply)") from None
        except ValueError as error:  # JSONDecodeError, UnicodeDecodeError and numbers of too many digits
            raise NotThisFormat(f"it is no JSON ({error})") from None

    @cached_property
    def xml(self) -> Element:
        """The root of the XML that it holds; raise NotThisFormat.

        A document type is refused, so no entity can be declared, expanded or fetched.
        """
        builder, parser = TreeBuilder(), expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
        parser.CharacterDataHandler = builder.data
        parser.StartDoctypeDeclHandler = _refuse
        try:
            parser.Parse(self.data, True)
        except expat.ExpatError as error:
            raise NotThisFormat(f"it is no XML ({error})") from None
        return builder.close()


def _refuse(*declared: Any) -> None:
    raise NotThisFormat("it declares a document type (<!DOCTYPE>), which is not read; remove that line")


@dataclass(frozen=True, slots=True)
class AnnotationFormat:
    """One way to write outlines of objects into files."""

    name: str  # kept in profiles
    title: str  # as messages and documents call it: "COCO"
    suffixes: tuple[str, ...]  # of documents, in lower case; with a document per image the first is the usual one
    parse: Callable[[Content], Document]  # raise NotThisFormat with what was missing
    # (record, its document, source, (rows, columns)) to the objects of one image
    regions: Callable[[Record, Document, AnnotationSource, tuple[int, int]], list[Region]]
    marks: tuple[bytes, ...] = ()  # a document has one of these near its beginning; (): ``proves`` must tell
    proves: Callable[[Document], bool] | None = None  # of one document: whether all files of its folder are documents
    per_image: bool = False  # every image has a document of its own, and a file beside them may name the classes
    # (set, names in such a file) to the classes in order
    classes: Callable[[AnnotationSet, ClassNames | None], ClassList] = classes_by_name
    attribute: Callable[[tuple[Category, ...]], str] | None = None  # the attribute of objects that holds their category


_FORMATS: dict[str, AnnotationFormat] = {}
_OWNERS: dict[str, str] = {}  # name to the module that registered it


def register(format_: AnnotationFormat) -> AnnotationFormat:
    """Make a format known; raise ValueError when its name is taken."""
    if format_.name in _OWNERS:
        raise ValueError(f"annotation format {format_.name!r} is already defined by {_OWNERS[format_.name]}")
    _OWNERS[format_.name] = sys._getframe(1).f_globals["__name__"]
    _FORMATS[format_.name] = format_
    return format_


@lru_cache(maxsize=1)
def all_formats() -> tuple[AnnotationFormat, ...]:
    """Every format, by title."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{__package__}.{module.name}")
    return tuple(sorted(_FORMATS.values(), key=lambda format_: format_.title.lower()))


def find_format(name: str) -> AnnotationFormat:
    """The format ``name``, as an AnnotationSource has it."""
    return next(format_ for format_ in all_formats() if format_.name == name)


def annotation_titles() -> str:
    """All formats for a sentence: ``COCO, LabelMe, ... or YOLO``. Loads no numpy."""
    return either(format_.title for format_ in all_formats())


@lru_cache(maxsize=1)
def document_suffixes() -> tuple[str, ...]:
    """Suffixes of files that may be documents."""
    return tuple(dict.fromkeys(suffix for format_ in all_formats() for suffix in format_.suffixes))
