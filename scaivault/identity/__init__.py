"""Who is calling: tokens, the local issuer, users, service accounts, groups and their roles.

Each package imports only what is below it here (a contract in ``pyproject.toml``):

==================  ==========================================================================
``oauth``           the token endpoint: client credentials, token exchange, discovery
``sync``            what outside directories tell: the webhook receiver, runs over SCIM
``tokens``          personal access tokens and the list of all tokens
``trusts``          which foreign tokens are exchanged, and the proof that one is genuine
``tenants``         partners and tenants, made and kept here
``people``          users, service accounts, credentials, second factors, roles, revocation
``groups``          groups and who belongs to them
``authentication``  from a bearer token to a principal; ``standing``: what he may later
``foreign``         tokens of the issuers in the configuration
``issuer``          our own issuer: its keys, signing, verifying
``reach``           whom a caller sees and may change; ``lookup``: any form of an id
``subjects``        users and service accounts alike
``store``           the SQL
``model``           names, scopes and shapes of rows; ``names``, ``notices``: pure rules
==================  ==========================================================================
"""
