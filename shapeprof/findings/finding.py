"""A finding: something about a mask set that its owner should know, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from shapeprof.issues import Severity
from shapeprof.profile.class_view import ClassView
from shapeprof.wording import brief

LONGEST = 160  # characters of a message: two lines of a terminal
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")  # the most severe first


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``message`` says what was seen and ends in ``remedy``."""

    severity: Severity
    code: str  # stable; `shapeprof explain CODE` shows its page
    message: str  # at most LONGEST characters
    remedy: str  # the end of the message: what to do
    place: str = ""  # the file that it is about; "" for the whole set
    more: tuple[str, ...] = ()  # further files with the same finding
    text: str = ""  # all that reading said about the first file, where the message is shorter


@dataclass(frozen=True, slots=True)
class Found:
    """What a check yields: a fact and what to do about it. The registry adds code and severity."""

    fact: str
    remedy: str
    place: str = ""
    more: tuple[str, ...] = ()


def sentence(fact: str, remedy: str) -> str:
    """A message of both.

    Raises:
        ValueError: it is longer than LONGEST.
    """
    message = f"{fact}; {remedy}"
    if len(message) > LONGEST:
        raise ValueError(f"a finding's message has {len(message)} characters, more than {LONGEST}: {message!r}")
    return message


def objects_of(view: ClassView) -> str:
    """The objects of a class in a sentence: "nucleus objects"."""
    return "objects" if view.name in ("object", "objects") else f"{brief(view.name)} objects"
