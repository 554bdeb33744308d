#!/usr/bin/env bash
# Schedule a job for every night, see when it fires next, and fire it now.
#
#     docmill up &
#     examples/nightly_schedule.sh
#
# --new takes only the documents that have no result yet.
set -euo pipefail
cd "$(dirname "$0")"

docmill add documents/news.jsonl --collection example-nightly
docmill schedule add example-nightly --cron "0 2 * * *" --tz Asia/Seoul \
    --job "summarize --collection example-nightly -p sentences=1 --new"
docmill schedule list
docmill schedule run example-nightly
docmill schedule run example-nightly  # nothing is new now, so no job is made
docmill schedule remove example-nightly
