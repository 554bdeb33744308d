"""Where the package transformers is not installed, what needs it says so, and how to install it."""

from __future__ import annotations

import subprocess
import sys

import pytest

ABSENT = """
import sys

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "transformers":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent)
"""
GENERATE = """
from nlp_tasks.generation import GenerateParameters as Parameters
from nlp_tasks.generation.runner import open_writer
wanted = {"model": "/folder", "prompt": "{text}"}
"""
SUMMARIZE = """
from nlp_tasks.summarization import SummarizeParameters as Parameters
from nlp_tasks.summarization.abstractive.runner import open_writer
wanted = {"method": "abstractive", "pretrained": "/folder"}
"""
OPEN = """
from nlp_tasks.errors import ModelFileError
from nlp_tasks.kind import Setup
try:
    open_writer(Setup(parameters=Parameters(**wanted), device="cpu"))
except ModelFileError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", [GENERATE, SUMMARIZE], ids=["generate", "summarize"])
def test_what_needs_it_says_how_to_install_it(kind: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ABSENT + kind + OPEN], capture_output=True, text=True, check=False
    )

    assert "needs the package transformers on the workers: pip install" in done.stdout, done.stderr
