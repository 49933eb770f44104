"""The token endpoint (RFC 6749) and what clients find out about it: client credentials, the
exchange of tokens (RFC 8693), narrower tokens, discovery and the published keys."""
