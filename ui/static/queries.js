// The list of queries.
import { ago, bar, bytes, count, duration, exact, get, h, keys, kindOf, local, pill, poll, tile, top } from './common.js';

const rows = document.getElementById('rows');
const filter = document.getElementById('filter');
const groups = {
  all: () => true,
  running: (q) => !['QUEUED', 'FINISHED', 'FAILED'].includes(q.state),
  queued: (q) => q.state === 'QUEUED',
  finished: (q) => q.state === 'FINISHED',
  failed: (q) => q.state === 'FAILED',
};
let list = [];
let group = 'all';
let at = null; // id of the selected row

const open = (id) => { location.href = `query.html?${id}`; };

function matches(q) {
  const text = `${q.query} ${q.queryId} ${q.session.user} ${q.session.source ?? ''} ${q.errorCode?.name ?? ''}`.toLowerCase();
  return filter.value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function line(q) {
  const s = q.queryStats;
  const live = !['FINISHED', 'FAILED'].includes(q.state);
  return h('tr', { 'data-id': q.queryId, class: q.queryId === at ? 'at' : '', onclick: () => open(q.queryId) },
    h('td', {}, pill(q.state, q.why), live && s.progressPercentage !== undefined && bar(s.progressPercentage, 'run', `${Math.round(s.progressPercentage)} %`)),
    h('td', { class: 'sql' },
      h('div', { class: 'mono', title: q.query.slice(0, 2000) }, q.query.replace(/\s+/g, ' ').slice(0, 300)),
      q.error
        ? h('div', { class: 'fail', title: q.error.message }, `${q.errorCode.name}: ${q.error.message}`)
        : h('div', { class: 'id' }, q.queryId)),
    h('td', { class: 'from' }, q.session.user, h('div', { class: 'faint' }, q.session.source ?? '')),
    h('td', { class: 'soft when', title: local(s.createTime) }, ago(s.createTime)),
    num(duration(s.elapsedMillis), `${s.elapsedMillis} ms`),
    num(duration(s.cpuMillis), `${s.cpuMillis} ms`),
    num(count(s.physicalRows), exact(s.physicalRows)),
    num(bytes(s.physicalBytes), `${exact(s.physicalBytes)} bytes`),
    num(bytes(s.peakMemoryBytes), `${exact(s.peakMemoryBytes)} bytes`));
}

const num = (text, title) => h('td', { class: 'num', title }, text);

function shown() { return list.filter((q) => groups[group](q) && matches(q)); }

function render() {
  const now = shown();
  rows.replaceChildren(...now.map(line));
  const empty = document.getElementById('empty');
  empty.hidden = now.length > 0;
  document.getElementById('table').hidden = now.length === 0;
  empty.textContent = list.length === 0 ? 'No queries yet. Connect with: tutti sql --server ' + location.origin : 'No query matches.';
  document.getElementById('states').replaceChildren(...Object.keys(groups).map((g) =>
    h('button', { 'aria-pressed': String(g === group), onclick: () => { group = g; render(); } }, g[0].toUpperCase() + g.slice(1), h('b', {}, exact(list.filter(groups[g]).length)))));
}

function tiles(c) {
  document.getElementById('tiles').replaceChildren(
    tile('Running', exact(c.runningQueries), `${exact(c.queuedQueries)} queued`),
    tile('Workers', exact(c.activeWorkers), `${exact(c.runningDrivers)} drivers busy`, 'Active workers; drivers are the threads of running tasks'),
    tile('Memory', bytes(c.reservedMemory), 'accounted on all nodes', `${exact(c.reservedMemory)} bytes`),
    tile('Rows read', count(c.totalInputRows), 'by the queries listed', exact(c.totalInputRows)),
    tile('CPU', duration(c.totalCpuMillis), 'of the queries listed'),
    tile('Up', c.uptime, `version ${c.version}`));
}

function move(step) {
  const ids = shown().map((q) => q.queryId);
  if (!ids.length) return;
  const i = ids.indexOf(at);
  at = ids[Math.max(0, Math.min(ids.length - 1, i < 0 ? 0 : i + step))];
  render();
  rows.querySelector('.at')?.scrollIntoView({ block: 'nearest' });
}

top();
filter.addEventListener('input', render);
filter.addEventListener('keydown', (e) => {
  if (e.key === 'Escape') { filter.value = ''; filter.blur(); render(); }
  if (e.key === 'Enter') { filter.blur(); move(0); }
});
keys({
  '/': () => filter.focus(), j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
  Enter: () => { if (at) open(at); },
});
poll(async () => {
  const [queries, cluster] = await Promise.all([get('/v1/query'), get('/v1/cluster')]);
  list = queries;
  tiles(cluster);
  render();
  return list.some((q) => kindOf(q.state) === 'run') ? 1000 : 2500;
});
