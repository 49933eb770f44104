"""``python -m bench [row …]``: the same as ``python -m bench.all``."""

from bench.all import run

raise SystemExit(run())
