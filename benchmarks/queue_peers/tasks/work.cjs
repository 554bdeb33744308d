// The task of work.py and behaviour.py for Node.js. CommonJS, because NODE_PATH, where the peers are installed, is not read for modules.
'use strict';
const fs = require('node:fs');
const readline = require('node:readline');
const { Pool } = require('pg');

const { PEERS_LEASE, PEERS_PAUSE, PEERS_PLANTED, PEERS_REDIS, PEERS_RUNS, PEERS_SLOTS, PEERS_WORKER } = process.env;
const [how, which] = (PEERS_PLANTED || '').split(' ');
const planted = Number(which || 0);
const pause = Number(PEERS_PAUSE || 0) * 1000;
const slots = Number(PEERS_SLOTS);
const leaseMs = Number(PEERS_LEASE) * 1000;
const ADDED_AT_ONCE = 1000;

const READ = 'SELECT document, body FROM peer_document WHERE document = ANY($1)';
const WRITE = `
  INSERT INTO peer_result (job, document, words) SELECT $1, * FROM unnest($2::bigint[], $3::integer[])
  ON CONFLICT (job, document) DO UPDATE SET words = excluded.words`;

function pool() {
  const words = Object.fromEntries(process.env.PEERS_POSTGRES.split(' ').map((word) => word.split('=')));
  const made = new Pool({ host: words.host, user: words.user, database: words.dbname, max: slots + 4 });
  made.on('error', (error) => console.error('pool:', error.message)); // a connection that broke while nobody used it
  made.on('connect', (client) => client.on('error', (error) => console.error('client:', error.message)));
  return made;
}

async function before(document) {
  if (PEERS_RUNS) fs.appendFileSync(PEERS_RUNS, `${PEERS_WORKER} ${document}\n`);
  if (pause) await new Promise((done) => setTimeout(done, pause));
  if (document !== planted) return;
  if (how === 'raise') throw new Error(`document ${document} raises`);
  if (how === 'kill') process.kill(process.pid, 'SIGKILL');
}

function written(documents) {
  if (how !== 'kill-once-written' || !documents.includes(planted) || fs.existsSync(`${PEERS_RUNS}.killed`)) return;
  fs.writeFileSync(`${PEERS_RUNS}.killed`, '');
  process.kill(process.pid, 'SIGKILL');
}

/** Returns the task: it reads the texts, counts their words and writes the results in one durable transaction. */
function task(connections) {
  return async ({ job, documents }) => {
    const { rows } = await connections.query({ name: 'read', text: READ, values: [documents] });
    const bodies = new Map(rows.map(({ document, body }) => [Number(document), body]));
    const words = [];
    for (const document of documents) {
      await before(document);
      words.push(bodies.get(document).trim().split(/\s+/).length);
    }
    await connections.query({ name: 'write', text: WRITE, values: [job, documents, words] });
    written(documents);
  };
}

/** A job for each batch of the documents 1 to n. */
function jobs(job, n, batch) {
  const made = [];
  for (let first = 1; first <= n; first += batch) {
    const length = Math.min(batch, n - first + 1);
    made.push({ job, documents: Array.from({ length }, (_, i) => first + i) });
  }
  return made;
}

/** As submitting.py: `add` gets up to ADDED_AT_ONCE jobs at a time. */
async function submit(add) {
  const [job, n, batch] = process.argv.slice(3).map(Number);
  console.log('ready');
  const lines = readline.createInterface({ input: process.stdin });
  await new Promise((told) => lines.once('line', told));
  const all = jobs(job, n, batch);
  for (let i = 0; i < all.length; i += ADDED_AT_ONCE) await add(all.slice(i, i + ADDED_AT_ONCE));
  console.log('submitted');
  await new Promise((ended) => lines.once('close', ended));
}

module.exports = { PEERS_REDIS, leaseMs, pool, slots, submit, task };
