"""The report for machines: one JSON object. Its names are a contract: add, never rename."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from shapeprof.profile.classes_block import classes_block, number
from shapeprof.profile.profile import SCHEMA_VERSION, Profile
from shapeprof.recommend.alternatives import Alternative
from shapeprof.recommend.decision import Decision, Recommendation


def to_json(profile: Profile, recommendation: Recommendation) -> str:
    """The object that ``scan --json`` and ``report --json`` print."""
    ledger = profile.ledger
    data = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": profile.tool_version,
        "input": {
            "files": ledger.files,
            "read": ledger.read,
            "empty": ledger.empty,
            "unreadable": ledger.unreadable,
            "skipped": ledger.skipped,
            "encoding": profile.encoding["kind"],
            "reasons": list(profile.encoding["reasons"]),
            "fingerprint": profile.fingerprint,
        },
        "classes": classes_block(profile),
        "findings": [asdict(issue) for issue in profile.issues],
        "recommendation": _recommendation(recommendation),
    }
    return json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False)


def _recommendation(r: Recommendation) -> dict[str, Any]:
    network = r.network
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
