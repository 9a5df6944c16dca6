"""Shape measurements: pure functions of label maps.

One signature throughout: a whole label map in, columns for all its objects out. ``columns`` is
the register of what is measured per object; ``measure`` runs everything on one mask. Importing
this package loads nothing heavy; importing ``measure`` loads NumPy and numba.
"""
