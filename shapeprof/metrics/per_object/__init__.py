"""The metrics per object: one function per column, a new one in a file of its own.

Kernels are imported inside the functions that call them, so that reading a profile does not load numba.
"""
