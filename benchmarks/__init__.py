"""Benchmarks: each prints ratios measured in one run and keeps them in a table beside it."""
