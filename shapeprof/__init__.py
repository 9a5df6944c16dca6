"""shapeprof: measure the shapes in segmentation masks and get the network they ask for.

Public names are loaded on first use (PEP 562), so that importing shapeprof costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "scan_masks": "scan",
    "ScanOptions": "shards",
    "ReadOptions": "sources",
    "Profile": "profile",
    "load_profile": "profile_file",
    "load_objects": "profile_file",
    "recommend_design": "recommend",
    "Recommendation": "recommend",
    "ModelSpec": "spec",
    "export_model": "export",
    "ShapeprofError": "errors",
}
_RENAMED = {"load_profile": "load"}

if TYPE_CHECKING:
    from .errors import ShapeprofError
    from .export import export_model
    from .profile import Profile
    from .profile_file import load as load_profile
    from .profile_file import load_objects
    from .recommend import Recommendation, recommend_design
    from .scan import scan_masks
    from .shards import ScanOptions
    from .sources import ReadOptions
    from .spec import ModelSpec

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
