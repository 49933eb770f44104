"""The one place that knows which engine is below: an encrypted SQLite file.

``folder`` holds the data directory, ``file`` opens keyed connections, ``database`` commits in
groups and reads beside, ``migrations`` brings an older file up to date.
"""
