"""The client as it is written; its twin for blocking code is generated from it."""
