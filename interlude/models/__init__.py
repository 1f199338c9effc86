"""A model on disk: a signed manifest beside an ONNX file, immutable versions, and one pointer to the champion.

The trainer writes here, the decision service reads; this package is the contract between them.
"""
