"""Texts by a server with OpenAI's API (vLLM, llama.cpp, Ollama, TGI), on this machine or a listed one.

Only ever asked for: `-p server=ADDRESS`. No proxy of the environment is used, no redirect followed. What fails because
of the network or of a busy server is tried again; if that does not help, the chunk waits and is run again as after any
fault of the infrastructure. What the server refuses about one document is that document's error.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from nlp_tasks import model_servers
from nlp_tasks.errors import DocumentError, ModelServerError
from nlp_tasks.generation import GenerateParameters, choosing, json_schema, time_limit
from nlp_tasks.generation.writer import Prompt, Written
from nlp_tasks.model_servers import ModelServers

#: Seconds before the next try, after each one that failed.
DELAYS = (0.5, 2.0, 8.0)
#: The longest wait that a server may ask for with Retry-After.
_LONGEST_DELAY = 30.0
#: Statuses of a server that is busy or starting ...
_BUSY = (408, 409, 425, 429, 500, 502, 503, 504)
#: ... and of one that does not accept what was asked about this document.
_REFUSED = (400, 413, 422)
#: Statuses of a server that wants a key, or another one.
_NO_KEY = (401, 403)
_MOST_BYTES = 64 << 20
#: Seconds between two heartbeats while answers are awaited.
_BEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after: float | None = None


class _TryAgainError(Exception):
    """Why a request failed that may succeed later, and in how many seconds."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class Server:
    """A server, asked with at most `concurrency` requests at a time."""

    def __init__(self, parameters: GenerateParameters, stops: Sequence[str], servers: ModelServers) -> None:
        if not servers.allows(parameters.server):
            raise ModelServerError(
                f"workers may send texts to {parameters.server} only if {model_servers.SETTING} lists it: set it for "
                "every worker, or use a server on the same machine"
            )
        self._parameters, self._stops = parameters, list(stops)
        #: Whoever submits a job chooses the server, so only servers that the operator has listed get the key.
        self._key = servers.key_for(parameters.server)
        self._key_is_held_back = bool(servers.key) and not self._key
        self._address = model_servers.check(parameters.server)
        self._schema = json_schema.parse(parameters.schema) if parameters.schema else None
        self._is_chat = parameters.chat == "auto"

    def write(
        self, prompts: Sequence[Prompt], beat: Callable[[], None] = lambda: None
    ) -> list[Written | DocumentError]:
        """See writer.Writer. ModelServerError if the server cannot be used now."""
        stopping = threading.Event()
        threads = ThreadPoolExecutor(self._parameters.concurrency, "generate")
        try:
            answers = [threads.submit(self._one, prompt, stopping) for prompt in prompts]
            left = set(answers)
            while left:
                done, left = wait(left, timeout=_BEAT_SECONDS, return_when=FIRST_COMPLETED)
                for answer in done:
                    answer.result()
                beat()
        finally:
            # After an error, answers that are still awaited may take longer than the lease: nobody waits for them.
            stopping.set()
            threads.shutdown(wait=False, cancel_futures=True)
        return [answer.result() for answer in answers]

    def _one(self, prompt: Prompt, stopping: threading.Event) -> Written | DocumentError:
        body = json.dumps(self._request(prompt)).encode()
        for delay in (*DELAYS, None):
            try:
                answer = self._post(body)
                return self._written(answer)
            except DocumentError as error:
                return error
            except _TryAgainError as error:
                if delay is None or stopping.wait(min(error.seconds or delay, _LONGEST_DELAY)):
                    raise ModelServerError(f"the server {self._parameters.server} {error}") from error
        raise AssertionError("the last try returns or raises")

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        asked = self._parameters
        body: dict[str, Any] = {
            "model": asked.model,
            "max_tokens": asked.max_tokens,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "seed": choosing.seed_of(prompt.key, asked.seed) % (1 << 31),
        }
        if asked.top_k:
            body["top_k"] = asked.top_k
        if self._stops:
            body["stop"] = self._stops
        if asked.schema:
            described = {"name": "answer", "strict": True, "schema": json.loads(asked.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        if not self._is_chat:
            return body | {"prompt": f"{asked.system}\n\n{prompt.text}" if asked.system else prompt.text}
        messages = [{"role": "system", "content": asked.system}] if asked.system else []
        return body | {"messages": [*messages, {"role": "user", "content": prompt.text}]}

    def _post(self, body: bytes) -> _Answer:
        path = self._address.path.rstrip("/") + ("/chat/completions" if self._is_chat else "/completions")
        deadline = time_limit.Deadline(self._parameters.timeout)
        try:
            with closing(time_limit.connected(self._address, deadline)) as connection:
                connection.request("POST", path, body, self._headers())
                with connection.getresponse() as response:
                    retry_after = _seconds(response.headers.get("Retry-After"))
                    return _Answer(response.status, response.read(_MOST_BYTES), retry_after)
        except TimeoutError as error:
            raise _TryAgainError(f"did not answer within {self._parameters.timeout:g} s") from error
        except (http.client.HTTPException, OSError) as error:
            raise _TryAgainError(f"cannot be reached: {type(error).__name__}: {error}") from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "docmill"}
        return headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {})

    def _written(self, answer: _Answer) -> Written:
        if answer.status in _BUSY:
            raise _TryAgainError(f"answered {answer.status}: {_said(answer.body)}", answer.retry_after)
        if answer.status in _REFUSED:
            raise DocumentError(
                "SERVER_REFUSED", f"the server answered {answer.status}: {_said(answer.body)}"
            )
        if answer.status != 200:
            raise ModelServerError(
                f"the server {self._parameters.server} answered {answer.status}: {_said(answer.body)}; "
                f"{self._advice(answer.status)}"
            )
        try:
            found = json.loads(answer.body)
            choice = found["choices"][0]
            text = choice["message"]["content"] if self._is_chat else choice["text"]
            usage = found.get("usage")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ModelServerError(
                f"the server {self._parameters.server} does not answer as OpenAI's API does: its address ends with /v1"
            ) from error
        if not isinstance(text, str):
            raise DocumentError("NO_TEXT", "the server answered without a text")
        self._check(text)
        reason = str(choice.get("finish_reason") or "stop")
        return Written(text, reason, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))

    def _advice(self, status: int) -> str:
        if status in _NO_KEY and self._key_is_held_back:
            return f"the key is sent only to servers that {model_servers.SETTING} lists, and this one is not listed"
        return f"see whether its address and the model {self._parameters.model!r} are right"

    def _check(self, text: str) -> None:
        """DocumentError if the schema does not allow an answer: not every server holds to it."""
        if self._schema is None:
            return
        try:
            json_schema.check(self._schema, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise DocumentError("ANSWER_INVALID", f"the schema does not allow the answer: {error}") from error


def _said(body: bytes) -> str:
    """What a server says of an error, shortly."""
    try:
        found = json.loads(body)
        error = found.get("error", found)
        said = error.get("message", error) if isinstance(error, Mapping) else error
    except (ValueError, AttributeError, RecursionError):
        said = body.decode("utf-8", "replace")
    return " ".join(str(said).split())[:200] or "nothing"


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.strip().isdecimal() else None


def _count(usage: Any, name: str) -> int | None:
    found = usage.get(name) if isinstance(usage, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
