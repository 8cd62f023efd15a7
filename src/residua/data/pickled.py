"""Python 2's pickles of plain data and uint8 matrices, read without running anything.

A pickle is a program for a stack machine, and unpickling one may call any function there is.
This machine knows only the opcodes that Python 2 wrote (protocol 2) for None, booleans, 32-bit
integers, byte strings, lists, tuples, dicts and numpy arrays. It calls nothing: where a pickle
names a function and applies it, an inert `Call` stands in the result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from residua.data.files import ContentError

ALLOWED_NAMES = ("numpy.core.multiarray._reconstruct", "numpy.ndarray", "numpy.dtype")
LONGEST_NAME = 100


@dataclass(slots=True)
class Call:
    """A function's name with the arguments and the state that a pickle would give it."""

    function: object
    arguments: object
    state: object = None


def read(pickle: bytearray) -> object:
    """Return the value that a protocol 2 pickle describes, with every call left as a `Call`.

    Args:
        pickle: The bytes; strings of 256 bytes and more are memoryviews into it, not copies.

    Raises:
        ContentError: On an opcode or a name outside the lists, or a pickle that ends early.
    """
    machine = _Machine(memoryview(pickle))
    while True:
        at = machine.position
        try:
            opcode = bytes(machine.take(1))
            if opcode == b".":
                return machine.stack.pop()
            OPCODES[opcode](machine)
        except ContentError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise ContentError(f"byte {at} is no part of a pickle of plain data") from error


def matrix(value: object) -> tuple[tuple[int, int], memoryview]:
    """Return the shape (rows, columns) and the bytes of a pickled uint8 matrix in C order.

    Raises:
        ContentError: If the value is anything else.
    """
    match value:
        case Call(
            "numpy.core.multiarray._reconstruct",
            state=(
                1,
                (int(rows), int(columns)),
                Call("numpy.dtype", arguments=(b"u1", 0, 1)),
                False,
                memoryview() as content,
            ),
        ) if min(rows, columns) > 0 and len(content) == rows * columns:
            return (rows, columns), content
    raise ContentError("it is no uint8 matrix")


class _Machine:
    """The stack, the open marks and the memo of a pickle that is being read."""

    def __init__(self, pickle: memoryview) -> None:
        self.pickle = pickle
        self.position = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def take(self, size: int) -> memoryview:
        start, self.position = self.position, self.position + size
        if size < 0 or self.position > len(self.pickle):
            raise ContentError(f"it ends in the middle of a value, after {len(self.pickle)} bytes")
        return self.pickle[start : self.position]

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def line(self) -> str:
        text, _, _ = bytes(self.pickle[self.position :][:LONGEST_NAME]).partition(b"\n")
        self.take(len(text) + 1)
        return text.decode("latin-1")

    def pop(self, size: int) -> list[object]:
        items = [self.stack.pop() for _ in range(size)]
        return items[::-1]

    def pop_to_mark(self) -> list[object]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def push_tuple(self, items: list[object]) -> None:
        self.stack.append(tuple(items))

    def extend(self, items: list[object]) -> None:
        self.stack[-1].extend(items)

    def update(self, items: list[object]) -> None:
        keys = items[::2]
        if not all(isinstance(key, bytes) for key in keys):
            raise ContentError(
                "a dict's keys are not all byte strings"
            )  # hashing deep tuples may crash
        self.stack[-1].update(zip(keys, items[1::2], strict=True))

    def name(self) -> None:
        name = f"{self.line()}.{self.line()}"
        if name not in ALLOWED_NAMES:
            raise ContentError(f"it names {name[:60]!r}, which no pickle of plain data needs")
        self.stack.append(name)

    def call(self) -> None:
        function, arguments = self.pop(2)
        self.stack.append(Call(function, arguments))

    def build(self) -> None:
        state = self.stack.pop()
        self.stack[-1].state = state

    def remember(self, key: int) -> None:
        self.memo[key] = self.stack[-1]


OPCODES: dict[bytes, Callable[[_Machine], object]] = {
    b"N": lambda m: m.stack.append(None),
    b"\x88": lambda m: m.stack.append(True),
    b"\x89": lambda m: m.stack.append(False),
    b"K": lambda m: m.stack.append(m.number(1)),
    b"M": lambda m: m.stack.append(m.number(2)),
    b"J": lambda m: m.stack.append(m.number(4, signed=True)),
    b"U": lambda m: m.stack.append(bytes(m.take(m.number(1)))),
    b"T": lambda m: m.stack.append(m.take(m.number(4, signed=True))),
    b"(": lambda m: m.marks.append(len(m.stack)),
    b")": lambda m: m.push_tuple([]),
    b"\x85": lambda m: m.push_tuple(m.pop(1)),
    b"\x86": lambda m: m.push_tuple(m.pop(2)),
    b"\x87": lambda m: m.push_tuple(m.pop(3)),
    b"t": lambda m: m.push_tuple(m.pop_to_mark()),
    b"]": lambda m: m.stack.append([]),
    b"a": lambda m: m.extend(m.pop(1)),
    b"e": lambda m: m.extend(m.pop_to_mark()),
    b"}": lambda m: m.stack.append({}),
    b"s": lambda m: m.update(m.pop(2)),
    b"u": lambda m: m.update(m.pop_to_mark()),
    b"q": lambda m: m.remember(m.number(1)),
    b"r": lambda m: m.remember(m.number(4)),
    b"h": lambda m: m.stack.append(m.memo[m.number(1)]),
    b"j": lambda m: m.stack.append(m.memo[m.number(4)]),
    b"c": _Machine.name,
    b"R": _Machine.call,
    b"b": _Machine.build,
    b"\x80": lambda m: m.take(1),
}
