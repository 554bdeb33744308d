"""Patterns of paths, as a shell would expand them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import BadRecord, Record, patterns, read

NAMES = (
    "a.txt",
    "b.txt",
    "b.csv",
    "x/a.txt",
    "x/c.txt",
    "x/y/a.txt",
    "x/y/z/d1.txt",
    "w/a.txt",
    ".h/a.txt",
    "[1].txt",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"id,text\n{name},of {name}\n" if name.endswith("csv") else f"of {name}")
    return tmp_path


def keys(*places: object) -> list[str]:
    return [each.key for each in read([str(place) for place in places]) if isinstance(each, Record)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["[1].txt", "a.txt", "b.txt"]),
        ("?.{txt,csv}", ["a.txt", "b.csv", "b.txt"]),
        (
            "**/*.txt",
            ["[1].txt", "a.txt", "b.txt", "w/a.txt", "x/a.txt", "x/c.txt", "x/y/a.txt", "x/y/z/d1.txt"],
        ),
        (
            "**",
            [
                "[1].txt",
                "a.txt",
                "b.csv",
                "b.txt",
                "w/a.txt",
                "x/a.txt",
                "x/c.txt",
                "x/y/a.txt",
                "x/y/z/d1.txt",
            ],
        ),
        ("{x,w}/*.txt", ["w/a.txt", "x/a.txt", "x/c.txt"]),
        ("x/**/a.txt", ["a.txt", "y/a.txt"]),
        ("x/**/**/z/*", ["y/z/d1.txt"]),
        ("*/[!c].txt", ["w/a.txt", "x/a.txt"]),
        ("{a,x/{a,c}}.txt", ["a.txt", "x/a.txt", "x/c.txt"]),
        # The path itself, not a class of characters.
        ("[1].txt", ["[1].txt"]),
    ],
)
def test_a_pattern_finds_the_files_that_it_means(folder: Path, pattern: str, found: list[str]) -> None:
    assert keys(folder / pattern) == found


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*.pdf", "no file matches"),
        ("nowhere/*.txt", "there is no folder"),
        ("?", "add /\\*\\* for the files"),
    ],
)
def test_no_match_is_an_error_that_says_why(folder: Path, pattern: str, said: str) -> None:
    [bad] = read([str(folder / pattern)])

    assert isinstance(bad, BadRecord)
    assert bad.code == "NO_MATCH"
    import re

    assert re.search(said, bad.detail)


def test_a_pattern_leaves_its_folder_by_no_link(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "s.txt").write_text("secret")
    (folder / "link.txt").symlink_to(outside / "s.txt")
    (folder / "loop").symlink_to(folder)

    found = list(read([str(folder / "**/*.txt")]))

    assert [each.code for each in found if isinstance(each, BadRecord)] == ["LINK_LEAVES_FOLDER"]
    assert len(found) == 9


def test_a_mistyped_pattern_of_many_alternatives_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1,000 alternatives"):
        patterns.of("{a,b}" * 12)


@given(
    st.lists(st.sampled_from(["*", "**", "a", "?", "[ab]*", "{a,b}"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=4),
)
def test_a_file_that_is_matched_is_in_folders_that_are_entered(steps: list[str], parts: list[str]) -> None:
    pattern = patterns.of("/".join(steps))
    if pattern is not None and pattern.matches("/".join(parts)):
        assert all(pattern.enters("/".join(parts[:n])) for n in range(1, len(parts)))
