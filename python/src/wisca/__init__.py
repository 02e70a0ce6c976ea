"""Exact transitions of Transformer checkpoints, on folders and in a PyTorch training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import WiscaError
from ._folders import balance, express, inspect, merge, rescale, rotate, undo, verify
from ._library import Ledger, Plan, Solve, library_version
from ._version import __version__

if TYPE_CHECKING:
    from ._attachment import Attachment, attach
    from ._events import RotationEvent, TransitionEvent
    from ._optimizers import register_optimizer
    from ._trainer import TrainerCallback

__all__ = [
    "Attachment", "Ledger", "Plan", "RotationEvent", "Solve", "TrainerCallback", "TransitionEvent", "WiscaError", "__version__",
    "attach", "balance", "express", "inspect", "library_version", "merge", "register_optimizer", "rescale", "rotate", "undo", "verify",
]

# What needs torch, imported when it is asked for.
_LAZY = {
    "Attachment": "_attachment", "attach": "_attachment", "RotationEvent": "_events", "TransitionEvent": "_events",
    "register_optimizer": "_optimizers", "TrainerCallback": "_trainer",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'wisca' has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "transformers"):
            raise
        raise WiscaError(f"wisca.{name} needs {error.name}, which is not installed", f"pip install {error.name}") from None
    globals()[name] = value
    return value
