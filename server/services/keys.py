"""Data keys of one transaction: opened where they exist, made where a subject has none yet (S28)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.sealing import Chance, KeyRing, cipher, seal

COMMUNITY = "~community"
"""The subject of everything that is about no person."""


class SubjectErased(Exception):
    """The data key of a subject was destroyed: nothing about it can be sealed or opened any more."""

    def __init__(self, subject_id: str) -> None:
        super().__init__(subject_id)
        self.subject_id = subject_id


class DataKeys:
    """Ciphers by subject. ``made`` holds the wrapped keys that must be stored with the transaction."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._chance = Chance()
        self._ciphers: dict[str, AESGCM] = {}
        self._known: set[str] = set()
        self._erased: set[str] = set()
        self.made: dict[str, bytes] = {}

    @property
    def erased(self) -> frozenset[str]:
        """Of the subjects that were asked for, those whose keys were destroyed."""
        return frozenset(self._erased)

    def missing(self, subjects: Iterable[str | None]) -> list[str]:
        """Of these subjects, those not asked for yet (None stands for the community)."""
        return [one for one in {subject or COMMUNITY for subject in subjects} if one not in self._known]

    def learn(self, asked: Iterable[str], wrapped: Mapping[str, bytes | None]) -> None:
        """Take in what the store has for the subjects that were asked for."""
        for subject in asked:
            self._known.add(subject)
            if subject in wrapped:
                key = wrapped[subject]
                if key is None:
                    self._erased.add(subject)
                else:
                    self._ciphers[subject] = cipher(self._ring.unwrap(key))

    def of(self, subject: str | None) -> AESGCM:
        """The cipher of a subject, made new where it has none; SubjectErased when its key was destroyed."""
        name = subject or COMMUNITY
        found = self._ciphers.get(name)
        if found is None:
            if name in self._erased:
                raise SubjectErased(name)
            plain, wrapped = self._ring.new_data_key(self._chance)
            found = self._ciphers[name] = cipher(plain)
            self._known.add(name)
            self.made[name] = wrapped
        return found

    def seal(self, subject: str | None, plain: bytes) -> bytes:
        """Bytes sealed with the key of a subject, as `of` finds or makes it."""
        return seal(self.of(subject), plain, self._chance)
