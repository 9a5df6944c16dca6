"""Pages of rules, metrics and findings, as `shapeprof explain NAME` shows them."""

from __future__ import annotations

from shapeprof.findings.registry import all_findings
from shapeprof.metrics.registry import all_metrics
from shapeprof.rules.rule import all_rules


def pages() -> dict[str, str]:
    """The page of every rule, metric and finding, by its code or name."""
    found = {rule.code: f"{rule.code} {rule.name}\n\n{rule.page}" for rule in all_rules()}
    found |= {metric.name: metric.explain() for metric in all_metrics()}
    for finding in all_findings():
        severity = f" ({finding.severity})" if finding.severity else ""
        found[finding.code] = f"{finding.code}{severity}\n\n{finding.page}"
    return found


def names() -> dict[str, tuple[str, ...]]:
    """The names that have a page, under the heading of their kind."""
    return {
        "Rules": tuple(f"{rule.code} ({rule.name})" for rule in all_rules()),
        "Metrics": tuple(metric.name for metric in all_metrics()),
        "Findings": tuple(finding.code for finding in all_findings()),
    }
