"""libwisca through ctypes: strings in UTF-8, structures as JSON, numbers as arrays of doubles."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
from array import array
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ._errors import WiscaError

ABI_MAJOR = 1

OK, FAILED, USAGE, CANCELLED, INTERNAL = range(5)

# Where Python's users find what the library expects; in the package's repository.
DOCUMENT = "docs/python.md"

_Text, _Out = ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)
_Handle, _Numbers = ctypes.c_void_p, ctypes.c_void_p

# Name -> what it returns, and its arguments; `char **error` comes last where the status is returned.
_SIGNATURES: Dict[str, Tuple[Any, Sequence[Any]]] = {
    "wisca_abi": (ctypes.c_uint32, []),
    "wisca_version": (ctypes.c_char_p, []),
    "wisca_free": (None, [ctypes.c_void_p]),
    "wisca_cancellation_new": (ctypes.c_void_p, []),
    "wisca_cancellation_cancel": (None, [_Handle]),
    "wisca_cancellation_free": (None, [_Handle]),
    "wisca_run": (ctypes.c_int32, [_Text, _Handle, _Out, _Out, _Out]),
    "wisca_plan_new": (ctypes.c_int32, [_Text, _Out, _Out]),
    "wisca_plan_describe": (ctypes.c_int32, [_Handle, _Out, _Out]),
    "wisca_plan_free": (None, [_Handle]),
    "wisca_solve_new": (ctypes.c_int32, [_Handle, _Out, _Out]),
    "wisca_solve_next": (ctypes.c_int32, [_Handle, _Out, _Out]),
    "wisca_solve_provide": (ctypes.c_int32, [_Handle, _Numbers, ctypes.c_size_t, _Out]),
    "wisca_solve_factors": (ctypes.c_int32, [_Handle, _Numbers, ctypes.c_size_t, _Out]),
    "wisca_solve_free": (None, [_Handle]),
    "wisca_ledger_new": (ctypes.c_int32, [_Handle, _Text, _Out, _Out]),
    "wisca_ledger_record": (ctypes.c_int32, [_Handle, _Handle, _Out]),
    "wisca_ledger_state": (ctypes.c_int32, [_Handle, _Out, _Out]),
    "wisca_ledger_undo": (ctypes.c_int32, [_Handle, _Out, _Out]),
    "wisca_ledger_write": (ctypes.c_int32, [_Handle, _Text, _Numbers, ctypes.c_size_t, _Text, _Out]),
    "wisca_ledger_free": (None, [_Handle]),
    "wisca_basis_random": (
        ctypes.c_int32, [ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32, _Numbers, _Out]),
    "wisca_basis_hadamard": (
        ctypes.c_int32, [ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32, _Numbers, _Out]),
    "wisca_basis_nearest": (ctypes.c_int32, [ctypes.c_int32, _Numbers, _Numbers, _Out]),
    "wisca_basis_beside_ones": (ctypes.c_int32, [ctypes.c_int32, _Numbers, _Numbers, _Out]),
    "wisca_basis_keeping_ones": (ctypes.c_int32, [ctypes.c_int32, _Numbers, _Numbers, _Out]),
    "wisca_gains_follow": (ctypes.c_int32, [ctypes.c_int32, _Numbers, _Numbers, _Numbers, _Out]),
}

_NAMES = {"win32": "wisca.dll", "darwin": "libwisca.dylib"}

_loaded: Optional[ctypes.CDLL] = None
_loading = threading.Lock()


def library_path() -> Path:
    """The library: `WISCA_LIBRARY` where it is set, else the one in the package.

    Raises:
        WiscaError: there is none.
    """
    named = os.environ.get("WISCA_LIBRARY")
    if named:
        path = Path(named)
        if not path.is_file():
            raise WiscaError(f"WISCA_LIBRARY is {named}, which is no file", "name libwisca itself, or unset it")
        return path
    path = Path(__file__).parent / _NAMES.get(sys.platform, "libwisca.so")
    if not path.is_file():
        raise WiscaError(
            f"this installation of wisca has no {path.name}: it was not installed from a wheel for this platform",
            "install a wheel, or set WISCA_LIBRARY to a libwisca that was built from source",
        )
    return path


def load() -> ctypes.CDLL:
    """The library, loaded once."""
    global _loaded
    with _loading:
        if _loaded is None:
            path = library_path()
            try:
                library = ctypes.CDLL(str(path))
                for name, (returns, arguments) in _SIGNATURES.items():
                    function = getattr(library, name)
                    function.restype, function.argtypes = returns, list(arguments)
            except (OSError, AttributeError) as error:
                raise WiscaError(f"{path} cannot be used: {error}", "it must be a libwisca for this platform") from None
            major = library.wisca_abi() >> 16
            if major != ABI_MAJOR:
                raise WiscaError(
                    f"{path} has interface version {major}, expected {ABI_MAJOR}",
                    "use the library that belongs to this version of the package",
                )
            _loaded = library
        return _loaded


def library_version() -> str:
    """The version of the library."""
    return load().wisca_version().decode()


def _taken(pointer: ctypes.c_void_p) -> Optional[str]:
    """A string that the library gave out, which is freed."""
    if not pointer.value:
        return None
    text = ctypes.string_at(pointer.value).decode()
    load().wisca_free(pointer)
    return text


def error_of(text: Optional[str], otherwise: str, status: int = FAILED) -> WiscaError:
    """The error that the library's JSON tells."""
    if text is None:
        return WiscaError(otherwise)
    told = json.loads(text)
    # Of a wrong request the library names the header of its C interface.
    hint = f"{DOCUMENT} says what is expected" if status == USAGE else told.get("hint")
    return WiscaError(told["message"], hint, told.get("details") or ())


def _call(name: str, *arguments: Any) -> None:
    error = ctypes.c_void_p()
    status = getattr(load(), name)(*arguments, ctypes.byref(error))
    text = _taken(error)
    if status != OK:
        raise error_of(text, f"{name} failed with status {status}", status)


def _text(name: str, *arguments: Any) -> str:
    out = ctypes.c_void_p()
    _call(name, *arguments, ctypes.byref(out))
    return _taken(out) or ""


def _utf8(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, allow_nan=False).encode()


def _doubles(values: Any) -> Tuple[ctypes.c_void_p, int, Any]:
    """Address and number of doubles, and what holds them: of a float64 tensor or array without copying, of a sequence by copying."""
    if hasattr(values, "data_ptr"):
        held = values.detach().contiguous()
        if str(held.dtype) != "torch.float64" or held.device.type != "cpu":
            raise TypeError(f"expected float64 on the CPU, not {held.dtype} on {held.device}")
        return ctypes.c_void_p(held.data_ptr()), held.numel(), held
    try:
        view = memoryview(values)
    except TypeError:
        view = memoryview(array("d", values))
    if view.format != "d" or not view.c_contiguous:
        raise TypeError("expected contiguous doubles")
    held = (ctypes.c_char * view.nbytes).from_buffer_copy(view) if view.readonly else (
        ctypes.c_char * view.nbytes).from_buffer(view)
    return ctypes.cast(held, ctypes.c_void_p), view.nbytes // 8, (view, held)


class _Owned:
    """A handle that is freed with its object."""

    _free = ""

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle: Optional[ctypes.c_void_p] = handle

    def close(self) -> None:
        """Frees it; it cannot be used any more."""
        handle, self._handle = self._handle, None
        if handle is not None:
            getattr(load(), self._free)(handle)

    def __del__(self) -> None:
        try:
            self.close()
        except Exception:  # noqa: BLE001 (the interpreter is going down)
            pass

    @property
    def handle(self) -> ctypes.c_void_p:
        if self._handle is None:
            raise ValueError(f"the {type(self).__name__.lower()} was closed")
        return self._handle


def _new(name: str, *arguments: Any) -> ctypes.c_void_p:
    out = ctypes.c_void_p()
    _call(name, *arguments, ctypes.byref(out))
    return out


class Plan(_Owned):
    """Which transitions and rotations a model has, from names and shapes alone."""

    _free = "wisca_plan_free"

    def __init__(self, request: Dict[str, Any]) -> None:
        super().__init__(_new("wisca_plan_new", _utf8(request)))

    def describe(self) -> Dict[str, Any]:
        """Exchanges, spaces and refusals."""
        return json.loads(_text("wisca_plan_describe", self.handle))


class Solve(_Owned):
    """A dialogue that finds the factors of a transition: it says what to measure, until it is done."""

    _free = "wisca_solve_free"

    def __init__(self, plan: Union[Plan, ctypes.c_void_p]) -> None:
        super().__init__(_new("wisca_solve_new", plan.handle) if isinstance(plan, Plan) else plan)

    def next(self) -> Dict[str, Any]:
        """What to measure next, or the result."""
        return json.loads(_text("wisca_solve_next", self.handle))

    def provide(self, numbers: Any) -> None:
        """Gives what was asked for: doubles."""
        address, count, held = _doubles(numbers)
        _call("wisca_solve_provide", self.handle, address, count)
        del held

    def factors(self, count: int) -> "array[float]":
        """The factors of all tensors, one behind the other."""
        factors = array("d", bytes(8 * count))
        address, count, held = _doubles(factors)
        _call("wisca_solve_factors", self.handle, address, count)
        del held
        return factors


class Ledger(_Owned):
    """The running product of all transitions."""

    _free = "wisca_ledger_free"

    def __init__(self, plan: Plan, state: Optional[str] = None) -> None:
        super().__init__(_new("wisca_ledger_new", plan.handle, None if state is None else state.encode()))

    def record(self, solve: Solve) -> None:
        """Adds a transition that was applied."""
        _call("wisca_ledger_record", self.handle, solve.handle)

    def state(self) -> str:
        """All of it, as JSON."""
        return _text("wisca_ledger_state", self.handle)

    def undo(self) -> Solve:
        """A finished dialogue whose factors take the product back."""
        return Solve(_new("wisca_ledger_undo", self.handle))

    def write(self, folder: str, totals: Any = None, origin: Optional[str] = None) -> None:
        """Writes `wisca.json` into a complete model folder."""
        address, count, held = (None, 0, None) if totals is None else _doubles(totals)
        _call("wisca_ledger_write", self.handle, _utf8(folder), address, count, None if origin is None else _utf8(origin))
        del held


def _matrix(name: str, size: int, *arguments: Any) -> "array[float]":
    out = array("d", bytes(8 * size))
    address, _, held = _doubles(out)
    _call(name, *arguments, address)
    del held
    return out


def basis_random(n: int, seed: int, keeps_ones: bool = False) -> "array[float]":
    """An orthogonal [n, n] drawn evenly from all."""
    return _matrix("wisca_basis_random", n * n, n, seed % 2**64, int(keeps_ones))


def basis_hadamard(n: int, seed: int, keeps_ones: bool = False) -> "array[float]":
    """A Hadamard matrix with random signs, [n, n], orthogonal."""
    return _matrix("wisca_basis_hadamard", n * n, n, seed % 2**64, int(keeps_ones))


def _from_matrix(name: str, size: int, n: int, *matrices: Any) -> "array[float]":
    held = [_doubles(matrix) for matrix in matrices]
    return _matrix(name, size, n, *(address for address, _, _ in held))


def basis_nearest(n: int, vectors: Any) -> "array[float]":
    """Basis vectors (rows) in the order and with the signs nearest to the identity, as columns."""
    return _from_matrix("wisca_basis_nearest", n * n, n, vectors)


def basis_beside_ones(n: int, covariance: Any) -> "array[float]":
    """The covariance in the complement of the vector of ones, [n - 1, n - 1]."""
    return _from_matrix("wisca_basis_beside_ones", (n - 1) * (n - 1), n, covariance)


def basis_keeping_ones(n: int, smaller: Any) -> "array[float]":
    """The rotation [n, n] that keeps the vector of ones and is the smaller one in its complement."""
    return _from_matrix("wisca_basis_keeping_ones", n * n, n, smaller)


def gains_follow(n: int, gains: Any, rotation: Any) -> "array[float]":
    """The gains of a norm behind a rotation."""
    return _from_matrix("wisca_gains_follow", n, n, gains, rotation)


def run(arguments: Sequence[str]) -> Tuple[int, str, str, Optional[str]]:
    """A command line: status, standard output, standard error, and the error as JSON.

    It runs in a thread of its own, so that Ctrl-C reaches Python, which cancels it, waits until everything is taken back, and raises
    KeyboardInterrupt.
    """
    library = load()
    cancellation = ctypes.c_void_p(library.wisca_cancellation_new())
    result: List[Tuple[int, str, str, Optional[str]]] = []
    failure: List[BaseException] = []
    # Not Thread.join: interrupted, it takes a running thread for one that has ended.
    ended = threading.Event()

    def work() -> None:
        try:
            output, messages, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
            status = library.wisca_run(
                json.dumps(list(arguments)).encode(), cancellation,
                ctypes.byref(output), ctypes.byref(messages), ctypes.byref(error))
            result.append((status, _taken(output) or "", _taken(messages) or "", _taken(error)))
        except BaseException as error:  # noqa: BLE001 (raised in the caller's thread)
            failure.append(error)
        finally:
            ended.set()

    interrupted = False
    threading.Thread(target=work, name="wisca", daemon=True).start()
    while not ended.is_set():
        try:
            ended.wait()
        except KeyboardInterrupt:
            interrupted = True
            library.wisca_cancellation_cancel(cancellation)
    library.wisca_cancellation_free(cancellation)
    if interrupted:
        raise KeyboardInterrupt
    if failure:
        raise failure[0]
    return result[0]
