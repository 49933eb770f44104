"""The edge: HTTP in all its parts. Below this floor nothing knows a header or a status."""
