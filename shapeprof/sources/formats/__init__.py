"""Bytes of a file to raw stored values, whatever the format."""
