"""Notifications reach people: by mail, by a webhook, by a command.

destinations   what `--to` and `--notify` accept
secret         the environment variables that destinations name
smtp, webhook, command   one delivery; DeliveryError if it was not accepted
delivering     the scheduler's turn: the outbox (db.notifications) is delivered
"""
