"""The recipe that makes `toon`, the built-in base model: from drawings to a packaged folder.

It lives beside the runtime package and is never imported by it: only this package and the tests may
read a drawing's ground truth (`python -m pretraining --help`).
"""
