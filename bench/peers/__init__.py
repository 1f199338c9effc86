"""The peers, side by side with us (`make bench PEERS=1`): Feast reads the features, MLServer predicts.

Both run as their documentation says, on the same Redis process (a database of their own) with the same listeners, vectors and
ONNX file; they know no caps, no consent and keep no log. Wherever a set-up can be chosen, theirs is the fastest one found:
MLServer predicts in its own process (no hop to a worker, no access log), Feast's server never recycles its worker, the caller
runs on uvloop and its features come the fastest of three ways. `ways.py`, `caller.py`, `feast_repository.py` and
`onnx_runtime.py` run in the peers' own environments and import nothing of ours but one another.
"""
