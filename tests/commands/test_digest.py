"""The digest of a night: what it tells is what happened, and no document can load, run or break anything in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from db.errors import NotFoundError
from docmill.pages.night import digest
from tests.commands import nights
from tests.commands.conftest import Shell
from tests.db.builders import sql
