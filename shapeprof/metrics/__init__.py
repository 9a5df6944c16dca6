"""Shape measurements: from masks as runs to numbers per object and per class.

``per_object`` declares the metrics, one function each; ``registry`` lists them; ``geometry`` holds what they share;
``measure`` measures masks. Importing this package or the registry loads no compiler; importing ``measure`` does.
"""
