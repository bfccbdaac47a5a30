"""Damaged and made-up inputs for every reader and every command, in one process.

`python -m benchmarks.fuzz` runs it. Each module of inputs has a table of targets: what is called,
and the inputs that hypothesis makes for it.
"""
