"""Plans and nights as rows of tables, as JSON, and as lines for people."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docmill.commands.output import duration, print_json, say, warn
from docmill.commands.shell import CANCELLED, INTERRUPTED, SOME_BAD
from docmill.commands.tables import print_table

if TYPE_CHECKING:
    from db.nights.plans import Plan, StepPlan
    from db.store import Store
    from db.tables import Night

_LOOK_SECONDS = 0.3


# --- plans --------------------------------------------------------------------------------------------------------


def print_plan(plan: Plan, file: Path) -> None:
    moment = f", made {_here(plan.created_at)}" if plan.created_at else ""
    say(f"Plan {plan.id} for {plan.name}{moment}\n")
    reasons = list(dict.fromkeys(reason for step in plan.steps for reason in step.counts))
    held = [
        name
        for name in ("failed", "quarantined", "elsewhere")
        if any(getattr(step, f"n_{name}") for step in plan.steps)
    ]
    rows = [_plan_row(step, reasons, held) for step in plan.steps]
    names = [f"n_{reason}".replace(" ", "_") for reason in reasons]
    columns = ("step", "n_unchanged", *(f"n_{name}" for name in held), *names, "n_to_do", "time", "note")
    print_table(rows, columns, "no steps", spare=("note",))
    say("")
    say(f"  {_time_words(plan)}")
    first = next((step.name for step in plan.steps if step.n_to_do), None)
    if first is not None:
        say(f'  docmill night plan {file} --documents "{first}"    lists them, each with its reason')
        say(
            f"  docmill night run {file} --plan {plan.id}    does exactly this, or says what has changed since"
        )


def _plan_row(step: StepPlan, reasons: list[Any], held: list[str]) -> dict[str, Any]:
    counts = step.counts
    row: dict[str, Any] = {
        "step": step.name,
        "n_unchanged": f"{step.n_unchanged:,}",
        "n_to_do": f"{step.n_to_do:,}",
        "time": duration(step.seconds)
        if step.seconds is not None
        else ("not measured yet" if step.n_to_do else None),
        "note": step.note,
    }
    row |= {f"n_{reason}".replace(" ", "_"): f"{counts.get(reason, 0):,}" for reason in reasons}
    return row | {f"n_{name}": f"{getattr(step, f'n_{name}'):,}" for name in held}


def _time_words(plan: Plan) -> str:
    if not any(step.n_to_do for step in plan.steps):
        return "nothing to do"
    workers = f"{plan.n_workers} workers" if plan.n_workers != 1 else "1 worker"
    on = f"on {workers}" if plan.n_workers else "with as many workers as ran last (none runs now)"
    if plan.seconds is None:
        return f"the time is not known yet: a step was never measured here ({on})"
    return f"about {duration(plan.seconds)} (+- {duration(plan.seconds_spread or 0.0)}) {on}"


def plan_facts(plan: Plan) -> dict[str, Any]:
    return {
        "plan": plan.id,
        "name": plan.name,
        "n_workers": plan.n_workers,
        "seconds": plan.seconds,
        "seconds_spread": plan.seconds_spread,
        "steps": [_step_facts(step) for step in plan.steps],
    }


def _step_facts(step: StepPlan) -> dict[str, Any]:
    return {
        "step": step.name,
        "action": step.action,
        "n_unchanged": step.n_unchanged,
        "n_failed": step.n_failed,
        "n_quarantined": step.n_quarantined,
        "n_elsewhere": step.n_elsewhere,
        "n_to_do": step.n_to_do,
        "n_if_promoted": step.n_if_promoted,
        "reasons": {str(reason): n for reason, n in step.counts.items()},
        "seconds": step.seconds,
        "seconds_spread": step.seconds_spread,
        "note": step.note,
    }


def print_documents(store: Store, plan: Plan, name: str, *, json: bool) -> None:
    from db.nights import plans
    from scheduler.nights import explaining

    step = plan.step(name)
    with store.read() as session:
        why = explaining.Why(session, step)
        rows = [
            {"document_key": one.key, "step": step.name, "reason": why.of(one)}
            for one in plans.documents_of(session, plan.id, step.step)
        ]
    if json:
        print_json(rows)
    else:
        print_table(rows, ("document_key", "step", "reason"), f"{name} has nothing to do")


# --- nights -------------------------------------------------------------------------------------------------------


def follow(store: Store, night_id: int, *, json: bool) -> int:
    """Show a night until it has ended; returns the exit status."""
    from db.states import NIGHT_ENDED, NightState

    said: set[tuple[str, str]] = set()
    try:
        while True:
            facts = night_facts(store, night_id)
            for step in facts["steps"]:
                if step["state"] not in ("waiting",) and (step["step"], step["state"]) not in said:
                    said.add((step["step"], step["state"]))
                    job = f" (job {step['job']})" if step["job"] else ""
                    words = f": {step['note']}" if step["note"] else ""
                    warn(f"  {step['step']}: {step['state']}{job}{words}")
            if facts["state"] in NIGHT_ENDED:
                break
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        warn(f"night {night_id} continues: `docmill night show {night_id}` shows it")
        return INTERRUPTED
    if json:
        print_json(facts)
    else:
        print_night(facts)
    ends = {NightState.DONE: 0, NightState.CANCELLED: CANCELLED, NightState.CARRIED_OVER: SOME_BAD}
    return ends.get(facts["state"], SOME_BAD)


def night_row(night: Night) -> dict[str, Any]:
    seconds = (night.finished_at - night.created_at).total_seconds() if night.finished_at else None
    return {
        "night": night.id,
        "name": night.name,
        "state": str(night.state),
        "plan": night.plan_id,
        "began": night.created_at,
        "finish_by": night.finish_by,
        "ended": night.finished_at,
        "seconds": seconds,
        "note": night.note,
    }


def night_facts(store: Store, night_id: int) -> dict[str, Any]:
    """A night as it is now: in one reading."""
    from db.nights import plans, running

    with store.read() as session:
        night = running.by_id(session, night_id)
        planned = plans.load(session, night.plan_id) if night.plan_id is not None else None
        steps = []
        for row in running.steps_of(session, night_id):
            job = running.job_state(session, row.job_id) if row.job_id is not None else None
            steps.append(
                {
                    "step": row.name,
                    "state": str(row.state),
                    "job": row.job_id,
                    "n_planned": planned.step(row.name).n_to_do if planned is not None else None,
                    "n_documents": job.n_documents if job is not None else None,
                    "n_ok": job.n_ok if job is not None else None,
                    "n_error": job.n_error if job is not None else None,
                    "n_carried_over": row.n_carried_over,
                    "started": row.started_at,
                    "ended": row.finished_at,
                    "note": row.note,
                }
            )
        return night_row(night) | {"steps": steps}


def print_night(facts: dict[str, Any]) -> None:
    took = f" in {duration(facts['seconds'])}" if facts["seconds"] is not None else ""
    note = f": {facts['note']}" if facts["note"] else ""
    say(f"night {facts['night']} of {facts['name']} is {facts['state']}{took}{note}")
    columns = ("step", "state", "job", "n_planned", "n_documents", "n_ok", "n_error", "note")
    print_table(facts["steps"], columns, "it is being planned", spare=("note",))


def _here(moment: Any) -> str:
    return str(moment.astimezone().strftime("%d %b %H:%M"))
