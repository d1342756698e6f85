"""What layers amount to, one upon another (image-spec, layer.md): a pure function over names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agentoci.layers.tarheader import refuse
from agentoci.layers.untar import TarMember


@dataclass(frozen=True, slots=True)
class Merged:
    """The files and links that are left, each with the layer that it comes from.

    `empty` are the folders that hold nothing; the others exist because of what is in them.
    """

    files: dict[str, tuple[int, TarMember]]
    empty: tuple[str, ...]


@dataclass(slots=True)
class _Leaf:
    layer: int
    member: TarMember


@dataclass(slots=True)
class _Folder:
    layer: int = -1
    children: dict[str, _Folder | _Leaf] = field(default_factory=dict)


def merge(layers: Iterable[Sequence[TarMember]]) -> Merged:
    """Lay the layers on one another, the lowest first.

    A layer's whiteouts hide what lower layers hold, wherever they stand among its entries. Raises
    RefusedArchive when a name stands twice in one layer, or lies below a file or link: such a tree
    depends on who unpacks it.
    """
    root = _Folder()
    for index, members in enumerate(layers):
        for member in members:
            if member.kind == "whiteout":
                _remove(root, member.name)
            elif member.kind == "opaque":
                _empty(root, member.name)
        for member in members:
            if member.kind not in ("whiteout", "opaque"):
                _place(root, member, index)
    files: dict[str, tuple[int, TarMember]] = {}
    empty: list[str] = []
    _collect(root, files, empty)
    return Merged(files, tuple(empty))


def _find(root: _Folder, path: str) -> _Folder | None:
    folder = root
    for part in path.split("/") if path else ():
        child = folder.children.get(part)
        if not isinstance(child, _Folder):
            return None
        folder = child
    return folder


def _remove(root: _Folder, path: str) -> None:
    parent, _, base = path.rpartition("/")
    if folder := _find(root, parent):
        folder.children.pop(base, None)


def _empty(root: _Folder, path: str) -> None:
    if folder := _find(root, path):
        folder.children.clear()


def _place(root: _Folder, member: TarMember, layer: int) -> None:
    parent, _, base = member.name.rpartition("/")
    folder = _enter(root, parent, member, layer)
    child = folder.children.get(base)
    if member.kind == "dir" and isinstance(child, _Folder):
        child.layer = layer
        return
    if child is not None and child.layer == layer:
        refuse(f"layer {layer}: {member.name!r} stands twice")
    folder.children[base] = _Folder(layer) if member.kind == "dir" else _Leaf(layer, member)


def _enter(root: _Folder, path: str, member: TarMember, layer: int) -> _Folder:
    """The folder at `path`, made where it is missing, in which `member` lies."""
    folder = root
    for part in path.split("/") if path else ():
        child = folder.children.get(part)
        if child is None:
            child = folder.children[part] = _Folder()
        elif isinstance(child, _Leaf):
            above = child.member.name
            refuse(f"layer {layer}: {member.name!r} lies below {above!r}, which is no folder")
        child.layer = layer
        folder = child
    return folder


def _collect(root: _Folder, files: dict[str, tuple[int, TarMember]], empty: list[str]) -> None:
    ahead = [("", root)]
    while ahead:
        path, folder = ahead.pop()
        for base, child in folder.children.items():
            if isinstance(child, _Leaf):
                files[child.member.name] = (child.layer, child.member)
                continue
            below = f"{path}/{base}" if path else base
            ahead.append((below, child))
            if not child.children:
                empty.append(below)
