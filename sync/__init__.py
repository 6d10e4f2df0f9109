"""How copies agree: operations, versions, merge, outcomes, streams. Pure: no I/O, no clock, no randomness.

Only ``sync.device``, the reference phone, touches a disk, a clock and the network, and nothing else imports it.
The rules (S1…) are told in docs/protocol.md.
"""
