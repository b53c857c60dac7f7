// Acceptance of the unmodified Node client of Trino.
//
// Arguments: server URL, folder of TPC-H queries, 1 if tables may be made in
// the catalog memory, the catalog whose schema tiny has TPC-H under the
// standard's names.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { BasicAuth, Trino } from 'trino-client';

const client = 'node';
const [server, tpch, writes, data] = process.argv.slice(2);
let failed = 0;

async function check(name, body) {
  try {
    await body();
    console.log(`ok   ${client}: ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${client}: ${name}: ${String(e.message ?? e).replace(/\s+/g, ' ').slice(0, 300)}`);
  }
}

function connect(catalog = 'tpch', schema = 'tiny', options = {}) {
  return Trino.create({ server, catalog, schema, auth: new BasicAuth('node'), ...options });
}

/** Runs a query; returns its columns and rows, or throws the server's error. */
async function run(trino, query) {
  let columns;
  const rows = [];
  for await (const page of await trino.query(query)) {
    if (page.error) {
      throw Object.assign(new Error(page.error.message), page.error);
    }
    columns ??= page.columns;
    rows.push(...(page.data ?? []));
  }
  return { columns, rows };
}

const trino = connect();

await check('select', async () => {
  const { columns, rows } = await run(trino, "SELECT 1 AS a, 'x' AS b, CAST(NULL AS bigint) AS c");
  assert.deepEqual(columns.map((c) => `${c.name} ${c.type}`), ['a integer', 'b varchar(1)', 'c bigint']);
  assert.deepEqual(rows, [[1, 'x', null]]);
});

const values = [
  ['true', true],
  ["TINYINT '-5'", -5],
  ["1.5E0", 1.5],
  ['nan()', 'NaN'],
  ["DECIMAL '-12345678901234567890.12'", '-12345678901234567890.12'],
  ["'text é 😀'", 'text é 😀'],
  ["''", ''],
  ["CAST('a' AS char(3))", 'a  '],
  ["DATE '2024-02-29'", '2024-02-29'],
  ["TIME '12:34:56'", '12:34:56.000'],
  // This client does not say that it knows precisions, so it gets milliseconds.
  ["TIMESTAMP '2024-02-29 12:34:56.123456'", '2024-02-29 12:34:56.123'],
  ["TIMESTAMP '2024-02-29 12:00:00 Europe/Rome'", '2024-02-29 12:00:00.000 Europe/Rome'],
  ["X'00FF'", 'AP8='],
  ['ARRAY[1, NULL]', [1, null]],
  ["MAP(ARRAY['a'], ARRAY[1.5])", { a: '1.5' }],
  ["ROW(1, 'x')", [1, 'x']],
];
for (const [expression, want] of values) {
  await check(`type: ${expression}`, async () => {
    assert.deepEqual((await run(trino, `SELECT ${expression}`)).rows, [[want]]);
  });
}

await check('60,175 rows', async () => {
  const { rows } = await run(trino, 'SELECT orderkey, comment FROM lineitem');
  assert.equal(rows.length, 60175);
});

await check('empty result', async () => {
  const { columns, rows } = await run(trino, 'SELECT name FROM nation WHERE nationkey < 0');
  assert.deepEqual([columns.length, rows.length], [1, 0]);
});

await check('show catalogs, schemas, tables, columns', async () => {
  const names = async (sql) => (await run(trino, sql)).rows.map((r) => r[0]);
  for (const catalog of ['system', 'tpch', 'tpchstd']) {
    assert.ok((await names('SHOW CATALOGS')).includes(catalog), catalog);
  }
  assert.ok((await names('SHOW SCHEMAS FROM tpch')).includes('tiny'));
  assert.equal((await names('SHOW TABLES FROM tpch.tiny')).length, 8);
  assert.deepEqual(await names('SHOW COLUMNS FROM region'), ['regionkey', 'name', 'comment']);
});

const errors = [
  ['SELEC 1', 1, 'SYNTAX_ERROR', 'line 1:1: '],
  ['SELECT nosuch FROM nation', 47, 'COLUMN_NOT_FOUND', "line 1:8: Column 'nosuch' cannot be resolved"],
  ['SELECT 1 / 0', 8, 'DIVISION_BY_ZERO', 'Division by zero'],
];
for (const [sql, code, name, message] of errors) {
  await check(`error: ${sql}`, async () => {
    await assert.rejects(run(trino, sql), (e) => {
      assert.deepEqual([e.errorCode, e.errorName, e.errorType], [code, name, 'USER_ERROR']);
      assert.ok(e.message.startsWith(message), e.message);
      return true;
    });
  });
}

await check('session properties', async () => {
  const { rows } = await run(connect('tpch', 'tiny', { session: { query_max_run_time: '7m' } }), "SHOW SESSION LIKE 'query_max_run_time'");
  assert.equal(rows[0][1], '7m');
});

await check('catalog and schema of one query', async () => {
  const { rows } = await run(trino, { query: 'SELECT n_name FROM nation WHERE n_nationkey = 18', catalog: 'tpchstd', schema: 'tiny' });
  assert.deepEqual(rows, [['CHINA']]);
});

await check('USE', async () => {
  const own = connect();
  await run(own, 'USE tpchstd.tiny');
  assert.deepEqual((await run(own, 'SELECT n_name FROM nation WHERE n_nationkey = 18')).rows, [['CHINA']]);
});

await check('EXECUTE IMMEDIATE', async () => {
  const { rows } = await run(trino, "EXECUTE IMMEDIATE 'SELECT name FROM nation WHERE nationkey = ?' USING 18");
  assert.deepEqual(rows, [['CHINA']]);
});

// The client passes over pages without rows, so the query's id comes from the
// system tables.
await check('cancel and query info', async () => {
  const mark = `check ${process.pid}-${Date.now()}`;
  const sql = `SELECT '${mark}', count(*) FROM lineitem a CROSS JOIN lineitem b CROSS JOIN orders c WHERE a.comment <> b.comment || c.comment`;
  const start = Date.now();
  const outcome = run(connect(), sql).then(() => 'ended by itself', (e) => e.errorName);
  let id;
  while (id === undefined) {
    assert.ok(Date.now() - start < 15_000, 'the query is not listed');
    const { rows } = await run(trino, `SELECT query_id FROM system.runtime.queries WHERE state = 'RUNNING' AND query LIKE 'SELECT ''${mark}''%'`);
    id = rows[0]?.[0];
  }
  await trino.cancel(id);
  assert.equal(await outcome, 'USER_CANCELED');
  assert.ok(Date.now() - start < 30_000, 'canceling took too long');
  const info = await trino.queryInfo(id);
  assert.deepEqual([info.queryId, info.state], [id, 'FAILED']);
});

if (writes === '1') {
  await check('write: create, insert, read, drop', async () => {
    const own = connect('memory', 'default');
    await run(own, 'DROP TABLE IF EXISTS node_check');
    await run(own, 'CREATE TABLE node_check (a bigint, b varchar)');
    assert.deepEqual((await run(own, "INSERT INTO node_check VALUES (1, 'x'), (2, NULL)")).rows, [[2]]);
    assert.deepEqual((await run(own, 'SELECT * FROM node_check ORDER BY a')).rows, [[1, 'x'], [2, null]]);
    await run(own, 'DROP TABLE node_check');
  });
}

const standard = connect(data, 'tiny');
for (let i = 1; i <= 22; i++) {
  const name = `q${String(i).padStart(2, '0')}`;
  await check(`tpch ${name}`, async () => {
    const want = readFileSync(`${tpch}/answers/tiny/${name}.csv`, 'utf8').trimEnd().split('\n').slice(1);
    const { rows } = await run(standard, readFileSync(`${tpch}/${name}.sql`, 'utf8'));
    assert.deepEqual(rows.map((r) => r.map((v) => (v === null ? 'NULL' : String(v))).join('|')), want);
  });
}

console.log(`done ${client}`);
process.exit(failed > 0 ? 1 : 0);
