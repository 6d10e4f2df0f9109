"""What can be wrong with a definition, a code list, a roster or an expression.

Bad *values* are not exceptions: the validator answers them as a list of ``FieldError`` (see validate.py).
"""

from __future__ import annotations


class FormsError(Exception):
    """Anything wrong with the declarations of this room."""


class DefinitionError(FormsError):
    """A definition, code list or roster file says something impossible.

    Attributes
    ----------
    name : str
        The declaration, for example ``person`` or ``codelists/sex``.
    pointer : str
        JSON pointer into its document, ``""`` for the whole.
    reason : str
        One sentence.
    """

    def __init__(self, name: str, pointer: str, reason: str) -> None:
        super().__init__(f"{name}{' at ' + pointer if pointer else ''}: {reason}")
        self.name = name
        self.pointer = pointer
        self.reason = reason


class ExpressionError(FormsError):
    """An expression that cannot be read.

    Attributes
    ----------
    text : str
        The expression as given.
    position : int
        Offset of the offending character, counted from 0.
    reason : str
        One sentence.
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        super().__init__(f"at character {position + 1}: {reason}")
        self.text = text
        self.position = position
        self.reason = reason


class UnknownRecordType(FormsError, LookupError):
    """No definition of that name is loaded."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no record type {name!r}")
        self.name = name


class UnknownCodeList(FormsError, LookupError):
    """No code list of that name is loaded."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no code list {name!r}")
        self.name = name


class UnknownRoster(FormsError, LookupError):
    """No roster of that name is loaded."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no roster {name!r}")
        self.name = name


class PlaceholderError(FormsError):
    """A placeholder of a table template that cannot be used.

    Attributes
    ----------
    code : str
        What kind of mistake it is, for example ``unknown_column``.
    position : int
        Offset in the cell's text, counted from 0.
    message_zh, message_en : str
        One sentence for people; names words of the template, which are no personal values.
    """

    def __init__(self, code: str, position: int, message_zh: str, message_en: str) -> None:
        super().__init__(message_en)
        self.code = code
        self.position = position
        self.message_zh = message_zh
        self.message_en = message_en
