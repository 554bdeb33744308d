"""docmill search and docmill index, as the shell and the client show them."""

from __future__ import annotations

import pytest

from docmill import Client
from docmill.errors import InvalidRequestError, NotFoundError
from tests.commands.conftest import Shell

TEXTS = (
    "한국은행이 기준금리를 인상했다",
    "<b>Oil prices</b> & <script>alert(1)</script> rose",
    "nothing of this",
)


def test_search_prints_the_best_documents_with_their_words_marked(shell_on_both: Shell) -> None:
    shell = shell_on_both
    shell.texts(*TEXTS)
    before = shell("search", "인상")
    assert "index: 3 documents to go" in before.err
    assert "no document has these words" in before.out
    assert "3 documents were indexed" in shell("index").out
    said = shell("search", "금리", "인상")
    assert said.err == ""
    assert said.out.splitlines()[0].split()[:2] == ["1", "k0"]
    assert "기준[금리]를 [인상]했다" in said.out
    [row] = shell("search", "price", "--collection", "inbox", "--json").json
    marked = [row["excerpt"][start:end] for start, end in row["marks"]]
    assert (row["document_key"], marked) == ("k1", ["prices"])
    assert "0 documents were indexed" in shell("index").out
    assert "3 documents were indexed" in shell("index", "--again").out
    assert shell("search", "price", "--json").json == [row]


def test_a_quoted_argument_is_a_phrase(shell: Shell) -> None:
    shell.texts("base rate up", "rate of the base")
    shell("index")
    assert len(shell("search", "base rate", "--json").json) == 2
    assert [row["document_key"] for row in shell("search", "up", '"base rate"', "--json").json] == ["k0"]
    assert [row["document_key"] for row in shell("search", "up", "base rate", "--json").json] == ["k0"]
    assert [row["document_key"] for row in shell("search", "--json", "--", "rate", "-up").json] == ["k1"]


def test_what_search_cannot_do_is_said(shell: Shell) -> None:
    shell.texts(*TEXTS)
    assert "write a word to look for" in shell("search", "label:x", status=2).err
    assert "has no other one" in shell("search", '"open', status=2).err
    assert "there is no collection 'none'" in shell("search", "a", "--collection", "none", status=1).err
    assert "no document has the field" in shell("search", "price", "--where", "colour = 'red'", status=2).err


def test_the_client_searches(shell: Shell) -> None:
    shell.texts(*TEXTS)
    shell("index")
    with Client() as client:
        [row] = client.search("인상", collection="inbox", limit=1)
        assert (row["rank"], row["document_key"], row["marks"]) == (1, "k0", [[12, 14]])
        assert client.search("인상", offset=1) == []
        with pytest.raises(InvalidRequestError, match="write a word"):
            client.search("")
        with pytest.raises(NotFoundError):
            client.search("인상", collection="none")
