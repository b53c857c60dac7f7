// One query: its figures, its text, its stages while they run.
import { N, bar, bytes, count, duration, exact, get, h, keys, kindOf, local, pill, poll, tile, top } from './common.js';
import { code } from './sql.js';
import { graph } from './stages.js';

const id = decodeURIComponent(location.search.slice(1)).replace(/^id=/, '').split('&')[0];
const main = document.getElementById('query');
let tab = location.hash.slice(1) || 'stages';
let last; // the answer shown
let sqlOpen = true;

const done = (q) => ['FINISHED', 'FAILED'].includes(q.state);

async function kill() {
  if (!confirm('Kill this query?')) return;
  await fetch(`/v1/query/${encodeURIComponent(id)}/killed`, { method: 'PUT', body: 'killed from the web page' });
  refresh();
}

function head(q) {
  return h('div', { class: 'qhead' },
    h('h1', {}, q.queryId), pill(q.state, q.why), q.updateType && h('span', { class: 'soft' }, q.updateType),
    h('div', { class: 'acts' },
      h('button', { title: 'Copy the SQL text (c)', onclick: copy }, 'Copy SQL'),
      h('a', { href: `/v1/query/${encodeURIComponent(id)}`, target: '_blank', rel: 'noopener' }, h('button', { tabindex: '-1', title: 'This page as JSON' }, 'JSON')),
      !done(q) && h('button', { class: 'danger', onclick: kill, title: 'End the query everywhere' }, 'Kill')));
}

const copy = () => navigator.clipboard?.writeText(last.query);

function who(q) {
  const s = q.session;
  const fact = (name, value, title) => value && h('span', { title }, `${name} `, h('b', {}, value));
  return h('div', { class: 'who' },
    fact('User', s.user), fact('Source', s.source), fact('Catalog', [s.catalog, s.schema].filter(Boolean).join('.')),
    fact('Zone', s.timeZone), fact('Tags', s.clientTags?.join(', ')), fact('From', s.remoteAddress, s.userAgent),
    fact('Created', local(q.queryStats.createTime)),
    ...Object.entries(s.properties ?? {}).map(([k, v]) => fact(k, v, 'Session property')));
}

function figures(q) {
  const s = q.queryStats;
  const seconds = Math.max(s.elapsedMillis, 1) / 1000;
  const parallel = s.elapsedMillis > 0 ? s.cpuMillis / s.elapsedMillis : 0;
  return h('section', { class: 'tiles' },
    tile('Elapsed', duration(s.elapsedMillis), done(q) ? 'in all' : 'so far', `${s.elapsedMillis} ms since the statement arrived`),
    tile('CPU', duration(s.cpuMillis), `${parallel.toFixed(1)} × elapsed`, `${s.cpuMillis} ms of processor time over all nodes`),
    tile('Rows read', count(s.physicalRows), `${count(s.physicalRows / seconds)} rows/s`, `${exact(s.physicalRows)} rows decoded or tested, before filters`),
    tile('Bytes read', bytes(s.physicalBytes), `${bytes(s.physicalBytes / seconds)}/s`, `${exact(s.physicalBytes)} bytes from storage or its cache`),
    tile('Rows out', count(s.outputRows), 'sent to the client', exact(s.outputRows)),
    tile('Peak memory', bytes(s.peakMemoryBytes), s.spilledBytes ? `${bytes(s.spilledBytes)} spilled` : `${bytes(s.memoryBytes)} now`, `${exact(s.peakMemoryBytes)} bytes accounted`),
    tile('Splits', h('span', {}, exact(s.completedSplits), h('small', {}, ` / ${exact(s.totalSplits)}`)), `${exact(s.runningSplits)} running · ${exact(s.queuedSplits)} waiting`, 'Units of scan work: files or parts of files'),
    tile('Shuffled', bytes(s.internalBytes), `${exact(s.nodes)} node${s.nodes === 1 ? '' : 's'}`, `${exact(s.internalBytes)} bytes moved between nodes`));
}

function timeline(q) {
  const s = q.queryStats;
  const planned = s.queuedMillis + s.analysisMillis + s.planningMillis;
  const phases = [['queued', s.queuedMillis, 'Waited for a place among the running queries'], ['analysis', s.analysisMillis, 'Names and types resolved'],
    ['planning', s.planningMillis, 'Plan built and optimized, files listed'], ['execution', Math.max(0, s.elapsedMillis - planned), 'Scheduled, run, and read by the client']];
  return h('div', { class: 'card timeline' },
    h('div', { class: 'phases' }, phases.filter(([, ms]) => ms > 0).map(([name, ms, title]) => h('span', { class: `ph-${name}`, style: `flex:${ms * 1000}`, title: `${name}: ${duration(ms)} — ${title}` }))),
    h('div', { class: 'legend' }, phases.map(([name, ms, title]) => h('span', { title }, h('i', { class: `ph-${name}` }), name, ' ', h('b', {}, duration(ms)))),
      !done(q) && s.progressPercentage !== undefined && h('span', { style: 'margin-left:auto' }, 'progress ', N(`${Math.floor(s.progressPercentage)} %`, '', 'Share of the work that is done, as far as it is known'))),
    !done(q) && s.progressPercentage !== undefined && h('div', { style: 'margin-top:8px' }, bar(s.progressPercentage, 'run')));
}

function failure(q) {
  if (!q.error) return null;
  return h('div', { class: 'card error' }, h('b', {}, q.error.errorName), h('span', { class: 'soft' }, ` ${q.error.errorType.toLowerCase().replace('_', ' ')} ${q.error.errorCode}`), h('pre', {}, q.error.message));
}

function body(q) {
  const views = {
    stages: () => q.stages?.length ? graph(q) : h('p', { class: 'card empty' }, done(q) ? 'This statement had no plan to run.' : 'Not yet planned.'),
    plan: () => q.plan ? h('div', { class: 'card' }, h('pre', { class: 'code', style: 'max-height:none;padding:14px 16px' }, q.plan)) : h('p', { class: 'card empty' }, 'No plan.'),
    tasks: () => tasks(q),
  };
  if (!views[tab]) tab = 'stages';
  const titles = { stages: 'Stages', tasks: 'Tasks', plan: 'Plan' };
  return h('div', {},
    h('div', { class: 'tabs', role: 'tablist' }, Object.keys(titles).map((t) =>
      h('button', { role: 'tab', 'aria-selected': String(t === tab), onclick: () => { tab = t; history.replaceState(null, '', `#${t}`); render(last); } }, titles[t]))),
    views[tab]());
}

function tasks(q) {
  const all = (q.stages ?? []).flatMap((s) => s.tasks.map((t) => ({ ...t, stage: s.stageId })));
  if (!all.length) return h('p', { class: 'card empty' }, 'The plan ran in the coordinator, without tasks.');
  const num = (text, title) => h('td', { class: 'num', title }, text);
  return h('div', { class: 'card tablecard' }, h('table', { class: 'list' },
    h('thead', {}, h('tr', {}, ['Task', 'State', 'Node'].map((t) => h('th', {}, t)), ['Splits', 'Rows in', 'Rows out', 'CPU', 'Blocked', 'Peak memory'].map((t) => h('th', { class: 'num' }, t)))),
    h('tbody', {}, all.map((t) => h('tr', { style: 'cursor:default' },
      h('td', { class: 'mono' }, t.taskId), h('td', {}, pill(t.state)), h('td', { class: 'mono' }, t.node),
      num(`${t.stats.completedSplits} / ${t.stats.totalSplits}`), num(count(t.stats.inputRows), exact(t.stats.inputRows)), num(count(t.stats.outputRows), exact(t.stats.outputRows)),
      num(duration(t.stats.cpuMillis)), num(duration(t.stats.blockedMillis), 'Time spent waiting for input or room'), num(bytes(t.stats.peakMemoryBytes), `${exact(t.stats.peakMemoryBytes)} bytes`))))));
}

function render(q) {
  last = q;
  document.title = `${q.state.toLowerCase()} · ${q.queryId} · Tutti`;
  const scroll = main.querySelector('.sqlbox pre')?.scrollTop;
  const sql = h('details', { class: 'card sqlbox', open: sqlOpen, ontoggle: (e) => { sqlOpen = e.target.open; } }, h('summary', {}, 'SQL'), code(q.query, q.error?.errorLocation));
  main.replaceChildren(...[head(q), who(q), failure(q), q.why && h('div', { class: 'card why' }, h('b', {}, 'Waiting: '), q.why), figures(q), timeline(q), sql, body(q)].filter(Boolean));
  if (scroll) main.querySelector('.sqlbox pre').scrollTop = scroll;
  place();
}

// place lets the stage graph draw its lines, now that its boxes have places.
const place = () => main.querySelector('.graph')?.dispatchEvent(new Event('placed'));

top();
addEventListener('resize', place);
keys({ c: copy, Escape: () => { location.href = './'; } });
let frozen = '';
const refresh = poll(async () => {
  try {
    const q = await get(`/v1/query/${encodeURIComponent(id)}`);
    const text = JSON.stringify(q);
    if (text !== frozen) render(q);
    frozen = text;
    return done(q) ? false : kindOf(q.state) === 'wait' ? 500 : 1000;
  } catch (e) {
    if (e.status !== 404) throw e;
    main.replaceChildren(h('p', { class: 'card empty' }, `There is no query ${id}: the coordinator remembers only the latest ones.`));
    return false;
  }
});
