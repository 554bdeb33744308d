"""Three nights on a small store: what came in, changed, failed and grew is known."""

from __future__ import annotations

from db.documents import NewDocument
from tests.commands.conftest import Shell
from tests.db.builders import add

SPORT = ["The striker scored a late goal in the cup match", "A penalty decided the league match for the team",
         "The coach praised the team after the match", "골키퍼가 경기에서 승부차기를 막아 팀이 이겼다"]  # fmt: skip
MONEY = ["The bank raised its interest rates and bonds fell", "Shares rose as the market cheered the profits",
         "은행이 금리를 올려 주가와 채권이 내렸다", "투자자들은 시장의 이익을 기대하며 주식을 샀다"]  # fmt: skip
#: A word that grows in the third night, in Korean and in English.
FLOOD = ["홍수로 은행 지점이 잠겨 고객이 대피했다 {i}", "The flood closed the bank and the market {i}"]
HOSTILE_KEY = "<script>alert('key')</script>{{7*7}}"
HOSTILE_TEXT = "<img src=x onerror=alert(1)> \u202eevil </style></title> flood bank {{7*7}}. The bank flood."
LONG_KEY = "k" * 1_000


def documents(texts: list[str], prefix: str, n: int) -> list[NewDocument]:
    bodies = [
        f"{texts[i % len(texts)].format(i=i)}. Number {i} of day {prefix}. It was told." for i in range(n)
    ]
    return [NewDocument(f"{prefix}{i:02}", body, None, f"f:{i}") for i, body in enumerate(bodies)]


def models(shell: Shell) -> None:
    """A classifier and a similarity model, trained by hand."""
    shell.texts(*[f"{text} {i}" for i in range(8) for text in (*SPORT, *MONEY)], collection="reviews",
                labels=(["sport"] * 4 + ["money"] * 4) * 8)  # fmt: skip
    for words in (("classify", "-p", "gate=none"), ("similarity", "-p", "epochs=5", "-p", "vector_size=16")):
        said = shell("train", words[0], "--collection", "reviews", "--model", words[0], *words[1:], "--json")
        shell.work(int(said.json["job"]))


def schedule(shell: Shell) -> None:
    shell(
        "schedule", "add", "nightly", "--cron", "0 2 * * *", "--tz", "Asia/Seoul",
        "--job", "classify --collection inbox --model classify --new",
        "--job", "similarity --collection inbox --model similarity -p k=3",
        "--job", "summarize --collection inbox --new -p sentences=1",
    )  # fmt: skip


def night(shell: Shell) -> list[int]:
    """One night, to its end; the jobs."""
    jobs: list[int] = shell("schedule", "run", "nightly", "--json").json["jobs"]
    for job in jobs:
        shell.work(job)
    return jobs


def three_nights(shell: Shell) -> None:
    """Night 1 does all, night 2 eight more, night 3: a flood, a changed text, a hostile document, an unreadable one."""
    models(shell)
    add(shell.store, documents([*SPORT, *MONEY], "a", 24), "inbox")
    schedule(shell)
    night(shell)
    add(shell.store, documents([*SPORT, *MONEY], "b", 8), "inbox")
    night(shell)
    third = documents(FLOOD, "c", 10)
    third += [
        NewDocument("a00", f"{MONEY[0]}. The market fell. {MONEY[1]}.", None, "f:0"),
        NewDocument("copy", documents([*SPORT, *MONEY], "a", 24)[5].text, None, "f:4"),
        NewDocument(HOSTILE_KEY, HOSTILE_TEXT, None, "f:1"),
        NewDocument(LONG_KEY, "w" * 1_000_000, None, "f:2"),
        NewDocument("blank", "!!! ???", None, "f:3"),
    ]
    add(shell.store, third, "inbox")
    night(shell)
