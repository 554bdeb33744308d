"""docmill results --html: one page that shows what was chosen, whatever the texts hold."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

from tests.commands.conftest import Shell

EVIL = (
    '<script>alert("x")</script> & <img src="http://example.org/x.png" onerror=alert(1)> is the first sentence. '
    "'</mark></div>' & more of it is the second sentence. The third is plain.\nAnd \"this\" is the fourth sentence."
)
KOREAN = (
    "서울시가 한강에 새 다리를 놓는다. 어제는 비가 왔다. 새 다리는 한강의 남쪽과 북쪽을 잇는다. "
    "공사는 내년에 시작한다."
)


class Tags(HTMLParser):
    """The tags of a page, and the text in each element of a class."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def page(shell: Shell, path: Path, *words: str) -> str:
    job = shell.done("summarize", "--collection", "inbox", "-p", "sentences=2", *words)
    shell("results", job, "--html", path)
    return path.read_text(encoding="utf-8")


def test_texts_are_whole_and_escaped_and_nothing_comes_from_the_net(shell: Shell, tmp_path: Path) -> None:
    shell.texts(EVIL, KOREAN)

    found = page(shell, tmp_path / "page.html")

    tags = Tags()
    tags.feed(found)
    assert not {"script", "img", "link", "iframe"} & set(tags.tags)
    assert not {"src", "onerror", "style"} & set(tags.attributes)
    assert "default-src 'none'" in found
    texts = re.findall(r'<div class="text">(.*?)</div>\n<div class="summary">', found, re.S)
    assert [unescape(re.sub(r"</?mark[^>]*>", "", text)) for text in texts] == [EVIL, KOREAN]
    assert '<div class="sides" lang="ko">' in found


def test_the_marked_sentences_are_those_of_the_summary(shell_on_both: Shell, tmp_path: Path) -> None:
    shell = shell_on_both
    shell.texts(KOREAN)

    found = page(shell, tmp_path / "page.html", "-p", "method=lead")

    assert re.findall(r"<mark [^>]*>(.*?)</mark>", found) == [
        "서울시가 한강에 새 다리를 놓는다.",
        "어제는 비가 왔다.",
    ]
    linked = re.findall(r'<li><a href="#(\w+)">(.*?)</a>', found)
    assert [text for _, text in linked] == ["서울시가 한강에 새 다리를 놓는다.", "어제는 비가 왔다."]
    assert all(f'<mark id="{anchor}"' in found for anchor, _ in linked)


def test_a_limit_is_kept_and_said(shell: Shell, tmp_path: Path) -> None:
    shell.texts("One.", "Two.", "Three.")
    job = shell.done("summarize", "--collection", "inbox")

    said = shell("results", job, "--html", tmp_path / "page.html", "--limit", 2)

    text = (tmp_path / "page.html").read_text()
    assert text.count("<article") == 2
    assert "the first 2 of 3 documents" in text
    assert "--limit 3" in said.err
