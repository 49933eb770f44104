# Made by scripts/sdk from scaivault_sdk/_async/__init__.py; change it there.
"""The client as it is written; its twin for blocking code is generated from it."""
