"""When and to which basis the spaces of a model in training are turned."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Mapping, Optional

import torch
from torch import Tensor

from . import _library
from ._errors import WiscaError

# A step of the covariance costs D / 3T of a training step on T tokens: of every fourth it is little at two thousand.
OBSERVED_EVERY = 4

SOURCES = ("gradient", "momentum", "weights", "random", "hadamard", "identity")


@dataclass(frozen=True)
class RotationOptions:
    """Which spaces are rotated, when and how; the keys of `wisca.rotate` in a training's configuration.

    Attributes:
        stream: what decides the basis of the residual stream; `none` to leave it.
        values: `same` to rotate the values of each kv head too.
        every: the number of steps between rotations.
        start: the first step that a rotation may follow.
        until: the last one; None for no end.
        search: `iteration` (one step of QR) or `eigenvectors`.
        fraction: how far towards the basis, in (0, 1].
        average: how much of the averaged covariance a step keeps (`gradient`).
        gains: `follow` or `fold`.
        state: of second moments, `keep`, `mix`, or `reset` of all state.
        seed: of random rotations.
        inner: True to leave embeddings and head out of the covariance.
    """

    stream: str = "gradient"
    values: Any = None
    every: int = 5
    start: int = 5
    until: Optional[int] = None
    search: str = "iteration"
    fraction: float = 1.0
    average: float = 0.95
    gains: str = "follow"
    state: str = "keep"
    seed: int = 1
    inner: bool = False

    @staticmethod
    def of(given: Optional[Mapping[str, Any]]) -> Optional["RotationOptions"]:
        """From keywords; None where nothing is rotated.

        Raises:
            WiscaError: a key or value is not known.
        """
        if given is None or given is False:
            return None
        if not isinstance(given, Mapping):
            raise WiscaError(f"rotate is {given!r}, expected a dict", 'such as rotate=dict(stream="momentum", every=20)')
        given = dict(given)
        if "from" in given or "from_" in given:
            origin = given.pop("from", None) or given.pop("from_", None)
            given["inner"] = _one_of("from", origin, ("all", "inner")) == "inner"
        if given.pop("adapters", None) not in (None, False, "none"):
            raise WiscaError(
                "rotate: adapters is given, and ranks of adapters are not rotated in Python",
                "wisca finetune rotates them (wisca.rotate.adapters in its configuration)")
        known = {entry.name for entry in fields(RotationOptions)}
        for name in given:
            if name not in known:
                raise WiscaError(f"rotate has no '{name}'", "it has " + ", ".join(sorted(known)))
        options = RotationOptions(**given)
        _one_of("stream", options.stream, (*SOURCES, "none"))
        _one_of("search", options.search, ("iteration", "eigenvectors"))
        _one_of("gains", options.gains, ("follow", "fold"))
        _one_of("state", options.state, ("keep", "mix", "reset"))
        if options.values not in (None, False, True, "same", "none"):
            raise WiscaError(f"rotate: values is {options.values!r}, expected 'same' or None")
        if options.stream == "none":
            if options.turns_values:
                raise WiscaError("rotate: values go by what decides the stream's basis, and stream is none", "name a source as stream")
            return None
        if options.every < 1 or options.start < 1:
            raise WiscaError(f"rotate: every is {options.every} and start {options.start}, expected at least 1")
        if options.until is not None and options.until < options.start:
            raise WiscaError(f"rotate: until is {options.until}, expected at least start, {options.start}")
        if not 0 < options.fraction <= 1:
            raise WiscaError(f"rotate: fraction is {options.fraction}, expected a number above 0 and at most 1")
        if not 0 <= options.average < 1:
            raise WiscaError(f"rotate: average is {options.average}, expected a number from 0 and below 1")
        return options

    @property
    def turns_values(self) -> bool:
        """True where heads' values are rotated."""
        return self.values in (True, "same")

    def is_due(self, step: int) -> bool:
        """True where a rotation is due after so many steps."""
        return step >= self.start and (self.until is None or step <= self.until) and (step - self.start) % self.every == 0

    def is_observed(self, step: int) -> bool:
        """True where the gradients of a step are taken up, after so many steps before it."""
        return self.stream == "gradient" and step % OBSERVED_EVERY == 0 and (self.until is None or step < self.until)


def _one_of(name: str, value: Any, known: Any) -> Any:
    if value not in known:
        raise WiscaError(f"rotate: {name} is {value!r}, expected " + ", ".join(known))
    return value


def as_matrix(values: Any, n: int) -> Tensor:
    """What the library wrote, as a tensor [n, n]."""
    return torch.frombuffer(values, dtype=torch.float64).clone().reshape(n, n) if n else torch.zeros(0, 0, dtype=torch.float64)


def basis_of(options: RotationOptions, space: Mapping[str, Any], index: int, step: int, covariance: Optional[Tensor]) -> Tensor:
    """The orthogonal matrix that a space is turned by, [size, size] in float64 on the CPU."""
    n, keeps_ones = space["size"], space["keeps_ones"]
    seed = options.seed + step * 0x9E3779B97F4A7C15 + index
    if options.stream == "random":
        return as_matrix(_library.basis_random(n, seed, keeps_ones), n)
    if options.stream == "hadamard":
        return as_matrix(_library.basis_hadamard(n, seed, keeps_ones), n)
    if covariance is None:
        return torch.eye(n, dtype=torch.float64)
    return find_basis(covariance, keeps_ones, options.search, options.fraction)


def find_basis(covariance: Tensor, keeps_ones: bool = False, search: str = "iteration", fraction: float = 1.0) -> Tensor:
    """An orthogonal matrix towards a covariance's eigenvectors, in the order and with the signs nearest to the identity.

    Args:
        covariance: [n, n], symmetric, float64 on the CPU.
        keeps_ones: True for a matrix that keeps the vector of ones.
    """
    n = covariance.shape[0]
    if keeps_ones:
        smaller = as_matrix(_library.basis_beside_ones(n, covariance.contiguous()), n - 1)
        turned = find_basis(smaller, False, search, fraction)
        return as_matrix(_library.basis_keeping_ones(n, turned.contiguous()), n)
    if search == "eigenvectors":
        vectors = torch.linalg.eigh(covariance)[1]
    else:
        vectors = torch.linalg.qr(covariance[:, covariance.diagonal().argsort(descending=True)])[0]
    rotation = as_matrix(_library.basis_nearest(n, vectors.T.contiguous()), n)
    if fraction < 1:
        left, _, right = torch.linalg.svd((1 - fraction) * torch.eye(n, dtype=torch.float64) + fraction * rotation)
        rotation = left @ right
    # R (3 I - RᵀR) / 2: what the decomposition left of an error in orthogonality is squared.
    return 1.5 * rotation - 0.5 * rotation @ (rotation.T @ rotation)


def angle_of(rotation: Tensor) -> float:
    """In degrees: the cosine is the mean of the matrix's diagonal."""
    return math.degrees(math.acos(max(-1.0, min(1.0, float(rotation.diagonal().mean())))))


def diagonal_share(matrix: Tensor) -> float:
    """The share of a matrix's squares that lies on its diagonal; 1 for zeros."""
    total = float(matrix.square().sum())
    return 1.0 if total == 0 else float(matrix.diagonal().square().sum()) / total
