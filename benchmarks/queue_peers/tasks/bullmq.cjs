// BullMQ on Redis: jobs of a worker whose lock has expired are moved back to wait. Graceful on SIGTERM, as its documentation shows.
'use strict';
const { Queue, Worker } = require('bullmq');
const work = require('./work.cjs');

const connection = { path: work.PEERS_REDIS, maxRetriesPerRequest: null };

async function worker() {
  const task = work.task(work.pool());
  const made = new Worker('peers', (job) => task(job.data), {
    connection,
    concurrency: work.slots,
    lockDuration: work.leaseMs,
    stalledInterval: work.leaseMs,
  });
  made.on('error', (error) => console.error(error.message));
  process.on('SIGTERM', async () => {
    await made.close();
    process.exit(0);
  });
}

async function submit() {
  const queue = new Queue('peers', { connection });
  const opts = { attempts: 5, backoff: { type: 'exponential', delay: 1000 }, removeOnComplete: true };
  await work.submit((jobs) =>
    queue.addBulk(jobs.map((data) => ({ name: 'count', data, opts: { ...opts, jobId: `document-${data.documents[0]}-` } }))),
  );
  process.exit(0);
}

({ worker, submit })[process.argv[2]]();
