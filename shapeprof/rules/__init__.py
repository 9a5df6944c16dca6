"""Rules: from statistics to the parts of spec.yaml. One function per rule; its docstring is its page.

To add one, add a file here with a function ``@rule("T20", "name", title="Title", sets=("training.ema",))``; it is
found by itself, and so are its line in the report, its ``shapeprof explain`` and its section in docs/rules.md.
"""
