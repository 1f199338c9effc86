"""What a listener looks like, as pure functions: no I/O, no clock, nothing but numpy and the standard library.

`schema` names the features, `state` is what is kept of a listener, `fold` takes one event into it, `interest` finds tracks
played again and again, `moment` says where a listener is now, `vector` makes the numbers a model takes, `codec` turns state,
moment and vector into the bytes that Redis holds.
"""
