"""From a Profile to all of its findings."""

from __future__ import annotations

from shapeprof.profile.profile import Profile
from shapeprof.recommend.decision import Recommendation

from .finding import SEVERITIES, Finding
from .reading import from_issues
from .registry import all_findings


def find_all(profile: Profile, recommendation: Recommendation | None = None) -> tuple[Finding, ...]:
    """Every finding, the most severe first; of one severity those from reading first, then by code."""
    kinds = all_findings()  # registers the codes, with the remedies that issues are shortened to
    found = list(from_issues(profile.issues))
    for kind in kinds:
        if kind.check is not None:
            found += kind.find(profile, recommendation)
    return tuple(sorted(found, key=lambda f: SEVERITIES.index(f.severity)))
