"""Generated from `proto/interlude/v1/` by `make proto`; never edited by hand."""
