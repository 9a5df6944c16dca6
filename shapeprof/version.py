"""The version of shapeprof, recorded in every profile, spec and export."""

__version__ = "0.1.0"
