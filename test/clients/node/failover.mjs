// Load of the unmodified Node client for failover.sh, which describes what is
// read and printed.
//
// Arguments: server URL, folder with the queries.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { BasicAuth, Trino } from 'trino-client';

const [server, folder] = process.argv.slice(2);
const queries = readFileSync(`${folder}/queries.tsv`, 'utf8').trimEnd().split('\n').map((line) => line.split('\t'));

async function digest(ordered, sql) {
  const rows = [];
  const trino = Trino.create({ server, catalog: 'lake', schema: 'sf1', auth: new BasicAuth('node') });
  for await (const page of await trino.query(sql)) {
    if (page.error) {
      throw Object.assign(new Error(page.error.message), page.error);
    }
    for (const row of page.data ?? []) {
      rows.push(row.join('|'));
    }
  }
  if (ordered === '0') {
    rows.sort();
  }
  return createHash('sha256').update(rows.join('\n')).digest('hex');
}

const want = {};
for (const [name, ordered, sql] of queries) {
  want[name] = await digest(ordered, sql);
}
console.log('ready');
for (let i = 0; !existsSync(`${folder}/stop`); i = (i + 1) % queries.length) {
  const [name, ordered, sql] = queries[i];
  const start = Date.now();
  let outcome = 'ok';
  let detail = '';
  try {
    if ((await digest(ordered, sql)) !== want[name]) {
      outcome = 'wrong';
    }
  } catch (e) {
    // The server's errors have a code name; so has an HTTP answer a status.
    outcome = e.errorName || e.response ? 'error' : 'cut';
    detail = `${e.code ?? e.errorName ?? ''} ${e.message} ${JSON.stringify(e.response?.data) ?? ''}`.replace(/\s+/g, ' ');
  }
  console.log([name, start, Date.now(), outcome, detail].join('\t'));
}
console.log('done');
process.exit(0);
