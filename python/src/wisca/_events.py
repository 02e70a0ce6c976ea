"""What a transition or a rotation did."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple


@dataclass(frozen=True)
class TransitionEvent:
    """One transition in training.

    Attributes:
        step: number of optimizer steps before it.
        groups: for each group its exchange, layer, kind, label, norms before, factor and outcome.
        seconds: what it took.
        objective: where exchanges were balanced jointly, what that made small, before and after, and the number of sweeps.
        loss: the loss of the probe before and after; None where nothing was verified.
    """

    step: int
    groups: List[Dict[str, Any]]
    seconds: float
    objective: Optional[Dict[str, Any]] = None
    loss: Optional[Tuple[float, float]] = None

    @property
    def scaled(self) -> int:
        """Number of groups that were scaled."""
        return sum(group["outcome"] == "scaled" for group in self.groups)

    @property
    def largest_log2(self) -> float:
        """The largest |log2 s| of a group."""
        return max((abs(math.log2(group["factor"])) for group in self.groups), default=0.0)

    @property
    def imbalance(self) -> float:
        """The largest |log2| of the ratio of a group's two norms, before."""
        return max((abs(ratio) for _, ratio in ratios(self.groups)), default=0.0)

    def metrics(self) -> Dict[str, float]:
        """For a log."""
        return {
            "wisca/scaled": float(self.scaled), "wisca/largest_log2": self.largest_log2, "wisca/imbalance": self.imbalance,
            "wisca/seconds": self.seconds,
        }


@dataclass(frozen=True)
class SpaceRotation:
    """What a rotation did to one space.

    Attributes:
        space: its name.
        kind: `stream` or `vo`.
        angle: how far it turned, in degrees: the cosine is the mean of the matrix's diagonal.
        skipped: why it was left as it is this time; None where it was rotated.
        diagonal: the share of the covariance's squares on its diagonal, before and after; None where no covariance was asked.
    """

    space: str
    kind: str
    angle: float
    skipped: Optional[str] = None
    diagonal: Optional[Tuple[float, float]] = None


@dataclass(frozen=True)
class RotationEvent:
    """One rotation in training; attributes as of TransitionEvent."""

    step: int
    spaces: List[SpaceRotation] = field(default_factory=list)
    seconds: float = 0.0
    loss: Optional[Tuple[float, float]] = None

    def metrics(self) -> Dict[str, float]:
        """For a log: means over the spaces of a kind."""
        found: Dict[str, float] = {"wisca/rotation_seconds": self.seconds}
        for kind in dict.fromkeys(space.kind for space in self.spaces):
            turned = [space for space in self.spaces if space.kind == kind and space.skipped is None]
            if not turned:
                continue
            found[f"wisca/{kind}_angle"] = sum(space.angle for space in turned) / len(turned)
            shares = [space.diagonal for space in turned if space.diagonal is not None]
            if shares:
                found[f"wisca/{kind}_diagonal_before"] = sum(share[0] for share in shares) / len(shares)
                found[f"wisca/{kind}_diagonal_after"] = sum(share[1] for share in shares) / len(shares)
        return found


def ratios(groups: List[Dict[str, Any]]) -> List[Tuple[Dict[str, Any], float]]:
    """The groups whose norms are known, each with log2 of their ratio."""
    return [
        (group, math.log2(group["multiplied_norm"] / group["divided_norm"]))
        for group in groups
        if (group.get("multiplied_norm") or 0) > 0 and (group.get("divided_norm") or 0) > 0
    ]
