"""Tensors that may be spread over processes: what lies here, where it belongs in the whole, and who holds the rest.

A stack of matrices counts as its matrices one below the other, a vector as a matrix of one column. Sums are in float64, products are
formed in float64 and rounded once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ._errors import WiscaError

# Elements that are widened to float64 at a time: what a processor's cache holds, and what keeps an accelerator busy.
_BLOCK_CPU, _BLOCK_DEVICE = 1 << 16, 1 << 25


@dataclass(frozen=True)
class Shard:
    """The part of a tensor that lies in this process.

    Attributes:
        local: the part; writing into it writes into the tensor.
        offset: where it begins in the whole, for each dimension.
        shape: the shape of the whole.
        groups: the process groups over which the parts are spread; none where this is the whole.
        source: the tensor itself.
        start: where `local` is a run of the flattened tensor, its first element; None where it is a part by `offset`.
        store: what is called with `local` when it has changed, in every process.
    """

    local: Tensor
    offset: Tuple[int, ...]
    shape: Tuple[int, ...]
    groups: Tuple[Any, ...] = ()
    source: Any = None
    start: Optional[int] = None
    store: Optional[Callable[[Tensor], None]] = None

    def parts(self) -> List["Shard"]:
        """The rectangles that lie here: a run of a flattened matrix is the end of a row, whole rows, and the beginning of one."""
        if self.start is None:
            return [self]
        plain = replace(self, start=None, store=None)
        if len(self.shape) < 2:
            return [replace(plain, offset=(self.start,))]
        shape = self.rows, self.columns
        found, at, end = [], 0, self.local.numel()
        while at < end:
            row, column = divmod(self.start + at, self.columns)
            height = max(1, (end - at) // self.columns) if column == 0 else 1
            width = min(self.columns - column, end - at)
            local = self.local.narrow(0, at, height * width).view(height, width)
            found.append(replace(plain, local=local, offset=(row, column), shape=shape))
            at += height * width
        return found

    def stored(self) -> None:
        """To be called when `local` has changed."""
        if self.store is not None:
            self.store(self.local)

    @property
    def rows(self) -> int:
        """Rows of the whole as a matrix."""
        rows = 1
        for length in self.shape[:-1] if len(self.shape) > 1 else self.shape:
            rows *= length
        return rows

    @property
    def columns(self) -> int:
        """Columns of the whole as a matrix."""
        return self.shape[-1] if len(self.shape) > 1 else 1

    def whole(self) -> Tensor:
        """All of the tensor, gathered; the part itself where it is all."""
        return self.local if not self.groups else self.source.detach().full_tensor()

    def part_of(self, whole: Tensor) -> Tensor:
        """What of a tensor of the same shape lies here."""
        for axis, (start, length) in enumerate(zip(self.offset, self.local.shape)):
            whole = whole.narrow(axis, start, length)
        return whole

    def is_split(self, axis: int) -> bool:
        """True where a process may hold a part only of a dimension."""
        return bool(self.groups) and any(
            getattr(placement, "dim", None) in (axis, axis - len(self.shape)) for placement in self.source.placements)


def is_distributed(tensor: Tensor) -> bool:
    """True for a DTensor."""
    return hasattr(tensor, "placements") and hasattr(tensor, "device_mesh")


def shard_of(tensor: Tensor, name: str = "a tensor") -> Shard:
    """What of a tensor lies here: all of a plain one, the local shard of a DTensor.

    Raises:
        WiscaError: it is spread in a way, or lies on a device, that is not handled.
    """
    own = getattr(tensor, "shard", None)
    if own is not None:
        return own()
    if not is_distributed(tensor):
        local = tensor.detach()
        _check_device(local, name)
        return Shard(local, (0,) * local.dim(), tuple(local.shape), (), tensor)
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    mesh, placements = tensor.device_mesh, tensor.placements
    groups = []
    for dimension, placement in enumerate(placements):
        kind = type(placement).__name__
        if kind == "Replicate":
            continue
        if kind != "Shard":
            raise WiscaError(
                f"'{name}' is placed as {placement} on its device mesh",
                "shard each dimension over one dimension of the mesh, or move the saved checkpoint with wisca.rescale")
        groups.append(mesh.get_group(dimension))
    # The local tensor itself: whatever autograd knows of it stays out.
    local = tensor._local_tensor.detach()
    _check_device(local, name)
    shape, offset = compute_local_shape_and_global_offset(tensor.shape, mesh, placements)
    if tuple(shape) != tuple(local.shape):
        raise WiscaError(
            f"'{name}' holds {tuple(local.shape)} here, expected {tuple(shape)}", "shard it evenly or by torch.chunk's rule")
    return Shard(local, tuple(offset), tuple(tensor.shape), tuple(groups), tensor)


def _check_device(tensor: Tensor, name: str) -> None:
    if tensor.device.type == "mps":
        raise WiscaError(
            f"'{name}' is on {tensor.device}, which has no float64: transitions there would not be exact",
            "keep the weights on another device at transitions, or move the saved checkpoint with wisca.rescale")


def all_reduce(values: Tensor, groups: Sequence[Any]) -> Tensor:
    """The sum over all processes of the groups, in place."""
    if groups:
        import torch.distributed as dist

        for group in groups:
            dist.all_reduce(values, group=group)
    return values


def _matrix(local: Tensor) -> Tensor:
    """A view as a matrix."""
    return local.unsqueeze(1) if local.dim() < 2 else local.flatten(0, -2)


def _blocks(matrix: Tensor) -> List[Tuple[int, int]]:
    size = _BLOCK_CPU if matrix.device.type == "cpu" else _BLOCK_DEVICE
    rows = max(1, size // max(1, matrix.shape[1]))
    return [(start, min(rows, matrix.shape[0] - start)) for start in range(0, matrix.shape[0], rows)] if matrix.numel() else []


def _buffers(matrix: Tensor, number: int) -> List[Tensor]:
    """Room for a block in float64, made once: what is allocated for each block costs more than its arithmetic."""
    blocks = _blocks(matrix)
    rows = blocks[0][1] if blocks else 0
    return [torch.empty(rows, matrix.shape[1], dtype=torch.float64, device=matrix.device) for _ in range(number)]


def _of_rows(values: Tensor, shard: Shard) -> Tensor:
    """What of a number for each row of the whole belongs to the rows here."""
    if len(shard.shape) < 2:
        return values.narrow(0, shard.offset[0], shard.local.shape[0])
    values = values.reshape(shard.shape[:-1])
    for axis in range(values.dim()):
        values = values.narrow(axis, shard.offset[axis], shard.local.shape[axis])
    return values.reshape(-1)


def _of_columns(values: Tensor, shard: Shard) -> Tuple[Tensor, Optional[Tensor]]:
    """What of numbers for columns belongs here, [parts, columns here], and the part of each row here; None where there is one part."""
    if len(shard.shape) < 2:
        return values.reshape(1, 1), None
    parts = values.numel() // shard.columns
    values = values.reshape(parts, shard.columns).narrow(1, shard.offset[-1], shard.local.shape[-1])
    return values, None if parts == 1 else _parts_of_rows(parts, shard)


def _parts_of_rows(parts: int, shard: Shard) -> Tensor:
    rows = torch.arange(shard.rows, device=shard.local.device)
    return _of_rows(rows.div(shard.rows // parts, rounding_mode="floor"), shard)


def axis_sums(
    shard: Shard, axis: int, parts: int = 1, adds_one: bool = False, others: Optional[Tensor] = None, absolute: bool = True
) -> Tensor:
    """For each index along an axis of the whole the sums of |w| and of w², [2, indices], of what lies here: the sums over all
    processes are those of the whole. Without `absolute` the first are plain sums.
    """
    if shard.start is not None:
        length = parts * shard.columns if axis == 1 and len(shard.shape) > 1 else shard.rows
        sums = torch.zeros(2, length, dtype=torch.float64, device=shard.local.device)
        for part in shard.parts():
            sums += axis_sums(part, axis, parts, adds_one, others, absolute)
        return sums
    columns = axis == 1 and len(shard.shape) > 1
    length = parts * shard.columns if columns else shard.rows
    device = shard.local.device
    sums = torch.zeros(2, length, dtype=torch.float64, device=device)
    matrix = _matrix(shard.local)
    if not matrix.numel():
        return sums
    row_factors = column_factors = part_of_row = None
    if others is not None:
        others = others.to(device)
        if columns:
            row_factors = _of_rows(others, shard)
        else:
            column_factors, part_of_row = _of_columns(others, shard)
    own_part = _parts_of_rows(parts, shard) if columns and parts > 1 else None
    here = torch.zeros(2, parts if columns else matrix.shape[0], matrix.shape[1] if columns else 1, dtype=torch.float64, device=device)
    buffers = _buffers(matrix, 2)
    for start, count in _blocks(matrix):
        wide, values = (buffer[:count] for buffer in buffers)
        wide.copy_(matrix.narrow(0, start, count))
        if adds_one:
            wide.add_(1)
        if row_factors is not None:
            wide.mul_(row_factors.narrow(0, start, count).unsqueeze(1))
        if column_factors is not None:
            wide.mul_(column_factors if part_of_row is None else column_factors[part_of_row.narrow(0, start, count)])
        for index in range(2):
            if index == 1:
                torch.mul(wide, wide, out=values)
            elif absolute:
                torch.abs(wide, out=values)
            else:
                values.copy_(wide)
            if not columns:
                here[index, start : start + count, 0] = values.sum(1)
            elif own_part is None:
                here[index, 0] += values.sum(0)
            else:
                here[index].index_add_(0, own_part.narrow(0, start, count), values)
    for index in range(2):
        if columns:
            target = sums[index].view(parts, shard.columns)
            target.narrow(1, shard.offset[-1], shard.local.shape[-1]).copy_(here[index])
        elif len(shard.shape) < 2:
            sums[index].narrow(0, shard.offset[0], shard.local.shape[0]).copy_(here[index, :, 0])
        else:
            target = sums[index].view(shard.shape[:-1])
            for dimension in range(target.dim()):
                target = target.narrow(dimension, shard.offset[dimension], shard.local.shape[dimension])
            target.copy_(here[index, :, 0].view(shard.local.shape[:-1]))
    return sums


def power_of(factors: Tensor, degree: float) -> Tensor:
    """Factors to a power; those of powers of two are exact."""
    if degree == 1:
        return factors
    if degree == -1:
        return 1 / factors
    if degree == -2:
        return 1 / (factors * factors)
    return factors**degree


def are_powers_of_two(factors: Optional[Tensor]) -> bool:
    """True where every factor is one; multiplying by them loses nothing."""
    return factors is None or bool((torch.frexp(factors.abs())[0] == 0.5).all())


def scale_(shard: Shard, rows: Optional[Tensor], columns: Optional[Tensor], adds_one: bool = False) -> None:
    """Multiplies what lies here by a factor for each row and for each column of the whole, or (1 + w) f - 1, in place."""
    if shard.start is not None:
        for part in shard.parts():
            scale_(part, rows, columns, adds_one)
        shard.stored()
        return
    matrix = _matrix(shard.local)
    if not matrix.numel():
        return
    device = matrix.device
    by_row = None if rows is None else _of_rows(rows.to(device), shard).unsqueeze(1)
    by_column = part_of_row = None
    if columns is not None:
        by_column, part_of_row = _of_columns(columns.to(device), shard)
    plain = not adds_one and matrix.dtype != torch.float16 and are_powers_of_two(rows) and are_powers_of_two(columns)
    if plain and part_of_row is None:
        for factors in (by_row, by_column):
            if factors is None:
                continue
            if bool((factors == factors.reshape(-1)[0]).all()):
                factors = factors.reshape(-1)[0]
            matrix.mul_(factors.to(matrix.dtype))
        return
    (buffer,) = _buffers(matrix, 1)
    for start, count in _blocks(matrix):
        block = matrix.narrow(0, start, count)
        factor = None if by_row is None else by_row.narrow(0, start, count)
        if by_column is not None:
            own = by_column if part_of_row is None else by_column[part_of_row.narrow(0, start, count)]
            factor = own if factor is None else factor * own
        if factor is None:
            return
        wide = buffer[:count]
        wide.copy_(block)
        if adds_one:
            block.copy_(wide.add_(1).mul_(factor).sub_(1))
        else:
            block.copy_(wide.mul_(factor))


def turn_(shard: Shard, axis: int, start: int, matrix: Tensor) -> None:
    """T'[.., start + j, ..] = sum over i of T[.., start + i, ..] M[i, j] along an axis, in place; a tensor is gathered where it has to."""
    axis = axis % max(1, len(shard.shape))
    size = matrix.shape[0]
    split = shard.is_split(axis)
    target = shard.whole().clone() if split else shard.local
    if target.numel():
        part = target.narrow(axis, start, size).transpose(axis, -1)
        flat = part.reshape(-1, size)
        turn = matrix.to(target.device)
        turned = torch.empty_like(flat)
        for first, count in _blocks(flat):
            turned.narrow(0, first, count).copy_(flat.narrow(0, first, count).to(torch.float64) @ turn)
        part.copy_(turned.view(part.shape))
    if split:
        shard.local.copy_(shard.part_of(target))


def moment(shard: Shard, slices: Sequence[Tuple[int, int, Optional[Tensor]]], size: int) -> Optional[Tensor]:
    """The products with itself of what slices of a tensor hold in a space, divided by the trace: [size, size] in float64 on the CPU.

    Args:
        slices: axis, start, and what the columns are multiplied by first.
    Returns:
        None for a tensor of zeros; NaN where it is not finite.
    """
    split = any(shard.is_split(axis % max(1, len(shard.shape))) for axis, _, _ in slices)
    source = shard.whole() if split else shard.local
    kind = torch.float64 if source.dtype == torch.float64 else torch.float32
    parts = []
    for axis, start, gain in slices:
        part = source.narrow(axis, start, size).transpose(axis, -1).to(kind).reshape(-1, size)
        parts.append(part if gain is None else part * gain.to(part))
    rows = parts[0] if len(parts) == 1 else torch.cat(parts)
    groups = () if split else shard.groups
    square = all_reduce(torch.linalg.vector_norm(rows, dtype=torch.float64).square(), groups)
    length = float(square) ** 0.5
    if length == 0:
        return None
    rows = rows / length
    return all_reduce((rows.T @ rows).to(torch.float64), groups).cpu()
