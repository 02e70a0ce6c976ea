"""`python -m wisca ARGS` is the command line."""

from __future__ import annotations

import sys
from typing import Optional, Sequence

from . import _library
from ._errors import WiscaError


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs a command line; returns its exit code."""
    try:
        status, output, messages, error = _library.run(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        return 130
    except WiscaError as problem:
        print(f"wisca: {problem}", file=sys.stderr)
        return 1
    sys.stdout.write(output)
    sys.stderr.write(messages)
    if error is not None and not messages.strip():
        print(f"wisca: {_library.error_of(error, '')}", file=sys.stderr)
    return status if status in (0, 1, 2) else 1


if __name__ == "__main__":
    sys.exit(main())
