"""Annotation documents: found in a folder, parsed, and the names of the masks that can be drawn from them.

A mask is named after the image that it belongs to, relative to the root. ``format`` says how a format is added;
``sources.reading.annotated`` draws a mask, ``sources.annotation_encoding`` numbers the classes. Importing this room
loads no numpy.
"""
