"""Pages: every rule, metric and finding has one, under a name of its own."""

from __future__ import annotations

from shapeprof.findings.registry import all_findings
from shapeprof.metrics.registry import all_metrics
from shapeprof.report.explain import names, pages
from shapeprof.rules.rule import all_rules


def test_everything_that_has_a_name_has_a_page() -> None:
    known = pages()
    expected = [rule.code for rule in all_rules()] + [m.name for m in all_metrics()] + [f.code for f in all_findings()]
    assert list(known) == expected and len(set(expected)) == len(expected)
    assert all(len(page.splitlines()) >= 3 for page in known.values())


def test_a_page_begins_with_its_name() -> None:
    known = pages()
    assert known["R1"].startswith("R1 logit-stride\n\nHow fine the network's finest logits must be.")
    assert known["convexity"].splitlines()[0] == "convexity" and "Range: " in known["convexity"]
    assert known["truncated-file"].startswith("truncated-file\n\nThe file stops before its end.")
    assert "What to do: copy or export it again." in known["truncated-file"]
    assert known["objects-touch"].startswith("objects-touch (info)\n\nMany objects of a class touch another one.")
    assert "measured without that object" in known["object-truncated-file"]


def test_names_are_listed_by_kind() -> None:
    listed = names()
    assert list(listed) == ["Rules", "Metrics", "Findings"]
    assert "R1 (logit-stride)" in listed["Rules"] and "convexity" in listed["Metrics"]
    assert "thin-parts" in listed["Findings"]
