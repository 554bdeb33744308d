// graphile-worker on PostgreSQL, with its defaults but for max_attempts. It frees the jobs of a dead worker after 4 hours; no setting
// changes that.
'use strict';
const { makeWorkerUtils, run } = require('graphile-worker');
const work = require('./work.cjs');

const pgPool = work.pool();

async function worker() {
  const options = { pgPool, concurrency: work.slots, taskList: { count: work.task(work.pool()) } };
  if (process.env.PEERS_LOCAL_QUEUE) {
    const size = Number(process.env.PEERS_LOCAL_QUEUE);
    options.preset = { worker: { localQueue: { size }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } };
  }
  await (await run(options)).promise;
  process.exit(0);
}

async function submit() {
  const utils = await makeWorkerUtils({ pgPool });
  await work.submit((jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: 'count', payload, maxAttempts: 5 }))));
  process.exit(0);
}

async function prepare() {
  await (await makeWorkerUtils({ pgPool })).migrate();
  process.exit(0);
}

({ worker, submit, prepare })[process.argv[2]]();
