"""What optimizers keep for a parameter, and how it follows when the parameter is multiplied by s: by s to the power of its degree.

+1 copies and averages of weights, -1 gradients gathered as they are (momenta), -2 their squares, 0 what does not depend on s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

import torch
from torch import Tensor

from ._errors import WiscaError
from ._shards import Shard, axis_sums, is_distributed, power_of, scale_, shard_of

ELEMENTS, WHOLE, ROWS, COLUMNS, BLOCKS, CODES = "elements", "whole", "rows", "columns", "blocks", "codes"


@dataclass(frozen=True)
class Role:
    """What a tensor of an optimizer's state is.

    Attributes:
        degree: the power of s that it follows with.
        form: `elements`, one for each of the parameter's; `rows` and `columns`, means over the other axis; `blocks`, the scale of
            each run of elements whose `codes` lie beside it; `whole`, anything that only a factor for all of the parameter is exact for.
        linear: True where it is a sum of gradients or weights, which a rotation takes along exactly.
    """

    degree: float
    form: str = ELEMENTS
    linear: bool = True


@dataclass(frozen=True)
class Roles:
    """What a kind of optimizer keeps, by key."""

    states: Mapping[str, Role]
    master: Optional[str] = None
    refused: Optional[str] = None


def _moments(**degrees: float) -> Roles:
    return Roles({name: Role(degree, linear=abs(degree) == 1) for name, degree in degrees.items()})


_BITSANDBYTES = {
    **dict.fromkeys(("Adam", "AdamW", "LAMB"), (-1, -2)),
    **dict.fromkeys(("Lion", "SGD", "LARS"), (-1, None)),
    **dict.fromkeys(("RMSprop", "Adagrad"), (-2, None)),
}

# By the names that these classes and their state have where they are published.
_KNOWN: Dict[str, Roles] = {
    "Adam": _moments(exp_avg=-1, exp_avg_sq=-2, max_exp_avg_sq=-2),
    # DeepSpeed's own, of the same formula.
    **dict.fromkeys(("FusedAdam", "DeepSpeedCPUAdam"), _moments(exp_avg=-1, exp_avg_sq=-2)),
    "AdamW": _moments(exp_avg=-1, exp_avg_sq=-2, max_exp_avg_sq=-2),
    "NAdam": Roles({**_moments(exp_avg=-1, exp_avg_sq=-2).states, "mu_product": Role(0)}),
    "RAdam": _moments(exp_avg=-1, exp_avg_sq=-2),
    "SGD": _moments(momentum_buffer=-1),
    # Its momentum is one of updates that are divided by the root already, which no factor changes.
    "RMSprop": Roles({**_moments(square_avg=-2, grad_avg=-1).states, "momentum_buffer": Role(0, WHOLE)}),
    "Adagrad": _moments(sum=-2),
    "Muon": _moments(momentum_buffer=-1),
    "Lion": _moments(exp_avg=-1),
    "Adafactor": Roles({
        **_moments(exp_avg=-1, exp_avg_sq=-2, variance=-2).states,
        "row_var": Role(-2, ROWS, False), "exp_avg_sq_row": Role(-2, ROWS, False),
        "col_var": Role(-2, COLUMNS, False), "exp_avg_sq_col": Role(-2, COLUMNS, False),
        # Of the weights, measured anew in every step.
        "RMS": Role(0),
    }),
    # Published versions keep exp_avg in the parameter's own basis or in Q; one factor for all of it is exact in either.
    "SOAP": Roles({
        "exp_avg": Role(-1, WHOLE), "exp_avg_sq": Role(-2, WHOLE), "GG": Role(-2, WHOLE), "Q": Role(0, WHOLE),
    }),
    "Shampoo": Roles({
        "momentum_buffer": Role(-1), **{f"precond_{axis}": Role(-2, WHOLE) for axis in range(2)},
        **{f"inv_precond_{axis}": Role(1, WHOLE) for axis in range(2)},
    }),
    "LBFGS": Roles({}, refused="it keeps steps and gradients of all parameters in one vector"),
}

_REGISTERED: Dict[Union[type, str], Roles] = {}


def register_optimizer(
    optimizer: Union[type, str], degrees: Mapping[str, Union[float, Role]], *, master: Optional[str] = None
) -> None:
    """Declares what an optimizer keeps in `optimizer.state[parameter]`.

    Args:
        optimizer: its class, or the class's name.
        degrees: for each tensor its degree: +1 for copies and averages of weights, -1 for momenta, -2 for second moments, 0 for what
            stays. An optimizer without state has none: `{}`.
        master: the key of the float32 copy that the optimizer trains in the place of a 16-bit parameter, if it keeps one.
    """
    states = {
        name: degree if isinstance(degree, Role) else Role(degree, linear=abs(degree) == 1) for name, degree in degrees.items()
    }
    if master is not None:
        states[master] = Role(1)
    _REGISTERED[optimizer] = Roles(states, master)


def unwrapped(optimizer: Any) -> Any:
    """The optimizer itself: accelerate and others wrap it."""
    while not hasattr(optimizer, "state") or type(optimizer).__name__ == "AcceleratedOptimizer":
        inner = getattr(optimizer, "optimizer", None)
        if inner is None:
            break
        optimizer = inner
    return optimizer


def roles_of(optimizer: Any) -> Roles:
    """What an optimizer keeps.

    Raises:
        WiscaError: its kind is not known.
    """
    kind = type(optimizer)
    for parent in kind.__mro__:
        roles = _REGISTERED.get(parent) or _REGISTERED.get(parent.__name__)
        if roles is None and parent.__module__.partition(".")[0] == "bitsandbytes":
            roles = _bitsandbytes(parent.__name__)
        if roles is None:
            roles = _KNOWN.get(parent.__name__)
        if roles is None:
            continue
        if roles.refused is not None:
            raise WiscaError(
                f"the state of {kind.__name__} cannot follow a transition: {roles.refused}",
                "choose another optimizer, or move the saved checkpoint with wisca.rescale")
        return roles
    raise WiscaError(
        f"the state of optimizer {kind.__name__} is not known, so it could not follow a transition",
        f"say what it keeps: wisca.register_optimizer({kind.__name__}, "
        "degrees={'momentum': -1, 'second_moment': -2}), or degrees={} for nothing")


def _bitsandbytes(name: str) -> Optional[Roles]:
    stem = name.replace("Paged", "").replace("8bit", "").replace("32bit", "")
    degrees = _BITSANDBYTES.get(stem)
    if degrees is None:
        return None
    states: Dict[str, Role] = {"unorm_vec": Role(0)}
    for index, degree in enumerate(degrees, 1):
        if degree is None:
            continue
        states[f"state{index}"] = Role(degree, linear=degree == -1)
        states[f"absmax{index}"] = Role(degree, BLOCKS)
        states[f"qmap{index}"] = Role(0)
        # Without blocks: one scale for the whole tensor, and the next one.
        states[f"max{index}"] = states[f"new_max{index}"] = Role(degree, WHOLE, False)
    return Roles(states)


@dataclass(frozen=True)
class Kept:
    """A tensor of state beside a parameter."""

    name: str
    tensor: Tensor
    role: Role


class OptimizerState:
    """What an optimizer keeps for the parameters of a model, by their names."""

    def __init__(self, optimizer: Any, parameters: Mapping[str, Tensor], masters: Mapping[str, Tensor]) -> None:
        self.optimizer = unwrapped(optimizer)
        self.roles = roles_of(self.optimizer)
        keys = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        self._keys = {}
        for name, parameter in parameters.items():
            key = masters.get(name, parameter)
            if id(key) in keys:
                self._keys[name] = key

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def of(self, name: str) -> List[Kept]:
        """The tensors that are kept beside a parameter.

        Raises:
            WiscaError: one is kept that nothing is known of.
        """
        if name not in self._keys:
            return []
        found = []
        for key, value in self._entries(name).items():
            for tensor in value if isinstance(value, (list, tuple)) else (value,):
                if not isinstance(tensor, Tensor) or key == "step":
                    continue
                role = self.roles.states.get(key)
                if role is None:
                    kind = type(self.optimizer).__name__
                    raise WiscaError(
                        f"optimizer {kind} keeps '{key}' beside '{name}', of which nothing is known",
                        f"say what it keeps: wisca.register_optimizer({kind}, degrees={{'{key}': -1}}) and so on for each of its tensors")
                if tensor.dtype == torch.uint8 and role.form == ELEMENTS:
                    role = Role(role.degree, CODES, role.linear)
                found.append(Kept(key, tensor, role))
        return found

    def master_of(self, name: str) -> Optional[Tensor]:
        """The float32 copy that is trained in the place of a parameter."""
        if self.roles.master is None or name not in self._keys:
            return None
        return self._entries(name).get(self.roles.master)

    def reset(self, name: str) -> None:
        """Makes it as before the first step; masters and averages stay."""
        if name not in self._keys or not self._entries(name):
            return
        entries = self._entries(name)
        kept = {key: value for key, value in entries.items() if self.roles.states.get(key, Role(0)).degree > 0
                and self.roles.states[key].form == ELEMENTS}
        entries.clear()
        entries.update(kept)

    def _entries(self, name: str) -> Dict[str, Any]:
        # Not state[key]: asking would make an entry.
        return self.optimizer.state.get(self._keys[name], {})


Factors = Tuple[Optional[Tensor], Optional[Tensor]]


def uniform_of(factors: Factors) -> Optional[float]:
    """The one factor of all elements; None where they differ."""
    product = 1.0
    for values in factors:
        if values is None:
            continue
        if not bool((values == values[0]).all()):
            return None
        product *= float(values[0])
    return product


def check_scale(kept: Kept, name: str, shape: Tuple[int, ...], factors: Factors) -> None:
    """Sees whether a tensor of state can follow, before anything moves.

    Raises:
        WiscaError: it cannot.
    """
    form = kept.role.form
    if kept.role.degree == 0 or form == CODES or uniform_of(factors) is not None:
        return
    if form == ELEMENTS and tuple(kept.tensor.shape) == shape:
        return
    if form in (ROWS, COLUMNS):
        if is_distributed(kept.tensor):
            raise WiscaError(
                f"'{kept.name}' of '{name}' is factored and spread over processes, where only a factor for a whole tensor follows",
                "use granularity tensor")
        return
    if form == BLOCKS:
        rows, columns = factors
        block = _block_size(kept, shape)
        if columns is None and len(shape) == 2 and shape[1] % block == 0:
            return
        raise WiscaError(
            f"'{kept.name}' of '{name}' has a scale for each {block} elements, which lie in more than one row or get factors by columns",
            "use granularity tensor, or leave this parameter in 32 bits (GlobalOptimManager of bitsandbytes)")
    raise WiscaError(
        f"'{kept.name}' of '{name}' follows a factor for the whole parameter only, and its rows or columns get different ones",
        "use granularity tensor, or wisca.register_optimizer(..., degrees={...}) where it has the parameter's shape")


def _block_size(kept: Kept, shape: Tuple[int, ...]) -> int:
    elements = 1
    for length in shape:
        elements *= length
    count = max(1, kept.tensor.numel())
    block = 1
    while block * count < elements:
        block *= 2
    return block


def scale_state(kept: List[Kept], factors: Factors, shape: Tuple[int, ...], adds_one: bool = False) -> None:
    """Lets what is kept beside a parameter follow its factors."""
    one = uniform_of(factors)
    rows, columns = factors
    pairs = {entry.role.form: entry for entry in kept if entry.role.form in (ROWS, COLUMNS)}
    for entry in kept:
        degree, form = entry.role.degree, entry.role.form
        if degree == 0 or form == CODES or form in (ROWS, COLUMNS):
            continue
        shard = shard_of(entry.tensor, entry.name)
        if adds_one and degree > 0:
            # A copy of a gain of which 1 is not stored.
            scale_(shard, rows, columns, adds_one=True)
        elif one is not None:
            _multiply(shard.local, power_of(torch.tensor([one], dtype=torch.float64), degree))
            shard.stored()
        elif form == BLOCKS:
            assert rows is not None
            block = _block_size(entry, shape)
            _multiply(shard.local, power_of(rows, degree).repeat_interleave(shape[1] // block))
        else:
            scale_(
                shard, None if rows is None else power_of(rows, degree), None if columns is None else power_of(columns, degree))
    if pairs:
        _scale_pair(pairs.get(ROWS), pairs.get(COLUMNS), factors)


def _multiply(target: Tensor, factors: Tensor) -> None:
    """By one factor, or one for each element of a vector."""
    flat = target.view(-1) if target.is_contiguous() and target.dim() else target
    if factors.numel() > 1 or flat.dim() != 1:
        factors = factors.to(target.device)
        target.copy_(target.to(torch.float64) * (factors if factors.numel() > 1 else factors.reshape(())))
        return
    size = max(1, flat.numel() // 1024)
    while flat.numel() % size:
        size -= 1
    # As a matrix, for blocks.
    matrix = flat.view(size, -1)
    scale_(Shard(matrix, (0, 0), tuple(matrix.shape)), factors.expand(size), None)


def _scale_pair(by_rows: Optional[Kept], by_columns: Optional[Kept], factors: Factors) -> None:
    """Means of squares over the other axis, of which v is R C / mean(R): exact in that form."""
    rows, columns = factors
    if by_rows is None or by_columns is None:
        raise WiscaError("of factored second moments one half is missing", "reset the optimizer's state")
    row, column = by_rows.tensor.detach(), by_columns.tensor.detach()
    flat_row = row.reshape(-1, row.shape[-2] if row.shape[-1] == 1 and row.dim() > 1 else row.shape[-1])
    width = column.shape[-1]
    flat_column = column.reshape(-1, width)
    if flat_row.shape[0] != 1 or flat_column.shape[0] != 1:
        one = uniform_of(factors)
        if one is None:
            raise WiscaError("factored second moments of a stack of matrices follow one factor only", "use granularity tensor")
    wide_row, wide_column = flat_row.to(torch.float64), flat_column.to(torch.float64)
    new_row, new_column = wide_row, wide_column
    one = uniform_of(factors)
    if one is not None:
        new_row, new_column = wide_row * one**-2, wide_column * one**-2
    else:
        if rows is not None:
            scaled = wide_row * power_of(rows.to(row.device), -2)
            new_column = new_column * (scaled.sum() / wide_row.sum())
            new_row = scaled
        if columns is not None:
            scaled = wide_column * power_of(columns.to(row.device), -2)
            new_row = new_row * (scaled.sum() / wide_column.sum())
            new_column = new_column * power_of(columns.to(row.device), -2)
    row.copy_(new_row.reshape(row.shape))
    column.copy_(new_column.reshape(column.shape))


def second_moments(kept: Iterable[Kept], axis: int) -> Optional[Tensor]:
    """For each index along an axis the sum of the second moments here; None where none are kept."""
    for entry in kept:
        if entry.role.degree == -2 and entry.role.form == ELEMENTS:
            return axis_sums(shard_of(entry.tensor, entry.name), axis, absolute=False)[0]
    return None
