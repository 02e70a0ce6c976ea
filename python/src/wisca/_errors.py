"""The one error."""

from __future__ import annotations

from typing import Optional, Sequence


class WiscaError(Exception):
    """What went wrong, in words for the user.

    Attributes:
        message: one line: which file, tensor or option, and what was expected.
        hint: the way out, or None.
        details: further lines, such as the differences one by one.
    """

    def __init__(self, message: str, hint: Optional[str] = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = list(details)

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return type(self), (self.message, self.hint, self.details)

    def __str__(self) -> str:
        text = "\n".join([self.message, *("  " + line for line in self.details)])
        return f"{text}\nhint: {self.hint}" if self.hint else text
