"""A model's weights under the names that a checkpoint gives them, whatever wraps it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import torch
from torch import Tensor, nn

from ._errors import WiscaError
from ._shards import is_distributed

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.bfloat16: "BF16", torch.float16: "F16"}

# Parts of names that torch.compile, activation checkpointing and parallel wrappers put in.
_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_PEFT = "base_model.model."


@dataclass(frozen=True)
class LowRank:
    """A LoRA module: its base's weight, and the factors of each adapter."""

    weight: str
    a: Tuple[str, ...]
    b: Tuple[str, ...]
    magnitudes: Tuple[str, ...] = ()
    transposed: bool = False


@dataclass
class Weights:
    """A model's parameters by name; tied ones once.

    Attributes:
        base: what a checkpoint of the model holds.
        adapters: factors of LoRA, by PEFT's names.
        modules: the LoRA modules.
        fixed: base weights that an adapter has a trained copy of, or adapts in a way that cannot follow, and why.
    """

    base: Dict[str, Tensor]
    adapters: Dict[str, Tensor] = field(default_factory=dict)
    modules: List[LowRank] = field(default_factory=list)
    fixed: Dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Tensor:
        return self.base[name] if name in self.base else self.adapters[name]

    def all(self) -> Dict[str, Tensor]:
        """Base and adapters."""
        return {**self.base, **self.adapters}


def plain_name(name: str) -> str:
    """A name without what wrappers put in."""
    parts = [part for part in name.split(".") if part not in _WRAPPERS]
    while parts and parts[0] == "module":
        parts.pop(0)
    return ".".join(parts)


def weights_of(model: nn.Module) -> Weights:
    """The weights of a model.

    Raises:
        WiscaError: it is flattened by FSDP1, or its weights are quantised.
    """
    for module in model.modules():
        if type(module).__name__ == "FullyShardedDataParallel":
            raise WiscaError(
                "the model is wrapped in FullyShardedDataParallel (FSDP1), which flattens its parameters",
                "use fully_shard (FSDP2), or move the saved checkpoint with wisca.rescale")
    named = [(plain_name(name), parameter) for name, parameter in model.named_parameters()]
    if not any(name.startswith(_PEFT) for name, _ in named):
        return Weights(_once(named))
    return _of_peft(model, named)


def _once(named: List[Tuple[str, Tensor]]) -> Dict[str, Tensor]:
    found: Dict[str, Tensor] = {}
    places = set()
    for name, parameter in named:
        local = parameter._local_tensor if is_distributed(parameter) else parameter
        place = (local.data_ptr(), tuple(parameter.shape)) if local.numel() and local.data_ptr() else id(parameter)
        if place not in places:
            places.add(place)
            found[name] = parameter
    return found


def _without_prefix(name: str) -> str:
    return name[len(_PEFT):] if name.startswith(_PEFT) else name


def _of_peft(model: nn.Module, named: List[Tuple[str, Tensor]]) -> Weights:
    base: List[Tuple[str, Tensor]] = []
    weights = Weights({})
    factors: Dict[str, Dict[str, List[str]]] = {}
    for name, parameter in named:
        name = _without_prefix(name)
        for key in ("lora_A", "lora_B", "lora_magnitude_vector"):
            if f".{key}." in name:
                factors.setdefault(name.partition(f".{key}.")[0], {}).setdefault(key, []).append(name)
                weights.adapters[name] = parameter
                break
        else:
            if ".modules_to_save." in name:
                module, _, rest = name.partition(".modules_to_save.")
                weights.fixed[f"{module}.{rest.partition('.')[2]}"] = "an adapter has a trained copy of it (modules_to_save)"
                weights.adapters[name] = parameter
            elif ".lora_" in name or ".token_adapter." in name or ".trainable_tokens" in name:
                module = name.partition(".lora_" if ".lora_" in name else ".t")[0]
                weights.fixed[f"{module}.weight"] = f"an adapter's {name[len(module) + 1:]} would not follow it"
                weights.adapters[name] = parameter
            else:
                base.append((name.replace(".base_layer.", ".").replace(".original_module.", "."), parameter))
    weights.base = _once(base)
    transposed = {
        _without_prefix(plain_name(name))
        for name, module in model.named_modules() if getattr(module, "fan_in_fan_out", False)
    }
    for module, parts in factors.items():
        weights.modules.append(LowRank(
            f"{module}.weight", tuple(parts.get("lora_A", ())), tuple(parts.get("lora_B", ())),
            tuple(parts.get("lora_magnitude_vector", ())), module in transposed))
    return weights


def check_types(weights: Mapping[str, Tensor]) -> None:
    """Sees that all matrices are stored as numbers that can be multiplied.

    Raises:
        WiscaError: one is quantised.
    """
    for name, tensor in weights.items():
        if tensor.dim() >= 2 and tensor.dtype not in DTYPES or type(tensor).__name__ in ("Params4bit", "Int8Params"):
            raise WiscaError(
                f"'{name}' is stored as {str(tensor.dtype).replace('torch.', '')} ({type(tensor).__name__}): quantised weights "
                "cannot be multiplied by factors exactly",
                "load the model in bfloat16 or float32, or rescale the checkpoint before it is quantised")


def config_of(model: nn.Module, config: Any) -> Dict[str, Any]:
    """The content of the model's config.json.

    Args:
        config: a dict, a transformers configuration, a folder or a file; None to take the model's own.
    Raises:
        WiscaError: there is none.
    """
    if config is None:
        config = _own_config(model)
        if config is None:
            raise WiscaError(
                f"{type(model).__name__} has no transformers configuration that would tell its architecture",
                "give config= (a dict, a folder or a config.json)")
    if isinstance(config, (str, os.PathLike)):
        path = Path(config)
        path = path / "config.json" if path.is_dir() else path
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WiscaError(f"{path}: {error}", "give a config.json as Hugging Face models have it") from None
    if hasattr(config, "to_json_string"):
        content = json.loads(config.to_json_string())
        if not content.get("architectures"):
            # fully_shard puts a class of its own in front.
            names = (kind.__name__ for kind in type(bare(model)).__mro__)
            content["architectures"] = [next(name for name in names if not name.startswith("FSDP"))]
        return content
    return dict(config)


def bare(model: Any) -> Any:
    """The model without what wraps it: compilation, data parallelism, PEFT."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in ("DistributedDataParallel", "DataParallel", "DeepSpeedEngine", "AveragedModel"):
            inner = model.module
        if inner is None and hasattr(model, "get_base_model") and hasattr(model, "peft_config"):
            inner = model.get_base_model()
        if inner is None:
            return model
        model = inner


def _own_config(model: nn.Module) -> Any:
    config = getattr(bare(model), "config", None)
    return config if hasattr(config, "to_json_string") or isinstance(config, dict) else None


def table_of(table: Any) -> Optional[Dict[str, Any]]:
    """An architecture table: a dict, or a JSON file."""
    if table is None or isinstance(table, dict):
        return table
    try:
        return json.loads(Path(table).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WiscaError(f"{table}: {error}", "see docs/adding-an-architecture.md") from None
