"""Nightly plans: a TOML file says what a night does; a plan says for which documents, and why; a night applies it.

definition   the file's model
reading      from TOML to the model; errors name line, key and fix
steps        the steps in their order: what each waits for
coming       what the sources have that the store has not, without storing it
planning     the plan: per step and document, a reason or none
estimating   how long it takes, from what was measured
training     whether a training is due
applying     a night begins with a plan, if the store has not moved since
advancing    a turn of the scheduler: each night's next step
actions      what steps do that are no kind of jobs
"""
