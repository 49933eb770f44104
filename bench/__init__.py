"""Benchmarks: ScaiVault beside OpenBao and beside bare servers, in turns, on one machine.

One script per row of the results (``python -m bench.read``); ``python -m bench.all`` runs them
all, writes ``bench/results/<date>.json`` and prints a table. Absolute figures drift from machine
to machine, so what counts is the ratio of two figures of one run. Everything listens on and talks
to loopback only, is bounded in count and time, and lives in a temporary folder.
"""
