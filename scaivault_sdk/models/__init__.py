"""Objects of the API, as frozen dataclasses."""
