"""The command line's verbs on model folders, as functions."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Optional, Union

from . import _library
from ._errors import WiscaError

Folder = Union[str, "os.PathLike[str]"]


def _arguments(options: Dict[str, Any]) -> List[str]:
    """Keywords as options: names with `_` become `-`, True a flag, None and False nothing, a sequence values joined by commas."""
    arguments: List[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        arguments.append("--" + name.rstrip("_").replace("_", "-"))
        if isinstance(value, (list, tuple)):
            arguments.append(",".join(map(str, value)))
        elif value is not True:
            arguments.append(os.fspath(value) if isinstance(value, os.PathLike) else str(value))
    return arguments


def _call(verb: str, folders: List[Optional[Folder]], options: Dict[str, Any]) -> Dict[str, Any]:
    places = [os.fspath(folder) for folder in folders if folder is not None]
    status, output, messages, error = _library.run([verb, *places, *_arguments(options), "--json"])
    if error is not None or (status != _library.OK and not output.strip()):
        raise _library.error_of(error, messages.strip() or f"wisca {verb} failed with status {status}")
    try:
        return json.loads(output)
    except ValueError:
        raise WiscaError(f"wisca {verb} wrote no JSON: {output[:200]!r}") from None


def rescale(model: Folder, out: Optional[Folder] = None, **options: Any) -> Dict[str, Any]:
    """Writes the balanced model: `wisca.rescale("model", "balanced", preset="qk_row+vo_row", round="pow2")`.

    Options are those of `wisca rescale`. Without `out`, `dry_run=True` only reports.

    Raises:
        WiscaError: the input is bad, or what was asked for is not exact.
    """
    return _call("rescale", [model], {"out": out, **options})


def rotate(model: Folder, out: Folder, **options: Any) -> Dict[str, Any]:
    """Writes the model in another basis; options are those of `wisca rotate`."""
    return _call("rotate", [model], {"out": out, **options})


def undo(model: Any, out: Optional[Folder] = None, **options: Any) -> Any:
    """Takes back what a folder's `wisca.json` tells, into `out`; or, of a model in memory, what its attachment did, in place.

    Of a folder it returns the report, of a model in memory nothing.
    """
    if isinstance(model, (str, os.PathLike)):
        if out is None:
            raise WiscaError("undo of a folder needs a folder to write", 'wisca.undo("balanced", "original")')
        return _call("undo", [model], {"out": out, **options})
    from ._attachment import attachment_of

    return attachment_of(model).undo()


def verify(a: Folder, b: Folder, **options: Any) -> Dict[str, Any]:
    """Compares two models and returns the report, in which `equivalent` says whether they are the same function.

    Raises:
        WiscaError: a folder cannot be read. That two models differ is no error.
    """
    return _call("verify", [a, b], options)


def inspect(model: Folder, **options: Any) -> Dict[str, Any]:
    """Architecture, sizes, norms, what is exact and what is refused; options are those of `wisca inspect`."""
    return _call("inspect", [model], options)


def merge(base: Folder, adapter: Folder, out: Folder, **options: Any) -> Dict[str, Any]:
    """Adds a LoRA adapter to its base's weights; options are those of `wisca merge`."""
    return _call("merge", [base, adapter], {"out": out, **options})


def balance(adapter: Folder, out: Folder, **options: Any) -> Dict[str, Any]:
    """Writes the same adapter with balanced factors; options are those of `wisca balance`."""
    return _call("balance", [adapter], {"out": out, **options})


def express(adapter: Folder, out: Folder, *, base: Folder, for_: str, **options: Any) -> Dict[str, Any]:
    """Moves an adapter to the original base, or to the rescaled one: `for_` is `original` or `rescaled`, as `wisca express --for`."""
    return _call("express", [adapter], {"base": base, "for": for_, "out": out, **options})
