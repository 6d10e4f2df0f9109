"""Use cases: decide with the pure rooms, talk to the store. No Flask, no SQLAlchemy here."""
