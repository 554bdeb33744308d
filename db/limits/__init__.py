"""Shares and limits: how much of the workers the jobs of a collection, a kind or a submitter may have.

    scopes    Scope, Limit, holds_for, is_limiting
                                  what a limit is about, and what it says
    setting   put, remove, of, all_
                                   for people; forget_collection, rename_collection
    states    states, State        how far each limit is used, for feeding and for people
    claiming  admission, meters_of, admit, count, count_at_end, count_held
                                   what a claim may take, and what it took: the one place where limits hold exactly

Feeding sends no more messages than the limits have room for, so that workers do not meet messages which they cannot
claim. A message may be late or doubled, so the claim asks again, in its transaction: it locks the rows of the limits
that its job has, in the order of their keys. Jobs without limits lock nothing.
"""

from db.limits.claiming import Meter as Meter
from db.limits.claiming import admission as admission
from db.limits.claiming import admit as admit
from db.limits.claiming import as_json as as_json
from db.limits.claiming import count as count
from db.limits.claiming import count_at_end as count_at_end
from db.limits.claiming import count_held as count_held
from db.limits.claiming import meters_of as meters_of
from db.limits.scopes import Limit as Limit
from db.limits.scopes import Scope as Scope
from db.limits.scopes import holds_for as holds_for
from db.limits.scopes import is_limiting as is_limiting
from db.limits.setting import all_ as all_
from db.limits.setting import forget_collection as forget_collection
from db.limits.setting import of as of
from db.limits.setting import put as put
from db.limits.setting import remove as remove
from db.limits.setting import rename_collection as rename_collection
from db.limits.states import State as State
from db.limits.states import states as states
