"""The rows of identity, one file a kind: SQL as literal text and nothing else. What one package
alone keeps (trusts, sync, foreign tokens) has its ``store.py`` there."""
