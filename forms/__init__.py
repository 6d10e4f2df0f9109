"""WHAT is recorded: record types, code lists, expressions, rosters — all of them data — and their validation.

Imports marshmallow and the standard library, nothing of ours. Start reading at definitions/person.json, then
definition.py; registry.py finds a type, validate.py judges values.
"""
