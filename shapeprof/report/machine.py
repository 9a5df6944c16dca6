"""The report for machines: one JSON object. Its names are a contract: add, never rename."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from shapeprof.findings.find import find_all
from shapeprof.findings.finding import Finding
from shapeprof.profile.classes_block import classes_block, number
from shapeprof.profile.profile import SCHEMA_VERSION, Profile
from shapeprof.recommend.alternatives import Alternative
from shapeprof.recommend.decision import Decision, Recommendation

from .summary import Place, Summary, summarise


def to_json(profile: Profile, recommendation: Recommendation, place: Place | None = None) -> str:
    """The object that ``scan --json`` and ``report --json`` print."""
    findings = find_all(profile, recommendation)
    summary = summarise(profile, recommendation, findings, place or Place("MASKS", Path("OUT")))
    data = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": profile.tool_version,
        "input": _input(profile),
        "summary": _summary(summary),
        "classes": classes_block(profile),
        "findings": findings_block(findings),
        "issues": [asdict(issue) for issue in profile.issues],
        "recommendation": _recommendation(recommendation),
    }
    return json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False)


def findings_block(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as plain values: ``path`` is the file that one is about, ``more`` further files with the same."""
    return [
        {
            "severity": f.severity,
            "code": f.code,
            "message": f.message,
            "path": f.place,
            "more": list(f.more),
            "remedy": f.remedy,
            "text": f.text or f.message,
        }
        for f in findings
    ]


def _input(profile: Profile) -> dict[str, Any]:
    ledger = profile.ledger
    return {
        "files": ledger.files,
        "read": ledger.read,
        "empty": ledger.empty,
        "unreadable": ledger.unreadable,
        "skipped": ledger.skipped,
        "encoding": profile.encoding["kind"],
        "reasons": list(profile.encoding["reasons"]),
        "fingerprint": profile.fingerprint,
    }


def _summary(summary: Summary) -> dict[str, Any]:
    """The sentences of the report; its numbers stand in the other blocks."""
    return {
        "network": summary.network,
        "facts": summary.facts,
        "tie": summary.tie,
        "why": [asdict(reason) for reason in summary.why],
        "not_looked_at": list(summary.unseen_whole),
        "connections": summary.connections,
    }


def _recommendation(r: Recommendation) -> dict[str, Any]:
    network = r.network
    gpu, cpu = r.seconds
    return {
        "design": r.design,
        "logit_stride": network.decoder.logit_stride,
        "output_stride": network.encoder.output_stride,
        "binding_class": r.binding_class,
        "logit_stride_without_binding_class": r.logit_stride_without,
        "coarsest_logit_strides": dict(r.limits),
        "skip_strides": list(network.decoder.skip_strides),
        "auxiliary_heads": [h.model_dump() for h in network.auxiliary_heads],
        "deep_supervision": [h.model_dump() for h in network.deep_supervision],
        "context": None if network.context is None else network.context.model_dump(mode="json"),
        "kept": number(r.kept),
        "recall": number(r.recall),
        "convexity_decides": r.convexity_decides,
        "tie": r.tie or None,
        "training": r.training.model_dump(mode="json"),
        "parameters": r.cost.parameters,
        "macs": r.cost.macs,
        "memory_gb": number(r.cost.memory_gb),
        "training_seconds": {"gpu": number(gpu), "cpu": number(cpu)},
        "judge_by": None if r.judge_by is None else list(r.judge_by.scores),
        "decisions": [_decision(d) for d in r.decisions],
        "alternatives": [_alternative(a, r) for a in r.alternatives],
    }


def _decision(d: Decision) -> dict[str, Any]:
    data = asdict(d)
    data["sets"] = data.pop("name")
    for name in ("measured", "threshold", "margin", "agreement"):
        data[name] = number(data[name])
    data["interval"] = None if math.isnan(d.interval[0]) else [number(v) for v in d.interval]
    return data


def _alternative(a: Alternative, r: Recommendation) -> dict[str, Any]:
    return {
        "label": a.label,
        "role": "runner-up" if a == r.runner_up else "lesson" if a == r.lesson else "other",
        "design": a.design,
        "logit_stride": a.logit_stride,
        "kept": number(a.kept),
        "loses_most": a.loses_most,
        "kept_difference": number(a.kept_difference),
        "recall": number(a.recall),
        "parameters": a.parameters,
        "macs": a.macs,
        "macs_ratio": number(a.macs_ratio),
        "note": a.note,
    }
