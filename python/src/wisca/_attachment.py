"""Transitions and rotations in a training loop of PyTorch."""

from __future__ import annotations

import glob
import logging
import os
import tempfile
import time
import weakref
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from ._errors import WiscaError
from ._events import RotationEvent, SpaceRotation, TransitionEvent, ratios
from ._library import Ledger, Plan, Solve
from ._live import LiveModel
from ._names import DTYPES, bare, check_types, config_of, table_of, weights_of
from ._optimizers import Factors, OptimizerState, unwrapped
from ._rotations import RotationOptions, angle_of, basis_of, diagonal_share
from ._shards import are_powers_of_two, is_distributed
from ._zero import ZeroState, ZeroTensor, spread, zero_optimizer

_log = logging.getLogger("wisca")

Event = Union[TransitionEvent, RotationEvent]

_ATTACHED: "weakref.WeakKeyDictionary[nn.Module, weakref.ref[Attachment]]" = weakref.WeakKeyDictionary()

# Weights that were saved in 16 bits and read back are this near.
_SAME_WEIGHTS = 5e-3


def attach(
    model: nn.Module,
    optimizer: Any,
    *,
    preset: Optional[str] = None,
    qk: Optional[str] = None,
    vo: Optional[str] = None,
    mlp: Optional[str] = None,
    norms: Optional[str] = None,
    all: bool = False,  # noqa: A002 (the name of the option)
    layers: Optional[str] = None,
    criterion: str = "l1",
    round: str = "auto",  # noqa: A002
    max_log2: float = 6,
    hysteresis: float = 0.1,
    init: Optional[bool] = None,
    every: int = 250,
    at: Iterable[int] = (),
    threshold: Optional[float] = None,
    until: Optional[int] = None,
    state: str = "transport",
    rotate: Optional[Mapping[str, Any]] = None,
    averages: Sequence[Any] = (),
    masters: Optional[Mapping[Any, Tensor]] = None,
    config: Any = None,
    table: Any = None,
    origin: Optional[str] = None,
    verify: Optional[Callable[[], float]] = None,
    resume: Optional[Mapping[str, Any]] = None,
) -> "Attachment":
    """Attaches transitions to a model that trains: call `step()` of what is returned after every `optimizer.step()`.

    Where nothing says which transitions, they are `qk_ten+vo_ten`; with `rotate` alone there are none.

    Args:
        model: the model; compiled, sharded by `fully_shard`, in DistributedDataParallel or with a LoRA adapter too.
        optimizer: its optimizer, or several.
        preset, qk, vo, mlp, norms, all, layers, criterion, round, max_log2, hysteresis: which transitions, as on the command line.
        init: True for a transition now, before the first step. True by default, but where the optimizer has state it must be said.
        every: steps between transitions; 0 for none.
        at: further steps after which there is one.
        threshold: a transition also follows a step that leaves a group's norms further apart than 2^threshold.
        until: the last step that a transition may follow.
        state: what becomes of the optimizer's state: `transport`, `keep` or `reset`.
        rotate: rotations beside it, such as `dict(stream="momentum", every=20)`; see RotationOptions.
        averages: models (or dicts by name) that hold averages of the weights, which follow.
        masters: float32 copies that the optimizer trains in the place of 16-bit parameters, by name or parameter.
        config: the model's config.json: a dict, a folder or a file; the model's own by default.
        table: an architecture table of one's own: a dict or a file.
        origin: the model folder that training began from, whose ledger comes before.
        verify: the loss on a batch that stays the same; a transition that changes it is taken back, and raises.
        resume: what `state_dict()` gave, for weights and optimizer state that are loaded already.

    Raises:
        WiscaError: something is not exact in this model, or cannot follow; nothing has changed.
    """
    exchanges: Dict[str, Any] = {
        "preset": preset, "qk": qk, "vo": vo, "mlp": mlp, "norms": norms, "all": all or None, "layers": layers,
        "criterion": criterion, "rounding": round, "max_log2": max_log2, "hysteresis": hysteresis,
    }
    return Attachment(
        model, optimizer if isinstance(optimizer, (list, tuple)) else [optimizer],
        exchanges={
            name: value.replace("_", "-") if isinstance(value, str) and name != "preset" else value
            for name, value in exchanges.items() if value is not None},
        trigger=Trigger(every=every, at=tuple(at), threshold=threshold, until=until), init=init, state=state,
        rotate=RotationOptions.of(rotate), averages=averages, masters=masters or {}, config=config, table=table, origin=origin,
        verify=verify, resume=resume)


class Trigger:
    """When transitions happen after the first step."""

    def __init__(self, *, every: int, at: Tuple[int, ...], threshold: Optional[float], until: Optional[int]) -> None:
        if every < 0:
            raise WiscaError(f"every is {every}, expected 0 or more")
        if threshold is not None and not threshold > 0:
            raise WiscaError(f"threshold is {threshold}, expected a number above 0")
        self.every, self.at, self.threshold, self.until = every, frozenset(at), threshold, until

    def is_allowed(self, step: int) -> bool:
        """True where a transition may happen after so many steps."""
        return self.until is None or step <= self.until

    def is_due(self, step: int) -> bool:
        """True where one is due, whatever the weights are."""
        return self.is_allowed(step) and ((self.every > 0 and step % self.every == 0) or step in self.at)


class Attachment:
    """Transitions and rotations of one model in training; `wisca.attach` makes it. Not for use from several threads.

    Attributes:
        plan: exchanges, spaces and what is refused, as the library describes them.
        steps: number of optimizer steps that `step()` has counted.
        transitions: number of transitions so far.
        rotations: number of rotations so far.
        events: what the last call of `step()` (or the transition before the first step) did.
    """

    def __init__(
        self, model: nn.Module, optimizers: Sequence[Any], *, exchanges: Dict[str, Any], trigger: Trigger, init: Optional[bool],
        state: str, rotate: Optional[RotationOptions], averages: Sequence[Any], masters: Mapping[Any, Tensor], config: Any,
        table: Any, origin: Optional[str], verify: Optional[Callable[[], float]], resume: Optional[Mapping[str, Any]],
    ) -> None:
        if state not in ("transport", "keep", "reset"):
            raise WiscaError(f"state is {state!r}, expected transport, keep or reset")
        named = {"preset", "qk", "vo", "mlp", "norms", "all"} & exchanges.keys()
        self._scales = bool(named) or rotate is None
        if exchanges.get("preset") in ("origin", "none"):
            del exchanges["preset"]
            self._scales = len(named) > 1
        elif not named:
            exchanges["preset"] = "qk_ten+vo_ten"
        if not self._scales and rotate is None:
            raise WiscaError("no transition and no rotation is asked for", 'such as preset="qk_ten+vo_ten"')
        _check_together(exchanges if self._scales else {}, rotate)

        self._trigger, self._policy, self._rotate, self._verify = trigger, state, rotate, verify
        self._module = weakref.ref(model)
        weights = weights_of(model)
        zeros = [zero for zero in map(zero_optimizer, optimizers) if zero is not None]
        for zero in zeros:
            weights.base = spread(weights.base, zero)
            _check_zero(rotate, exchanges, averages, masters, bool(weights.adapters))
        check_types(weights.base)
        by_identity = {id(parameter): name for name, parameter in weights.all().items()}
        own_masters = {
            key if isinstance(key, str) else by_identity[id(key)]: master for key, master in masters.items()
            if isinstance(key, str) or id(key) in by_identity}
        states = [
            OptimizerState(optimizer, weights.all(), own_masters) if zero is None else ZeroState(zero, weights.base)
            for optimizer, zero in zip(optimizers, map(zero_optimizer, optimizers))]
        self._live = LiveModel(weights, states, [_average(average) for average in averages], own_masters)
        self._adapted = bool(weights.adapters)

        request: Dict[str, Any] = {
            "config": config_of(model, config),
            "tensors": [
                {"name": name, "shape": list(tensor.shape), "dtype": DTYPES[self._live.weight(name).dtype]}
                for name, tensor in weights.base.items() if tensor.dtype in DTYPES],
            "transitions": exchanges if self._scales else None,
            "rotations": None if rotate is None else {"stream": True, "values": rotate.turns_values},
        }
        architecture = table_of(table)
        if architecture is not None:
            request["architecture"] = architecture
        self._plan = Plan(request)
        self.plan = self._plan.describe()
        self._spaces: List[Dict[str, Any]] = self.plan["spaces"] if rotate is not None else []
        self._check_plan(states)
        self._ledger = Ledger(self._plan)
        self._origin = origin if origin is not None else _origin_of(model)
        self._group = self._processes(model)

        self.steps = self.transitions = self.rotations = 0
        self.events: List[Event] = []
        self._totals = {space["name"]: torch.eye(space["size"], dtype=torch.float64) for space in self._spaces}
        self._averages: Dict[str, Tensor] = {}
        self._observed = -1
        self._hooks: List[Any] = []
        self._check_gains()
        if rotate is not None and (rotate.stream == "gradient" or self.frozen_gains):
            for optimizer in optimizers:
                self._hooks.append(unwrapped(optimizer).register_step_pre_hook(self._before_step))
        for gain in self.frozen_gains:
            _log.warning("%s is not trained: it must stay the same for all channels, or the stream could not be rotated", gain)

        if resume is not None:
            self.load_state_dict(resume)
        elif self._scales:
            begins = trigger.is_allowed(0) if init is None else init
            if begins and init is None and any(unwrapped(optimizer).state for optimizer in optimizers):
                raise WiscaError(
                    "the optimizer has made steps before, so that it is not clear whether a transition is due now",
                    "a run that goes on: attach(..., resume=state) with what state_dict() gave; otherwise init=True or init=False")
            if begins:
                self.events = [self.transition()]
        _ATTACHED[model] = weakref.ref(self)
        _ATTACHED[bare(model)] = weakref.ref(self)

    # In the loop.

    def observe(self) -> None:
        """Takes up gradients where a rotation goes by them, and drops those of gains that must stay uniform.

        A hook of the optimizer calls it before every step. Where gradients are clipped, call it yourself before, so that what is
        dropped does not count.

        Raises:
            WiscaError: gradients hold NaN or infinity.
        """
        if self._rotate is None:
            return
        if self._observed != self.steps:
            self._observed = self.steps
            if self._rotate.is_observed(self.steps):
                with torch.no_grad():
                    self._take_up()
        for gain in self.frozen_gains:
            self._live.weights[gain].grad = None

    def step(self) -> List[Event]:
        """Counts an optimizer step, and makes the transition or rotation that is due.

        Returns:
            What was done; nothing where nothing was due.
        Raises:
            WiscaError: weights hold NaN or infinity, state cannot follow, or `verify` shows that the function changed.
        """
        self.steps += 1
        events: List[Event] = []
        if self._scales and (self._trigger.is_due(self.steps) or self._is_over_threshold()):
            events.append(self.transition())
        if self._rotate is not None and self._rotate.is_due(self.steps):
            events.append(self.rotate())
        self.events = events
        return events

    def transition(self) -> TransitionEvent:
        """Balances now."""
        if not self._scales:
            raise WiscaError("no transition was asked for", 'attach with preset="qk_ten+vo_ten", or with qk, vo, mlp or norms')
        before = self._probe()
        began = time.perf_counter()
        with torch.no_grad():
            solve, done = self._solve()
            moved = self._factors(solve, done)
            self._scale(moved)
        seconds = time.perf_counter() - began
        loss = None
        if before is not None:
            loss = (before, self._probe() or 0.0)
            exact = _exact(moved)
            tolerance = 0.0 if exact else 1e-12 if self._is_double() else 1e-4
            if not abs(loss[1] - loss[0]) <= tolerance * abs(loss[0]):
                with torch.no_grad():
                    self._scale(_inverse(moved))
                raise WiscaError(
                    f"the transition after step {self.steps} changed the loss of a fixed batch from {loss[0]!r} to {loss[1]!r}; "
                    "it was taken back",
                    "the architecture table does not describe this model, or something in the forward pass sees more than q.k and W_o v")
        self._ledger.record(solve)
        self.transitions += 1
        return TransitionEvent(self.steps, done["groups"], seconds, done.get("objective"), loss)

    def rotate(self) -> RotationEvent:
        """Rotates now."""
        if self._rotate is None:
            raise WiscaError("no rotation was asked for", 'attach with rotate=dict(stream="momentum", every=20)')
        before = self._probe()
        names = [name for space in self._spaces for name in self._live.names_of(space)]
        copies: List[Tuple[Tensor, Tensor]] = []
        if before is not None:
            tensors = self._live.tensors_of(list(dict.fromkeys(names)))
            copies = [(tensor, tensor.detach().clone()) for tensor in tensors]
        began = time.perf_counter()
        with torch.no_grad():
            self._live.check_rotation(list(dict.fromkeys(names)))
            turned = [self._turn(space, index) for index, space in enumerate(self._spaces)]
        seconds = time.perf_counter() - began
        loss = None
        if before is not None:
            loss = (before, self._probe() or 0.0)
            tolerance = max(_rotation_tolerance(self._live.weights[name].dtype) for name in names)
            if not abs(loss[1] - loss[0]) <= tolerance * abs(loss[0]):
                with torch.no_grad():
                    for tensor, copy in copies:
                        tensor.copy_(copy)
                raise WiscaError(
                    f"the rotation after step {self.steps} changed the loss of a fixed batch from {loss[0]!r} to {loss[1]!r}; "
                    "it was taken back",
                    "what reads and writes the residual stream of this model is not what it is taken for")
        for space, (event, rotation) in zip(self._spaces, turned):
            if event.skipped is None:
                name = space["name"]
                self._totals[name] = self._totals[name] @ rotation
                if name in self._averages:
                    self._averages[name] = rotation.T @ self._averages[name] @ rotation
        self.rotations += 1
        return RotationEvent(self.steps, [event for event, _ in turned], seconds, loss)

    def imbalances(self) -> List[Tuple[Dict[str, Any], float]]:
        """For each group log2 of the ratio of its two norms; 0 in balance."""
        with torch.no_grad():
            return ratios(self._solve()[1]["groups"]) if self._scales else []

    def detach(self) -> None:
        """Removes the hooks. Weights and state stay as they are."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    # Back, and to disk.

    def undo(self) -> None:
        """Takes all transitions and rotations back, in place: what was learned, in the gauge that training began in. The optimizer's
        state goes back too."""
        with torch.no_grad():
            for space in self._spaces:
                total = self._totals[space["name"]]
                if torch.equal(total, torch.eye(space["size"], dtype=torch.float64)):
                    continue
                skipped = self._live.rotate(space, total.T.contiguous(), "follow", "keep")
                if skipped is not None:
                    raise WiscaError(f"the rotation of {space['name']} cannot be taken back now: {skipped}")
                self._totals[space["name"]] = torch.eye(space["size"], dtype=torch.float64)
            self._averages.clear()
            if self._scales:
                solve = self._ledger.undo()
                self._scale(self._factors(solve, solve.next()))
        self._ledger = Ledger(self._plan)
        self.transitions = self.rotations = 0

    def save(self, folder: Union[str, "os.PathLike[str]"]) -> None:
        """Writes the ledger, `wisca.json`, into a folder that the model was saved in (`model.save_pretrained(folder)`), so that
        `wisca undo` can take the transitions back. Of several processes the first writes."""
        if self._adapted:
            raise WiscaError("an adapter's folder has no ledger of its base's transitions", "use save_adapter(folder)")
        if _rank() == 0:
            self._write_ledger(os.fspath(folder))

    def save_adapter(self, folder: Union[str, "os.PathLike[str]"], **options: Any) -> None:
        """Saves a PEFT adapter for the base as it was, with `model.save_pretrained`; the model goes on as it is, to the bit."""
        model = self._module()
        if not self._adapted or model is None:
            raise WiscaError("the model has no adapter", "save the model with save_pretrained, and then save(folder)")
        with torch.no_grad():
            solve = self._ledger.undo()
            following = self._live.followers(_plain(self._factors(solve, solve.next())))
            kept = {name: self._live.weights[name].detach().clone() for name in following}
            try:
                self._live.scale({name: (factors, False) for name, factors in following.items()}, "keep", states=False)
                _saver(model).save_pretrained(os.fspath(folder), **options)
            finally:
                for name, values in kept.items():
                    self._live.weights[name].copy_(values)

    def state_dict(self) -> Dict[str, Any]:
        """What a resumed run needs beside weights and optimizer state. Of sharded models every process calls it."""
        with torch.no_grad():
            return {
                "version": 1, "steps": self.steps, "transitions": self.transitions, "rotations": self.rotations,
                "ledger": self._ledger.state(), "origin": self._origin, "totals": dict(self._totals),
                "averages": {name: average.clone() for name, average in self._averages.items()}, "weights": self._print(),
            }

    def load_state_dict(self, state: Mapping[str, Any], *, move: bool = False) -> None:
        """Goes on where `state_dict()` was called. Load weights and optimizer state first.

        Args:
            move: True where the weights are those of the original base and the optimizer's state is not, as of an adapter that
                was saved for it: the weights are then moved.
        Raises:
            WiscaError: the state is not that of these transitions and this model.
        """
        if state.get("version") != 1:
            raise WiscaError(f"the state has version {state.get('version')!r}, expected 1", "it must be what state_dict() gave")
        if set(state["totals"]) != set(self._totals) or any(
            state["totals"][name].shape != total.shape for name, total in self._totals.items()
        ):
            raise WiscaError("the rotations of the state are not those of this run", "attach with the same rotate as before")
        ledger = Ledger(self._plan, state["ledger"])
        with torch.no_grad():
            if move:
                solve = ledger.undo()
                self._scale(_inverse(self._factors(solve, solve.next())), states=False)
            for name, (there, here) in _differences(state["weights"], self._print()).items():
                raise WiscaError(
                    f"'{name}' is not the tensor that the state was saved with: its sum of |w| is {here:.6g}, and was {there:.6g}",
                    "load the weights first, and resume with attach(..., resume=state), which makes no transition of its own")
        self._ledger, self._origin = ledger, state["origin"]
        self.steps, self.transitions, self.rotations = state["steps"], state["transitions"], state["rotations"]
        self._totals = {name: total.to(torch.float64).cpu().clone() for name, total in state["totals"].items()}
        self._averages = {name: average.to(torch.float64).cpu().clone() for name, average in state["averages"].items()}
        self._observed = -1

    @property
    def frozen_gains(self) -> List[str]:
        """Gains that must stay uniform, as where the output projection is tied to the embedding: they are not trained."""
        gains = [gain["tensor"] for space in self._spaces for gain in space["gains"] if gain["must_be_uniform"]]
        return list(dict.fromkeys(gains))

    # How.

    def _check_plan(self, states: Sequence[OptimizerState]) -> None:
        touched = {piece["tensor"]: piece["axis"] for exchange in self.plan["exchanges"] for piece in exchange["slices"]}
        if self._rotate is not None:
            if self._adapted:
                raise WiscaError("a base that does not train has no rotation that trains it better", "leave rotate out")
            kinds = ["stream", *(["vo"] if self._rotate.turns_values else [])]
            for kind in kinds:
                if any(space["kind"] == kind for space in self._spaces):
                    continue
                reason = next((entry["reason"] for entry in self.plan["rotation_refusals"] if entry["kind"] == kind), None)
                raise WiscaError(
                    f"rotate {kind}: not exact in this model" + (f": {reason}" if reason else ""), "leave it out of rotate")
            self._spaces = [space for space in self._spaces if space["kind"] in kinds]
            if self._rotate.stream == "hadamard":
                for space in self._spaces:
                    basis_of(self._rotate, space, 0, 0, None)
            for space in self._spaces:
                touched.update(dict.fromkeys(self._live.names_of(space), 0))
        frozen_gains = self.frozen_gains if self._rotate is not None else []
        for name in touched:
            tensor = self._live.weights.base.get(name)
            if tensor is None:
                raise WiscaError(f"a transition needs parameter '{name}', which the model does not have")
            if not is_distributed(tensor) and not tensor.is_contiguous():
                raise WiscaError(
                    f"parameter '{name}' is not contiguous: fused optimizers update such tensors wrongly without a word",
                    "make it contiguous before the optimizer is built")
            if self._adapted or name in frozen_gains:
                continue
            if not tensor.requires_grad:
                raise WiscaError(
                    f"'{name}' is frozen, and a transition would change it",
                    "leave its transition or layer out, or rescale the checkpoint before training with wisca.rescale")
            if not any(name in state for state in states):
                raise WiscaError(
                    f"'{name}' is trained by none of the optimizers, so that its state could not follow",
                    "build the optimizer from this model, after the last to(...) and fully_shard(...); give all of several; "
                    "masters= tells of float32 copies")

    def _check_gains(self) -> None:
        for space in self._spaces:
            obstacle = self._live.obstacle(space)
            if obstacle is not None:
                raise WiscaError(
                    f"rotate {space['kind']}: not exact in this model: {obstacle}",
                    "a model whose output projection is tied to its embedding can be rotated where its last norm's gain is uniform, "
                    "as in a new model")

    def _solve(self) -> Tuple[Solve, Dict[str, Any]]:
        solve = Solve(self._plan)
        while True:
            asked = solve.next()
            if asked["done"]:
                return solve, asked
            solve.provide(self._live.measure(asked["measures"], asked["count"]))

    @staticmethod
    def _factors(solve: Solve, done: Mapping[str, Any]) -> Dict[str, Tuple[Factors, bool]]:
        values = torch.tensor(solve.factors(done["count"]), dtype=torch.float64)
        start, moved = 0, {}
        for entry in done["factors"]:
            axes: List[Optional[Tensor]] = []
            for length in (entry["rows"], entry["columns"]):
                axes.append(values[start : start + length] if length else None)
                start += length
            if any(axis is not None and bool((axis != 1).any()) for axis in axes):
                moved[entry["tensor"]] = ((axes[0], axes[1]), bool(entry["adds_one"]))
        return moved

    def _scale(self, moved: Mapping[str, Tuple[Factors, bool]], states: bool = True) -> None:
        following = {name: (factors, False) for name, factors in self._live.followers(_plain(moved)).items()}
        self._live.scale({**moved, **following}, self._policy, states=states)

    def _turn(self, space: Dict[str, Any], index: int) -> Tuple[SpaceRotation, Tensor]:
        assert self._rotate is not None
        covariance = self._covariance(space)
        rotation = self._agreed(basis_of(self._rotate, space, index, self.steps, covariance))
        skipped = self._live.rotate(space, rotation, self._rotate.gains, self._rotate.state)
        if skipped is not None:
            return SpaceRotation(space["name"], space["kind"], 0.0, skipped), torch.eye(space["size"], dtype=torch.float64)
        diagonal = None
        if covariance is not None:
            diagonal = diagonal_share(covariance), diagonal_share(rotation.T @ covariance @ rotation)
        return SpaceRotation(space["name"], space["kind"], angle_of(rotation), None, diagonal), rotation

    def _covariance(self, space: Dict[str, Any]) -> Optional[Tensor]:
        assert self._rotate is not None
        inner, source, live = self._rotate.inner, self._rotate.stream, self._live
        if source == "gradient":
            if space["name"] not in self._averages:
                raise WiscaError(
                    f"a rotation of {space['name']} goes by gradients, and none was taken up so far",
                    "make the step with the optimizer that was attached, or choose another source: momentum")
            return self._averages[space["name"]]
        if source == "momentum":
            if all(live.momentum(piece["tensor"]) is None for piece in space["slices"]):
                raise WiscaError(
                    f"a rotation of {space['name']} goes by the optimizer's momenta, but it keeps none",
                    "choose an optimizer with momentum, or another source: gradient")
            return live.covariance(space, live.momentum, are_weights=False, inner_only=inner)
        if source == "weights":
            return live.covariance(space, live.weight, are_weights=True, inner_only=inner)
        return None

    def _take_up(self) -> None:
        assert self._rotate is not None
        kept = self._rotate.average**4
        for space in self._spaces:
            covariance = self._live.covariance(
                space, lambda name: self._live.weights[name].grad, are_weights=False, inner_only=self._rotate.inner)
            average = self._averages.get(space["name"])
            self._averages[space["name"]] = (
                covariance * (1 - kept) if average is None else average * kept + covariance * (1 - kept))

    def _before_step(self, optimizer: Any, arguments: Any, keywords: Any) -> None:
        infinite = getattr(optimizer, "found_inf", None)
        if infinite is not None and bool(infinite):
            # A GradScaler has told the fused optimizer to leave this step out.
            for gain in self.frozen_gains:
                self._live.weights[gain].grad = None
            return
        self.observe()

    def _is_over_threshold(self) -> bool:
        threshold = self._trigger.threshold
        if threshold is None or not self._trigger.is_allowed(self.steps):
            return False
        return max((abs(ratio) for _, ratio in self.imbalances()), default=0.0) > threshold

    def _probe(self) -> Optional[float]:
        if self._verify is None:
            return None
        with torch.no_grad():
            return float(self._verify())

    def _is_double(self) -> bool:
        return any(self._live.weight(name).dtype == torch.float64 for name in self._live.weights.base)

    def _write_ledger(self, folder: str) -> None:
        totals = None
        if self.rotations:
            totals = torch.cat([self._totals[space["name"]].reshape(-1) for space in self._spaces])
        # A checkpoint that is written again has the ledger of weights that are gone; it may be what training began from.
        stale = [*glob.glob(os.path.join(glob.escape(folder), "wisca-rotation-*.safetensors")), os.path.join(folder, "wisca.json")]
        stale = [path for path in stale if os.path.isfile(path)]
        if not stale:
            self._ledger.write(folder, totals, self._origin)
            return
        with tempfile.TemporaryDirectory(prefix=".wisca-", dir=folder) as aside:
            for path in stale:
                os.replace(path, os.path.join(aside, os.path.basename(path)))
            try:
                is_origin = self._origin is not None and os.path.realpath(self._origin) == os.path.realpath(folder)
                self._ledger.write(folder, totals, aside if is_origin else self._origin)
            except BaseException:
                for path in stale:
                    os.replace(os.path.join(aside, os.path.basename(path)), path)
                raise

    def _print(self) -> Dict[str, float]:
        """Of every weight that may move the sum of |w|, to know it again."""
        names = [piece["tensor"] for exchange in self.plan["exchanges"] for piece in exchange["slices"]]
        names += [piece["tensor"] for space in self._spaces for piece in space["slices"]]
        names = list(dict.fromkeys(names))
        measures = [
            {"kind": "axis", "tensor": name, "axis": 1, "parts": 1, "adds_one": False, "others": None, "second_moments": False}
            for name in names]
        lengths = [self._live.weights[name].shape[-1] for name in names]
        for index, name in enumerate(names):
            if self._live.weights[name].dim() < 2:
                measures[index]["axis"] = 0
        numbers = self._live.measure(measures, 2 * sum(lengths))
        sums, start = {}, 0
        for name, length in zip(names, lengths):
            sums[name] = float(numbers[start : start + length].sum())
            start += 2 * length
        return sums

    def _processes(self, model: nn.Module) -> Any:
        """The group of processes that must turn alike: that of the sharded parameters, or of data parallelism."""
        while model is not None:
            if type(model).__name__ == "DistributedDataParallel":
                return model.process_group
            model = getattr(model, "_orig_mod", None)  # type: ignore[assignment]
        for tensor in self._live.weights.base.values():
            if is_distributed(tensor):
                mesh = tensor.device_mesh
                if mesh.ndim == 1:
                    return mesh.get_group()
                import torch.distributed as dist

                if mesh.size() == dist.get_world_size():
                    return dist.group.WORLD
        return None

    def _agreed(self, rotation: Tensor) -> Tensor:
        """The first process's matrix, to the bit: other processors may decompose a little differently."""
        if self._group is None:
            return rotation
        import torch.distributed as dist

        backend = dist.get_backend(self._group)
        sent = rotation.cuda() if "nccl" in backend else rotation.clone()
        dist.broadcast(sent, src=dist.get_global_rank(self._group, 0), group=self._group)
        return sent.cpu()


def attachment_of(model: Any) -> Attachment:
    """What `attach` made for a model.

    Raises:
        WiscaError: nothing is attached.
    """
    reference = _ATTACHED.get(model) if isinstance(model, nn.Module) else None
    attachment = reference() if reference is not None else None
    if attachment is None:
        raise WiscaError(
            f"nothing is attached to this {type(model).__name__}, or it is gone",
            "keep what wisca.attach returns; to undo a saved model give its folder: wisca.undo(folder, out)")
    return attachment


def _check_together(exchanges: Mapping[str, Any], rotate: Optional[RotationOptions]) -> None:
    if rotate is None:
        return
    presets = (exchanges.get("preset") or "").split("+")
    if exchanges.get("all"):
        raise WiscaError("all and rotate are given, expected one of the two", "name tensor or kv-head of qk and vo beside rotate")
    if exchanges.get("norms") == "channel":
        raise WiscaError("norms is channel although the stream is rotated", "factors of single channels do not outlast a rotation: tensor")
    if rotate.turns_values and (exchanges.get("vo") == "channel" or "vo_row" in presets):
        raise WiscaError("vo is channel although values are rotated", "factors of single channels do not outlast a rotation: kv-head")


def _check_zero(
    rotate: Optional[RotationOptions], exchanges: Mapping[str, Any], averages: Sequence[Any], masters: Mapping[Any, Tensor], adapted: bool
) -> None:
    wrong = (
        "rotations" if rotate is not None else "criterion spectral" if exchanges.get("criterion") == "spectral"
        else "averages and masters" if averages or masters else "adapters" if adapted else None)
    if wrong is not None:
        raise WiscaError(
            f"{wrong}: not with DeepSpeed's ZeRO, which keeps runs of flattened parameters",
            "leave it out, shard with fully_shard (FSDP2), or move the saved checkpoint with wisca.rescale")


def _plain(moved: Mapping[str, Tuple[Factors, bool]]) -> Dict[str, Factors]:
    return {name: factors for name, (factors, _) in moved.items()}


def _inverse(moved: Mapping[str, Tuple[Factors, bool]]) -> Dict[str, Tuple[Factors, bool]]:
    return {
        name: ((None if rows is None else 1 / rows, None if columns is None else 1 / columns), adds_one)
        for name, ((rows, columns), adds_one) in moved.items()}


def _exact(moved: Mapping[str, Tuple[Factors, bool]]) -> bool:
    return all(are_powers_of_two(rows) and are_powers_of_two(columns) for (rows, columns), _ in moved.values())


def _rotation_tolerance(dtype: torch.dtype) -> float:
    return 1e-11 if dtype == torch.float64 else 1e-5 if dtype == torch.float32 else 3e-2


def _differences(there: Mapping[str, float], here: Mapping[str, float]) -> Dict[str, Tuple[float, float]]:
    return {
        name: (there.get(name, 0.0), value) for name, value in here.items()
        if not abs(there.get(name, 0.0) - value) <= _SAME_WEIGHTS * abs(value)}


def _average(average: Any) -> Dict[str, Tensor]:
    if isinstance(average, Mapping):
        return dict(average)
    return weights_of(average).base


def _origin_of(model: nn.Module) -> Optional[str]:
    """The folder that the weights came from, where it has a ledger."""
    folder = getattr(getattr(bare(model), "config", None), "_name_or_path", None)
    return folder if folder and os.path.isfile(os.path.join(folder, "wisca.json")) else None


def _saver(model: Any) -> Any:
    while not hasattr(model, "save_pretrained"):
        model = model.module if hasattr(model, "module") else model._orig_mod
    return model


def _rank() -> int:
    import torch.distributed as dist

    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
