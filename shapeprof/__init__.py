"""shapeprof: measure the shapes in segmentation masks and get the network they ask for.

Public names are loaded on first use (PEP 562), so that importing shapeprof costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .version import __version__

_HOMES = {
    "scan_masks": "scan.scan",
    "ScanOptions": "scan.options",
    "ReadOptions": "sources",
    "Profile": "profile.profile",
    "load_profile": "profile.file",
    "load_objects": "profile.file",
    "recommend_design": "recommend.recommend",
    "Recommendation": "recommend.decision",
    "ModelSpec": "design.spec",
    "export_model": "export.export",
    "ShapeprofError": "errors",
}
_RENAMED = {"load_profile": "load"}

if TYPE_CHECKING:
    from .design.spec import ModelSpec
    from .errors import ShapeprofError
    from .export.export import export_model
    from .profile.file import load as load_profile
    from .profile.file import load_objects
    from .profile.profile import Profile
    from .recommend.decision import Recommendation
    from .recommend.recommend import recommend_design
    from .scan.options import ScanOptions
    from .scan.scan import scan_masks
    from .sources import ReadOptions

__all__ = [
    "ModelSpec",
    "Profile",
    "ReadOptions",
    "Recommendation",
    "ScanOptions",
    "ShapeprofError",
    "__version__",
    "export_model",
    "load_objects",
    "load_profile",
    "recommend_design",
    "scan_masks",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shapeprof' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), _RENAMED.get(name, name))
