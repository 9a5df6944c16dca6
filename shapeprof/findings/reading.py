"""From what reading found (issues, one per file) to findings (one per code), each short enough for a screen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shapeprof.issues import Issue

from .finding import LONGEST, Finding
from .registry import Registered, add

OBJECT = "object-"  # prefix of a code: the file holds one object of a mask, and the mask is read without it


@dataclass(frozen=True)
class Code:
    """What is known about a code that reading uses."""

    code: str
    seen: str  # in general; the message says it where the issue's own words are too long
    remedy: str
    own_remedy: bool  # the issue's own words end in what to do


_CODES: dict[str, Code] = {}


def code(code: str, seen: str, why: str, remedy: str, *, own_remedy: bool = False) -> None:
    """Document a code of reading: what was seen, why it matters or what is done about it, and what to do."""
    if len(seen) + len(remedy) + 2 > LONGEST:
        raise ValueError(f"the finding {code}: what was seen and what to do are longer than {LONGEST} characters")
    _CODES[code] = Code(code, seen, remedy, own_remedy)
    add(Registered(code, None, f"{_capital(seen)}.\n\n{why}\n\nWhat to do: {remedy}."))


def unreadable(code_: str, seen: str, why: str, remedy: str, *, own_remedy: bool = True) -> None:
    """Document a code of a file that can't be read, also for a file that holds one object of a mask."""
    code(code_, seen, why, remedy, own_remedy=own_remedy)
    of_object = f"{why} The file holds one object: its mask is measured without that object."
    code(OBJECT + code_, f"one object: {seen}", of_object, remedy, own_remedy=own_remedy)


def from_issues(issues: Iterable[Issue]) -> Iterator[Finding]:
    """One finding for each severity and code, in the order in which the first of its issues was found."""
    groups: dict[tuple[str, str], list[Issue]] = {}
    for issue in issues:
        groups.setdefault((issue.severity, issue.code), []).append(issue)
    for group in groups.values():
        first = group[0]
        message, remedy = short_message(first)
        more = tuple(dict.fromkeys(issue.path for issue in group[1:] if issue.path != first.path))
        text = "" if message == first.message else first.message
        yield Finding(first.severity, first.code, message, remedy, first.path, more, text)


def short_message(issue: Issue) -> tuple[str, str]:
    """(a message that fits two lines, the remedy that it ends in).

    The issue's own words are kept where they fit and say what to do. Else the fact is shortened, first to its first
    clause, then to that without what stands in brackets or behind a colon, then to what the code says in general;
    the remedy is the code's.
    """
    known = _CODES.get(issue.code)
    if known is None:  # of a profile that another version wrote
        known = Code(issue.code, f"reading found: {issue.code}", "see the whole text with --json", False)
    own = issue.message.strip(" .;:,")
    if known.own_remedy and len(own) <= LONGEST and (ends := _ends(own)):
        return own, own[ends[-1] :].lstrip(";:,. ")
    for fact in (*_shorter(own), known.seen):
        if fact and len(fact) + len(known.remedy) + 2 <= LONGEST:
            return f"{fact}; {known.remedy}", known.remedy
    raise AssertionError("code() has checked that the general words fit")


def _ends(text: str) -> list[int]:
    """Where clauses end: at "; " or ". " outside brackets."""
    depths, depth = [], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        depths.append(depth)
    return [m.start() for m in re.finditer(r"[;.] ", text) if depths[m.start()] == 0]


def _shorter(text: str) -> Iterator[str]:
    """The first clause of a text, and shorter forms of it."""
    ends = _ends(text)
    first = text[: ends[0]] if ends else text
    yield first
    bare = re.sub(r" ?\([^()]*\)", "", first)
    yield bare
    counted = bare.split(": ")[0]
    if counted != bare and any(character.isdigit() for character in counted):
        yield counted


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
