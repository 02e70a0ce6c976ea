"""A model in training as transitions see it: measured and multiplied where it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor

from . import _library
from ._errors import WiscaError
from ._names import Weights
from ._optimizers import (
    COLUMNS, ELEMENTS, ROWS, Factors, Kept, OptimizerState, check_scale, scale_state, second_moments, uniform_of)
from ._shards import Shard, all_reduce, axis_sums, moment, scale_, shard_of, turn_

# Of the gains' root mean square: at rates that take gains near to zero, runs without it diverge.
_SMALLEST_GAIN = 0.3

_NOT_FINITE = "the run has diverged; go back to an earlier checkpoint, with a lower learning rate"


@dataclass(frozen=True)
class GainChange:
    """A gain before and after a rotation; both None where it commutes with any."""

    before: Optional[Tensor] = None
    after: Optional[Tensor] = None

    def inverse(self) -> "GainChange":
        """The change of what is multiplied by the gain instead of dividing by it: a norm's bias."""
        if self.before is None or self.after is None:
            return self
        return GainChange(1 / self.before, 1 / self.after)

    def guarded(self) -> "GainChange":
        """The change for momenta and second moments, in which no gain counts as less than a part of their root mean square: they were
        gathered while it was another one, and one near zero would put them out of proportion by any number."""
        if self.before is None:
            return self
        least = _SMALLEST_GAIN * self.before.square().mean().sqrt()
        magnitude = torch.maximum(self.before.abs(), least)
        return GainChange(torch.where(self.before < 0, -magnitude, magnitude), self.after)

    def weights(self, turn: Tensor) -> Tensor:
        """diag(g) R diag(1/g')."""
        return turn if self.before is None else self.before.unsqueeze(1) * turn / self.after

    def momenta(self, turn: Tensor) -> Tensor:
        """diag(1/g) R diag(g')."""
        return self.inverse().weights(turn)


class LiveModel:
    """Weights, their averages, and what optimizers keep beside them."""

    def __init__(
        self, weights: Weights, optimizers: Sequence[OptimizerState], averages: Sequence[Mapping[str, Tensor]],
        masters: Mapping[str, Tensor],
    ) -> None:
        self.weights = weights
        self.optimizers = list(optimizers)
        self.averages = list(averages)
        self.masters = dict(masters)

    def weight(self, name: str) -> Tensor:
        """The tensor that holds the weight: the parameter, or its master."""
        return self._master(name) if self._master(name) is not None else self.weights[name]

    def momentum(self, name: str) -> Optional[Tensor]:
        """The optimizer's momentum of a parameter; None where it has none."""
        for state in self.optimizers:
            for kept in state.of(name):
                if kept.role.degree == -1 and kept.role.linear and kept.role.form == ELEMENTS:
                    return kept.tensor
        return None

    def measure(self, measures: Sequence[Mapping[str, Any]], count: int) -> Tensor:
        """What a solve asks for, one behind the other, on the CPU; sums over all processes."""
        found: List[Tuple[Any, Tensor, str]] = []
        for measure in measures:
            name = measure["tensor"]
            shard = shard_of(self.weight(name), name)
            if measure["kind"] == "spectral":
                found.append(((), _spectral(shard, measure), name))
                continue
            others = None if measure["others"] is None else torch.tensor(measure["others"], dtype=torch.float64)
            sums = [axis_sums(shard, measure["axis"], measure["parts"], measure["adds_one"], others).reshape(-1)]
            if measure["second_moments"]:
                sums.append(self._second_moments(name, measure["axis"]))
            found.append((shard.groups, torch.cat(sums), name))
        numbers = torch.empty(count, dtype=torch.float64)
        by_groups: Dict[Any, List[int]] = {}
        for index, (groups, _, _) in enumerate(found):
            by_groups.setdefault(groups, []).append(index)
        for groups, indices in by_groups.items():
            if not groups:
                continue
            flat = all_reduce(torch.cat([found[index][1] for index in indices]), groups)
            for index, part in zip(indices, flat.split([found[index][1].numel() for index in indices])):
                found[index] = (groups, part, found[index][2])
        start = 0
        for _, values, _ in found:
            numbers[start : start + values.numel()] = values.cpu()
            start += values.numel()
        if start != count:
            raise WiscaError(f"{count} numbers were asked for, and {start} measured", "the library is another one than the package's")
        return numbers

    def _second_moments(self, name: str, axis: int) -> Tensor:
        for state in self.optimizers:
            found = second_moments(state.of(name), axis)
            if found is not None:
                return found
        raise WiscaError(
            f"criterion fisher goes by the optimizer's second moments, and there are none of '{name}'",
            "begin after the first steps (init=False) with Adam or another optimizer that keeps them, or choose another criterion")

    # Scaling.

    def followers(self, factors: Mapping[str, Factors]) -> Dict[str, Factors]:
        """What the factors of a base mean for its LoRA adapters: W' = S W T⁻¹ keeps the function if B' = S B and A' = A T⁻¹.

        Raises:
            WiscaError: an adapter cannot follow.
        """
        found: Dict[str, Factors] = {}
        for name, reason in self.weights.fixed.items():
            if name in factors:
                raise WiscaError(f"'{name}' is to be scaled, and {reason}", "leave its transition out, or merge the adapter first")
        for module in self.weights.modules:
            if module.weight not in factors:
                continue
            rows, columns = factors[module.weight]
            outputs, inputs = (columns, rows) if module.transposed else (rows, columns)
            for name in module.b if outputs is not None else ():
                found[name] = (outputs, None)
            for name in module.a if inputs is not None else ():
                found[name] = (None, inputs)
            for name in module.magnitudes:
                lengths = outputs
                if inputs is not None:
                    one = uniform_of((None, inputs))
                    if one is None:
                        raise WiscaError(
                            f"DoRA's '{name}' follows a factor for all inputs only, and each gets its own",
                            "use granularity tensor for vo and mlp, or merge the adapter first")
                    size = self.weights[name].numel()
                    lengths = torch.full((size,), one, dtype=torch.float64) * (1 if outputs is None else outputs)
                if lengths is not None:
                    found[name] = (lengths, None)
        return found

    def scale(self, moved: Mapping[str, Tuple[Factors, bool]], policy: str, *, states: bool = True) -> None:
        """Multiplies weights, copies and optimizer state by their factors; nothing where something could not follow.

        Args:
            moved: for each tensor its factors, and whether 1 is added to what it stores.
            policy: `transport`, `keep` or `reset`.
            states: False to leave momenta and second moments alone whatever the policy.
        """
        for name, (factors, _) in moved.items():
            for state in self.optimizers:
                for kept in state.of(name):
                    if kept.role.degree > 0 or (policy == "transport" and states):
                        check_scale(kept, name, tuple(self.weights[name].shape), factors)
        for name, (factors, adds_one) in moved.items():
            parameter = self.weights[name]
            master = self._master(name)
            external = name in self.masters
            if master is None or external:
                scale_(shard_of(master if external and master is not None else parameter, name), *factors, adds_one=adds_one)
            for average in self.averages:
                if name in average:
                    scale_(shard_of(average[name], name), *factors, adds_one=adds_one)
            for state in self.optimizers:
                if policy == "reset" and states:
                    state.reset(name)
                kept = [entry for entry in state.of(name) if entry.role.degree > 0 or (policy == "transport" and states)]
                scale_state(kept, factors, tuple(parameter.shape), adds_one)
            self._refresh(name)

    # Rotations.

    def change_of_gains(
        self, space: Mapping[str, Any], rotation: Tensor, policy: str, copy: Callable[[str], Optional[Tensor]]
    ) -> Dict[str, GainChange]:
        """What becomes of the gains in front of what reads a space.

        Raises:
            WiscaError: a gain is too near to zero.
        """
        changes = {}
        for gain in space["gains"]:
            if gain["must_be_uniform"]:
                changes[gain["tensor"]] = GainChange()
                continue
            stored = copy(gain["tensor"])
            if stored is None:
                stored = self.weight(gain["tensor"])
            before = self._gain(stored, gain)
            try:
                after = torch.frombuffer(
                    _library.gains_follow(before.numel(), before, rotation), dtype=torch.float64).clone()
            except WiscaError as error:
                raise WiscaError(f"gain '{gain['tensor']}': {error.message}", error.hint, error.details) from None
            if policy == "fold":
                after = torch.ones_like(before)
            else:
                # As it will be stored: its readers make up for that.
                ones = 1 if gain["adds_one"] else 0
                after = (after - ones).to(stored.dtype).to(torch.float64) + ones
            changes[gain["tensor"]] = GainChange(before, after)
        return changes

    def obstacle(self, space: Mapping[str, Any]) -> Optional[str]:
        """Why the gains that must be uniform do not allow a rotation; None where they do."""
        for gain in space["gains"]:
            if not gain["must_be_uniform"]:
                continue
            values = self._gain(self.weight(gain["tensor"]), gain)
            if not bool((values == values[0]).all()):
                return (
                    f"gain '{gain['tensor']}' is not the same for all channels, and has nowhere to go: the output projection is tied "
                    "to the embedding, or the norm writes into the residual stream")
        return None

    def rotate(self, space: Mapping[str, Any], rotation: Tensor, gains: str, moments: str) -> Optional[str]:
        """Turns a space by an orthogonal matrix: weights, their copies and momenta exactly, second moments as the policy says.

        Args:
            rotation: R, [size, size], float64 on the CPU.
            gains: `follow` or `fold`.
            moments: `keep`, `mix` or `reset`.
        Returns:
            Why nothing was done; None where it was.
        Raises:
            WiscaError: an optimizer's state cannot follow; nothing has changed.
        """
        obstacle = self.obstacle(space)
        if obstacle is not None:
            return obstacle
        tensors = list(dict.fromkeys(piece["tensor"] for piece in space["slices"]))
        self.check_rotation(tensors)
        try:
            # All gains are read before any changes.
            copies = [
                (copy, self.change_of_gains(space, rotation, gains, copy)) for copy in [self.weight, *(a.get for a in self.averages)]]
        except WiscaError as error:
            return error.message
        live = copies[0][1]
        if moments == "reset":
            for state in self.optimizers:
                for name in tensors:
                    state.reset(name)
        for copy, changes in copies:
            for piece in space["slices"]:
                weight = copy(piece["tensor"])
                if weight is not None:
                    change = changes.get(piece["gain"], GainChange())
                    turn_(shard_of(weight, piece["tensor"]), piece["axis"], piece["start"], change.weights(rotation))
            for gain in space["gains"]:
                change = changes[gain["tensor"]]
                shift = copy(gain["bias"]) if gain["bias"] else None
                if shift is not None:
                    turn_(shard_of(shift, gain["bias"]), 0, 0, change.inverse().weights(rotation))
                stored = copy(gain["tensor"])
                if change.after is not None and stored is not None:
                    shard = shard_of(stored, gain["tensor"])
                    shard.local.copy_(shard.part_of(change.after - 1 if gain["adds_one"] else change.after))
        for state in self.optimizers:
            for piece in space["slices"]:
                kept = state.of(piece["tensor"])
                change = live.get(piece["gain"], GainChange())
                if any(entry.role.degree == -2 for entry in kept):
                    change = change.guarded()
                self._turn_moments(kept, piece["tensor"], piece["axis"], piece["start"], change, rotation, moments)
            for gain in space["gains"]:
                change = live[gain["tensor"]]
                if gain["bias"]:
                    self._turn_moments(state.of(gain["bias"]), gain["bias"], 0, 0, change.inverse(), rotation, moments)
                if gains == "fold" and not gain["must_be_uniform"]:
                    for entry in state.of(gain["tensor"]):
                        if entry.role.degree < 0:
                            entry.tensor.zero_()
        for name in self.names_of(space):
            self._refresh(name)
        return None

    def check_rotation(self, tensors: Sequence[str]) -> None:
        """Sees whether all that is kept beside tensors can be turned.

        Raises:
            WiscaError: something cannot.
        """
        for name in tensors:
            for state in self.optimizers:
                for entry in state.of(name):
                    degree, form = entry.role.degree, entry.role.form
                    moment = degree == -2 or (degree == -1 and entry.role.linear)
                    if not (
                        (form == ELEMENTS and degree == 0)
                        or (form == ELEMENTS and degree > 0 and entry.name == state.roles.master)
                        or (form == ELEMENTS and moment and entry.tensor.shape == self.weights[name].shape)
                        or form in (ROWS, COLUMNS)
                    ):
                        raise WiscaError(
                            f"'{entry.name}' that {type(state.optimizer).__name__} keeps of '{name}' cannot follow a rotation",
                            "leave rotate out, or use an optimizer with moments in the parameter's own shape, such as AdamW")

    def covariance(
        self, space: Mapping[str, Any], values: Callable[[str], Optional[Tensor]], *, are_weights: bool, inner_only: bool
    ) -> Tensor:
        """How what reads and writes a space is spread over its axes: the sum over tensors of their products with themselves, each
        divided by its trace. Weights that read behind a norm are taken with its gain, gradients and momenta as they are.

        Raises:
            WiscaError: something is not finite.
        """
        size = space["size"]
        total = torch.zeros(size, size, dtype=torch.float64)
        gains = {}
        if are_weights:
            gains = {
                gain["tensor"]: self._gain(self.weight(gain["tensor"]), gain) for gain in space["gains"] if not gain["must_be_uniform"]}
        by_tensor: Dict[str, List[Mapping[str, Any]]] = {}
        for piece in space["slices"]:
            by_tensor.setdefault(piece["tensor"], []).append(piece)
        for name, pieces in by_tensor.items():
            role = pieces[0]["role"]
            if role == "bias" or (inner_only and role in ("embedding", "head")):
                continue
            tensor = values(name)
            if tensor is None:
                continue
            share = moment(
                shard_of(tensor, name), [(piece["axis"], piece["start"], gains.get(piece["gain"])) for piece in pieces], size)
            if share is None:
                continue
            if not math.isfinite(float(share.sum())):
                raise WiscaError(f"what is kept for parameter '{name}' holds NaN or infinity", _NOT_FINITE)
            total += share
        return total

    def names_of(self, space: Mapping[str, Any]) -> List[str]:
        """All parameters that a rotation of a space changes."""
        names = [piece["tensor"] for piece in space["slices"]]
        for gain in space["gains"]:
            names += [gain["tensor"], *([gain["bias"]] if gain["bias"] else [])]
        return list(dict.fromkeys(names))

    def tensors_of(self, names: Sequence[str]) -> List[Tensor]:
        """All that belongs to parameters: they, their copies, and what is kept of them; to put them back."""
        found: List[Tensor] = []
        for name in names:
            found.append(self.weights[name])
            if name in self.masters:
                found.append(self.masters[name])
            found += [average[name] for average in self.averages if name in average]
            found += [entry.tensor for state in self.optimizers for entry in state.of(name)]
        return found

    def _turn_moments(
        self, kept: Sequence[Kept], name: str, axis: int, start: int, change: GainChange, rotation: Tensor, policy: str
    ) -> None:
        for entry in kept:
            degree = entry.role.degree
            if degree >= 0 or entry.role.form != ELEMENTS:
                continue
            shard = shard_of(entry.tensor, entry.name)
            if degree == -1:
                turn_(shard, axis, start, change.momenta(rotation))
            elif policy == "mix":
                turn_(shard, axis, start, change.momenta(rotation).square())
            elif change.before is not None and change.after is not None:
                length = self.weights[name].shape[axis] if self.weights[name].dim() else 1
                factors = torch.ones(length, dtype=torch.float64)
                factors[start : start + rotation.shape[0]] = (change.after / change.before).square()
                scale_(shard, *((factors, None) if axis == 0 else (None, factors)))
        factored = [entry for entry in kept if entry.role.form in (ROWS, COLUMNS)]
        if factored:
            self._turn_factored(factored, name, axis, start, change, rotation, policy)

    def _turn_factored(
        self, kept: Sequence[Kept], name: str, axis: int, start: int, change: GainChange, rotation: Tensor, policy: str
    ) -> None:
        shape = tuple(self.weights[name].shape)
        if change.before is not None and change.after is not None:
            factors = torch.ones(shape[axis], dtype=torch.float64)
            factors[start : start + rotation.shape[0]] = change.before / change.after
            scale_state(list(kept), (factors, None) if axis == 0 else (None, factors), shape)
        if policy != "mix":
            return
        for entry in kept:
            if entry.role.form == (ROWS if axis == 0 else COLUMNS):
                flat = entry.tensor.detach().reshape(-1)
                part = flat[start : start + rotation.shape[0]]
                mixed = part.to(torch.float64) @ rotation.square().to(part.device)
                flat[start : start + rotation.shape[0]] = mixed.to(flat.dtype)
                entry.tensor.detach().copy_(flat.reshape(entry.tensor.shape))

    def _gain(self, stored: Tensor, gain: Mapping[str, Any]) -> Tensor:
        values = shard_of(stored, gain["tensor"]).whole().to(torch.float64).cpu()
        return (values + 1 if gain["adds_one"] else values.clone()).contiguous()

    def _master(self, name: str) -> Optional[Tensor]:
        if name in self.masters:
            return self.masters[name]
        for state in self.optimizers:
            master = state.master_of(name)
            if master is not None:
                return master
        return None

    def _refresh(self, name: str) -> None:
        """Rounds a master into its parameter."""
        master = self._master(name)
        if master is not None:
            shard_of(self.weights[name], name).local.copy_(shard_of(master, name).local)


def _spectral(shard: Shard, measure: Mapping[str, Any]) -> Tensor:
    whole = shard.whole().to(torch.float64)
    matrix = whole.unsqueeze(1) if whole.dim() < 2 else whole.flatten(0, -2)
    if measure["axis"] == 1:
        matrix = matrix.T
    groups = torch.tensor(measure["group_of_index"], device=matrix.device)
    return torch.stack([torch.linalg.matrix_norm(matrix[groups == group], 2) for group in range(measure["groups"])]).cpu()
