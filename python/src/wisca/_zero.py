"""Parameters that DeepSpeed's ZeRO keeps as runs of flat buffers, through what DeepSpeed has to ask for them.

Stages 1 and 2 leave the parameter whole and spread its float32 copy and state: `parameter._hp_mapping` says which run of it is here.
Stage 3 spreads the parameter too, and `deepspeed.utils.safe_get_local_*` and `safe_set_local_*` give and take each process's run.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ._errors import WiscaError
from ._optimizers import ELEMENTS, Kept, OptimizerState, roles_of
from ._shards import Shard


def zero_optimizer(optimizer: Any) -> Optional[Any]:
    """DeepSpeed's optimizer of flat partitions among what wraps it (its engine, accelerate); None where there is none."""
    while optimizer is not None:
        if type(optimizer).__name__ in ("DeepSpeedZeroOptimizer", "DeepSpeedZeroOptimizer_Stage3", "BF16_Optimizer"):
            return optimizer
        optimizer = getattr(optimizer, "optimizer", None)
    return None


class ZeroTensor:
    """A parameter's float32 copy, or what is kept beside it, as ZeRO spreads it: the shape is that of the whole.

    Attributes:
        parameter: the model's.
        key: of the optimizer's state; None for the float32 copy.
    """

    def __init__(self, parameter: Tensor, name: str, group: Any, key: Optional[str] = None) -> None:
        self.parameter, self.name, self.group, self.key = parameter, name, group, key

    @property
    def is_spread(self) -> bool:
        """True where the parameter itself is spread (stage 3)."""
        return hasattr(self.parameter, "ds_id")

    @property
    def shape(self) -> torch.Size:
        """The whole's."""
        return torch.Size(self.parameter.ds_shape) if self.is_spread else self.parameter.shape

    @property
    def dtype(self) -> torch.dtype:
        """float32 as DeepSpeed keeps it, in every process the same."""
        return torch.float64 if self.parameter.dtype == torch.float64 else torch.float32

    @property
    def requires_grad(self) -> bool:
        """True where it trains."""
        return self.parameter.requires_grad

    def dim(self) -> int:
        """The whole's dimensions."""
        return len(self.shape)

    def is_contiguous(self) -> bool:
        """Always: it lies in a flat buffer."""
        return True

    def shard(self) -> Shard:
        """What lies here."""
        start, local = self._spread() if self.is_spread else self._whole()
        return Shard(local, (), tuple(self.shape), (self.group,), self, start=start, store=self._store)

    def _spread(self) -> Tuple[int, Tensor]:
        import torch.distributed as dist

        utils = _utils()
        local = (
            utils.safe_get_local_fp32_param(self.parameter) if self.key is None
            else utils.safe_get_local_optimizer_state(self.parameter, self.key))
        if local is None:
            raise WiscaError(f"'{self.name}' has no float32 partition", "leave its transition out: it does not train")
        # Partitions are of one length; the last ones may end in padding, or be nothing else.
        start = min(dist.get_rank(self.group) * local.numel(), self.shape.numel())
        return start, local.reshape(-1)[: self.shape.numel() - start]

    def _whole(self) -> Tuple[int, Tensor]:
        mapping = self.parameter._hp_mapping
        if mapping is None:
            return 0, torch.empty(0, dtype=self.dtype, device=self.parameter.device)
        return mapping.lp_fragment_address.start, mapping.get_hp_fragment(self.key).reshape(-1)

    def _store(self, local: Tensor) -> None:
        """Takes what was changed. Of the float32 copy every process calls it: the 16-bit parameter is made of all of it."""
        utils = _utils()
        if not self.is_spread:
            if self.key is None:
                self.parameter.data.copy_(utils.safe_get_full_fp32_param(self.parameter))
            return
        partition = self.parameter.ds_tensor
        padded = torch.zeros(partition.numel(), dtype=local.dtype, device=local.device)
        padded[: local.numel()] = local
        if self.key is not None:
            utils.safe_set_local_optimizer_state(self.parameter, padded, self.key)
            return
        utils.safe_set_local_fp32_param(self.parameter, padded)
        partition.data.copy_(padded.reshape(partition.shape))


class ZeroState(OptimizerState):
    """What the optimizer under ZeRO keeps, in flat partitions."""

    def __init__(self, optimizer: Any, parameters: Mapping[str, Any]) -> None:
        self.optimizer = optimizer.optimizer
        self.roles = roles_of(self.optimizer)
        self._keys = {name: tensor for name, tensor in parameters.items() if isinstance(tensor, ZeroTensor)}

    def of(self, name: str) -> List[Kept]:
        """The tensors that are kept beside a parameter: those of its own length."""
        tensor = self._keys.get(name)
        if tensor is None:
            return []
        found = []
        for key in self._names():
            role = self.roles.states.get(key)
            if role is None or role.form != ELEMENTS:
                raise WiscaError(
                    f"optimizer {type(self.optimizer).__name__} keeps '{key}' beside '{name}', which ZeRO spreads in a way that is not "
                    "known", f"if it has the parameter's shape: wisca.register_optimizer({type(self.optimizer).__name__}, ...)")
            found.append(Kept(key, ZeroTensor(tensor.parameter, name, tensor.group, key), role))  # type: ignore[arg-type]
        return found

    def master_of(self, name: str) -> Optional[Tensor]:
        """None: what stands for the parameter is its float32 copy already."""
        return None

    def reset(self, name: str) -> None:
        """Makes moments as before the first step; the number of steps is that of a whole group and stays."""
        for kept in self.of(name):
            if kept.role.degree < 0:
                shard = kept.tensor.shard()  # type: ignore[attr-defined]
                shard.local.zero_()
                shard.stored()

    def _names(self) -> Sequence[str]:
        """The keys of flat state, which is the same for all of a group."""
        names: Dict[str, None] = {}
        for flat, entries in self.optimizer.state.items():
            names.update(
                (key, None) for key, value in entries.items()
                if isinstance(value, Tensor) and value.dim() and value.shape == flat.shape)
        return list(names)


def spread(parameters: Mapping[str, Tensor], optimizer: Any) -> Dict[str, Any]:
    """Parameters as ZeRO's float32 partitions; those that it does not have stay.

    Raises:
        WiscaError: DeepSpeed is too old to be asked for them.
    """
    found: Dict[str, Any] = {}
    for name, parameter in parameters.items():
        if hasattr(parameter, "ds_id"):
            found[name] = ZeroTensor(parameter, name, optimizer.dp_process_group)
        elif hasattr(parameter, "_hp_mapping"):
            found[name] = ZeroTensor(parameter, name, parameter._dp_group)  # type: ignore[attr-defined]
        else:
            found[name] = parameter
    if not any(isinstance(tensor, ZeroTensor) for tensor in found.values()):
        raise WiscaError(
            f"{type(optimizer).__name__} does not tell where the float32 parameters of this model lie",
            "attach to what deepspeed.initialize returned, of version 0.14 or newer")
    return found


def _utils() -> Any:
    try:
        from deepspeed import utils
    except ImportError:
        raise WiscaError("ZeRO's partitions are asked for through deepspeed, which cannot be imported", "pip install deepspeed") from None
    return utils
