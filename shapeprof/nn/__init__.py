"""The network and its trainer, self-contained: this folder is copied as it is into an exported model.

Order to read in: ``network`` (the model), ``losses``, ``metrics``, ``data``, ``inference``,
``trainer``. Only torch, numpy, OpenCV and PyYAML are needed; nothing is imported here, so that
naming the package costs nothing.
"""
