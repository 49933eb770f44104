"""Requests and answers: one declaration each, from which validation, encoding and the API
description come.

In a request type a field named like a route parameter comes from the path, ``body`` is the JSON
body, ``if_match`` and ``if_none_match`` come from those headers, every other field is a query
parameter.
"""
