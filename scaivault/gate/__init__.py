"""The one door to rows and keys: who calls, what the rules say, the transaction, the ledger row
and the event, committed together before any answer leaves."""
