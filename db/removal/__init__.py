"""Removing documents for good: texts, labels and results go, and every outcome stays.

    choosing    which documents: by key, by condition, or a whole collection
    erasing     one batch, in one transaction: counts what goes, and deletes it
    sweeping    afterwards: lists of neighbours that name a removed document
    unnaming    keys in tables that are not about documents
    retiring    a collection without documents is removed; or renamed
    db.erased, chunks.without_removed    what workers write at the same moment

Of a removed document its row is left, as version 0 under a key that only says "(removed 17)", because the outcomes of
jobs refer to it: n_ok + n_error = n_documents holds as before, and can be counted. A job that still has the document
gives it the outcome REMOVED.
"""

from db.erased import zero as zero
from db.removal.choosing import Chosen as Chosen
from db.removal.choosing import Keys as Keys
from db.removal.choosing import next_keys as next_keys
from db.removal.choosing import unknown as unknown
from db.removal.erasing import Found as Found
from db.removal.erasing import count as count
from db.removal.erasing import erase as erase
from db.removal.retiring import naming as naming
from db.removal.retiring import rename as rename
from db.removal.retiring import retire as retire
from db.removal.sweeping import Place as Place
from db.removal.sweeping import end as end
from db.removal.sweeping import start as start
from db.removal.sweeping import sweep_some as sweep_some
from db.removal.sweeping import unfinished as unfinished
from db.removal.unnaming import names as names
from db.removal.unnaming import unname as unname
