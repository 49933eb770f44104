"""Pure bytes in, bytes out. No file, no clock, no settings, no policy.

memory   guarded memory for keys (never a Python ``bytes``), wiping, locking the process
aead     XChaCha20-Poly1305 boxes, wrapped keys, the envelope of a value, contexts
kdf      sub-keys of a key, Argon2id
digest   BLAKE2b keyed, personalised and plain; canonical JSON; links of the audit chain
shamir   k of n shares of a key
codes    text forms of tokens, recovery keys and shares
signing  Ed25519 checkpoints, ES256 issuer keys
selftest known answers of all of it, run at every start

``sodium`` alone touches libsodium. Byte layouts and vectors: ``docs/formats.md``.
"""
