"""docmill keys: made, listed without the secret, revoked."""

from __future__ import annotations

from tests.commands.conftest import Shell


def test_keys_in_the_shell(shell: Shell) -> None:
    shell("collections")
    shell("db", "upgrade")
    made = shell("keys", "create", "dash", "--role", "read")
    assert made.out.startswith("docmill_")
    assert "not shown again" in made.err
    assert "choose another name" in shell("keys", "create", "dash", status=1).err
    assert "choose read, submit or operate" in shell("keys", "create", "x", "--role", "all", status=2).err
    assert "dash" in shell("keys", "list").out
    assert made.out.strip() not in shell("keys", "list", "--json").out
    shell("keys", "revoke", "dash")
    assert "docmill keys list" in shell("keys", "revoke", "nobody", status=1).err
