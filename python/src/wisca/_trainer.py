"""Transitions in the Trainer of transformers (and of what is built on it: TRL, PEFT)."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, Optional

import torch
import transformers

from ._attachment import Attachment, attach
from ._errors import WiscaError

STATE_FILE = "wisca_state.pt"


class TrainerCallback(transformers.TrainerCallback):
    """`Trainer(..., callbacks=[wisca.TrainerCallback(preset="qk_ten+vo_ten", every=250)])`.

    It attaches when training begins, logs each transition and rotation to whatever the Trainer logs to, and writes the ledger and its
    state into each checkpoint, from which a resumed run goes on. In a checkpoint of PEFT the adapter is that for the base as it was.

    Args:
        resume_from: the checkpoint's folder, where a run goes on from one that is not `output_dir/checkpoint-N`.
        options: those of `wisca.attach`.

    Attributes:
        attachment: what `wisca.attach` gave; None before training.
    """

    def __init__(self, *, resume_from: Optional[str] = None, **options: Any) -> None:
        self._resume_from, self._options = resume_from, options
        self.attachment: Optional[Attachment] = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Attaches; a run that goes on does so where it was."""
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        if self.attachment is not None:
            self.attachment.detach()
        if state.global_step == 0:
            self.attachment = attach(model, optimizer, **{"init": True, **self._options})
            self._log(args, state, control)
            return
        folder = self._resume_from or os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        path = os.path.join(folder, STATE_FILE)
        if not os.path.isfile(path):
            raise WiscaError(
                f"training goes on at step {state.global_step}, and {path} does not exist",
                "name the checkpoint: TrainerCallback(resume_from=folder); it must have been written with this callback")
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.attachment = attach(model, optimizer, **{**self._options, "init": False})
        self.attachment.load_state_dict(saved, move=_peft_model(model) is not None)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Makes what is due."""
        if self.attachment is not None and self.attachment.step():
            self._log(args, state, control)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Writes the ledger and the state into the checkpoint."""
        if self.attachment is None:
            return
        folder = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        saved = self.attachment.state_dict()
        if not args.should_save or not os.path.isdir(folder):
            return
        if _peft_model(kwargs["model"]) is not None:
            self.attachment.save_adapter(folder)
        elif self.attachment.transitions or self.attachment.rotations:
            self.attachment.save(folder)
        torch.save(saved, os.path.join(folder, STATE_FILE))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lets the optimizer go."""
        if self.attachment is not None:
            self.attachment.detach()

    def _log(self, args: Any, state: Any, control: Any) -> None:
        assert self.attachment is not None
        logs: Dict[str, float] = {}
        for event in self.attachment.events:
            logs.update(event.metrics())
        if not logs:
            return
        if state.epoch is not None:
            logs["epoch"] = state.epoch
        state.log_history.append({**logs, "step": state.global_step})
        handler = _handler()
        if handler is not None:
            # Telling of logs would drop the Trainer's own that is due at this step.
            due = control.should_log
            handler.on_log(args, state, control, logs)
            control.should_log = due


def _handler() -> Any:
    """The Trainer's callback handler, which is calling: a callback is not given it, and integrations are told of logs by nobody else."""
    frame = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, transformers.trainer_callback.CallbackHandler):
            return caller
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _peft_model(model: Any) -> Any:
    """The PEFT model in what wraps it; None where there is none."""
    while model is not None and not hasattr(model, "peft_config"):
        model = getattr(model, "_orig_mod", None) or getattr(model, "module", None)
    return model
