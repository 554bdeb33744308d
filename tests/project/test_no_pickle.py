"""Nothing that docmill reads can run code: no pickle, no library call that unpickles."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("db", "nlp_tasks", "workers", "scheduler")
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
#: Calls that unpickle, or may: `torch.load(...)`, `Doc2Vec.load(...)`, `numpy.load(..., allow_pickle=True)`.
LOADERS = {"torch", "gensim", "np", "numpy", "Doc2Vec", "KeyedVectors", "Word2Vec", "Dictionary", "LdaModel"}


def offences(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        yield from (f"{line}: imports {name}" for name in names if name.split(".")[0] in MODULES)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
            "torch",
            "gensim",
            "numpy",
        ):
            yield from (
                f"{line}: imports {a.name}" for a in node.names if a.name in ("load", "save", "unpickle")
            )
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base = ast.unparse(node.func.value)
            if node.func.attr in ("load", "save") and LOADERS & set(base.split(".")):
                yield f"{line}: calls {base}.{node.func.attr}"
            yield from (f"{line}: {key.arg}" for key in node.keywords if key.arg == "allow_pickle")
        if (
            isinstance(node, ast.keyword)
            and node.arg == "trust_remote_code"
            and ast.unparse(node.value) != "False"
        ):
            yield f"{line}: trust_remote_code"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_can_unpickle(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{offence}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for offence in offences(path.read_text())
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "from gensim.models import Doc2Vec\nDoc2Vec.load('x')",
        "gensim.models.doc2vec.Doc2Vec.load('x')",
        "np.load('x', allow_pickle=True)",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
    ],
)
def test_the_check_sees(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source", ["json.load(file)", "safetensors.torch.load_file('x')", "model_files.load(folder)"]
)
def test_the_check_lets_others_pass(source: str) -> None:
    assert list(offences(source)) == []
