"""Personal access tokens, made and told of before they end, and the list of all tokens: shown,
introspected, revoked."""
