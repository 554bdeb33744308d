"""Files at URLs: from a real web server and a real server of S3, both on loopback."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from readers import BadRecord, ReadOptions, Record, read
from readers.files import OtherFile
from readers.places import Reach
from readers.remote import buckets, fetching
from readers.remote.fetching import Bounds, fetch, stat
from readers.remote.objects import (
    ObjectChangedError,
    ObjectGoneError,
    ObjectRefusedError,
    RemoteObject,
    UnreachableError,
)
from readers.remote.policy import Policy
from readers.remote.urls import parse
from tests.storage import Storage, storage_server


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """Empty; as S3, with credentials in the environment."""
    monkeypatch.setattr(fetching, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setitem(buckets._RETRY, "max_retries", 1)
    with storage_server() as server:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "CANARY",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": server.web.rstrip("/"),
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        buckets._store.cache_clear()
        yield server
        buckets._store.cache_clear()


def open_to(storage: Storage) -> Policy:
    return Policy.of(f"1 {storage.web}")


def found_at(url: str, policy: Policy, taken: list[OtherFile] | None = None) -> list[Record | BadRecord]:
    def takes(file: OtherFile) -> bool:
        if taken is not None:
            taken.append(file)
        return taken is not None

    return list(read([url], ReadOptions(), takes=takes, reach=Reach(remote=policy)))


def fetched(wanted: RemoteObject, policy: Policy, n_bytes: int = 1_000_000) -> tuple[bytes, RemoteObject]:
    target = io.BytesIO()
    found = fetch(wanted, target, policy, Bounds(n_bytes))
    return target.getvalue(), found


# --- what is allowed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "url", "said"),
    [
        ("", "https://example.com/a.txt", "set DOCMILL_REMOTE_FILES=https://example.com/"),
        ("", "s3://bucket/a.txt", "set DOCMILL_REMOTE_FILES=s3://bucket/"),
        ("s3://bucket/in/", "s3://bucket/out/a.txt", "not below a URL in"),
        ("s3://bucket/in", "s3://bucket/in-secret/a.txt", "not below a URL in"),
        ("https://example.com", "https://example.com.evil.org/a.txt", "not below a URL in"),
        ("https://example.com/a/", "https://example.com:8443/a/x.txt", "not below a URL in"),
        ("1", "http://127.0.0.1:9/a.txt", "plain http:// is read only from hosts listed"),
        ("1", "https://127.0.0.1:9/a.txt", "private address"),
        ("1", "https://[::1]:9/a.txt", "private address"),
        ("1", "https://[::ffff:10.0.0.1]/a.txt", "private address"),
        ("1", "https://169.254.169.254/latest/meta-data/a.txt", "private address"),
        ("1", "https://0x7f000001/a.txt", "private address"),
        ("1", "https://user:CANARY@example.com/a.txt", "a user or a password"),
        ("1", "https://example.com/a.txt?X-Amz-Signature=CANARY", "signed"),
        ("1", "https://example.com/a.txt?token=CANARY", "signed"),
        ("1", "https://example.com/in/../a.txt", "the steps . or .."),
        ("1", "https://example.com/in/%2e%2e/a.txt", "the steps . or .."),
        ("1", "https://example.com/folder/", "list no files"),
        ("1", "ftp://example.com/a.txt", "URLs of ftp"),
        ("1", "s3:///a.txt", "names no bucket"),
        ("1", "file://elsewhere/etc/a.txt", "names a file of this machine"),
    ],
)
def test_a_url_that_is_not_allowed_is_a_report_without_secrets(setting: str, url: str, said: str) -> None:
    [bad] = found_at(url, Policy.of(setting))

    assert isinstance(bad, BadRecord)
    assert said in bad.detail
    assert "CANARY" not in str(bad)


def test_a_setting_that_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="write 1, or URLs such as"):
        Policy.of("bucket/prefix")


def test_a_redirect_leads_only_where_urls_may_lead(storage: Storage) -> None:
    storage.objects["a.txt"] = b"text"
    with storage_server() as other:
        other.objects["b.txt"] = b"secret"
        for target in (
            f"{other.web}b.txt",
            "http://169.254.169.254/latest/",
            "file:///etc/passwd",
            "s3://x/y",
        ):
            storage.faults = [target, target]
            [bad] = found_at(f"{storage.web}a.txt", open_to(storage))
            assert isinstance(bad, BadRecord)
            assert bad.code in ("URL_NOT_ALLOWED", "URL_REFUSED")
        assert not other.requests

        both = Policy.of(f"{storage.web} {other.web}")
        storage.faults = [f"{other.web}b.txt", f"{other.web}b.txt"]
        [record] = found_at(f"{storage.web}a.txt", both)
    assert isinstance(record, Record)
    assert record.text == "secret"


def test_an_endless_redirect_ends(storage: Storage) -> None:
    storage.faults = [f"{storage.web}a.txt"] * 20

    [bad] = found_at(f"{storage.web}a.txt", open_to(storage))

    assert isinstance(bad, BadRecord)
    assert bad.code == "TOO_MANY_REDIRECTS"


# --- what is read ---------------------------------------------------------------------------------------------


def test_texts_are_read_at_once_and_other_files_are_left_to_a_job(storage: Storage) -> None:
    storage.objects = {
        "b/in/a.txt": "첫째".encode(),
        "b/in/deep/b c.jsonl": b'{"id": "k", "text": "second"}\n',
        "b/in/report.pdf": b"%PDF-1.4",
        "b/in/named-wrong.txt": b"%PDF-1.4 and more",
        "b/in/noise": b"\0\1\2",
        "b/in/.hidden.txt": b"no",
        "b/in/folder/": b"",
        "b/inside.txt": b"not below the prefix",
    }
    taken: list[OtherFile] = []

    found = found_at("s3://b/in/", open_to(storage), taken)

    records = {each.key: each for each in found if isinstance(each, Record)}
    assert {key: each.text for key, each in records.items()} == {"a.txt": "첫째", "k": "second"}
    assert records["k"].source == "s3://b/in/deep/b c.jsonl:1"
    assert {each.name for each in taken} == {"report.pdf", "named-wrong.txt", "noise"}
    assert all(each.remote and each.remote.version.startswith("etag:") for each in taken)
    # Three to a page.
    assert storage.n_requests("GET b") - storage.n_requests("GET b/") >= 3


@pytest.mark.parametrize("place", ["s3://b/a.csv", "web"])
def test_one_object_is_read_by_its_url(storage: Storage, place: str) -> None:
    storage.objects["b/a.csv"] = b"id,text\n1,one\n"

    [record] = found_at(place if place != "web" else f"{storage.web}b/a.csv", open_to(storage))

    assert isinstance(record, Record)
    assert (record.key, record.text) == ("1", "one")


def test_what_is_not_there_is_a_report(storage: Storage) -> None:
    for url, code in (
        ("s3://b/none.txt", "NOT_FOUND"),
        ("s3://b/none/", "NO_MATCH"),
        (f"{storage.web}none.txt", "NOT_FOUND"),
        ("https://host.invalid/a.txt", "UNREACHABLE"),
    ):
        [bad] = found_at(url, open_to(storage))
        assert isinstance(bad, BadRecord)
        assert bad.code == code


# --- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["s3://b/a.bin", "web"])
def test_an_interrupted_transfer_goes_on_where_it_was(storage: Storage, url: str) -> None:
    content = bytes(range(256)) * 4_000
    storage.objects["b/a.bin"] = content
    wanted = stat(url if url != "web" else f"{storage.web}b/a.bin", open_to(storage))
    storage.requests.clear()
    storage.faults = ["cut", 503, "cut"]

    found, read_as = fetched(wanted, open_to(storage), len(content))

    assert found == content
    assert read_as == RemoteObject(wanted.url, wanted.name, len(content), wanted.version, wanted.modified)
    assert any("bytes=" in each for each in storage.requests)


def test_without_a_version_an_interrupted_transfer_begins_again(storage: Storage) -> None:
    storage.has_etags = storage.has_dates = False
    storage.objects["a.bin"] = b"x" * 500_000
    wanted = stat(f"{storage.web}a.bin", open_to(storage))
    assert not wanted.version
    storage.faults = ["cut"]

    found, _ = fetched(wanted, open_to(storage))

    assert found == storage.objects["a.bin"]


@pytest.mark.parametrize("url", ["s3://b/a.bin", "web"])
def test_a_changed_object_is_never_taken_for_the_old_one(storage: Storage, url: str) -> None:
    storage.objects["b/a.bin"] = b"x" * 1_000
    wanted = stat(url if url != "web" else f"{storage.web}b/a.bin", open_to(storage))
    storage.objects["b/a.bin"] = b"y" * 1_000

    with pytest.raises(ObjectChangedError):
        fetched(wanted, open_to(storage))


@pytest.mark.parametrize("url", ["s3://b/a.bin", "web"])
def test_each_failure_has_its_own_error(storage: Storage, url: str) -> None:
    policy = open_to(storage)
    there = url if url != "web" else f"{storage.web}b/a.bin"
    storage.objects["b/a.bin"] = b"x" * 1_000
    wanted = stat(there, policy)

    with pytest.raises(ObjectRefusedError, match="larger than 999 bytes"):
        fetched(wanted, policy, 999)
    with pytest.raises(ObjectGoneError):
        stat(there + ".gone", policy)
    storage.faults = [401] * 100
    with pytest.raises(UnreachableError):
        fetched(wanted, policy)
    storage.faults = [500] * 100
    with pytest.raises(UnreachableError) as raised:
        fetched(wanted, policy)
    assert "CANARY" not in str(raised.value)
    storage.faults = []


def test_a_server_that_says_no_size_is_bounded_too(storage: Storage) -> None:
    storage.objects["a.bin"] = b"x" * 1_000_000
    lying = RemoteObject(f"{storage.web}a.bin", "a.bin", 0, "")

    with pytest.raises(ObjectRefusedError, match="larger than"):
        fetched(lying, open_to(storage), 1_000)


def test_urls_of_buckets_keep_the_names_of_objects() -> None:
    for text in ("s3://b/a%20b?c#d.txt", "gs://b/한글 이름.pdf", "az://c/x/y/"):
        assert str(parse(text)) == text
    assert str(parse("gcs://b/x")) == "gs://b/x"
    assert parse("https://Example.COM/%ED%95%9C.pdf").name == "한.pdf"
