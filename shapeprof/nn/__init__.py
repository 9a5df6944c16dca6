"""The network and its training, self-contained: this folder is copied as it is into an exported model.

Two shelves. What its owner reads is here: ``network``, ``losses``, ``data``, ``metrics``, ``train``, ``predict``. What
stands behind it (checkpoints, logs, several processes, checks, deployment) is in ``kit``. Only torch, numpy, OpenCV and
PyYAML are needed; nothing is imported here, so that naming the package costs nothing.
"""
