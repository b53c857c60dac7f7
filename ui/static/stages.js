// The stages of a query as boxes, the root above what feeds it.
import { N, bar, bytes, count, duration, exact, h, kindOf, pill } from './common.js';

// depths returns the level of each stage: one below the lowest that it feeds.
function depths(stages) {
  const at = new Map();
  const byId = new Map(stages.map((s) => [s.stageId, s]));
  const visit = (s, depth) => {
    if (!s || (at.get(s.stageId) ?? -1) >= depth) return;
    at.set(s.stageId, depth);
    s.inputs.forEach((i) => visit(byId.get(i), depth + 1));
  };
  visit(stages[0], 0);
  stages.forEach((s) => { if (!at.has(s.stageId)) visit(s, 0); });
  return at;
}

// tree orders operators as the plan has them, each with its depth.
function tree(ops) {
  const byNode = new Map();
  ops.forEach((o) => byNode.set(o.node, [...(byNode.get(o.node) ?? []), o]));
  const fed = new Set(ops.flatMap((o) => o.inputs));
  const out = [];
  const seen = new Set();
  const visit = (node, depth) => {
    if (!byNode.has(node) || seen.has(node)) return;
    seen.add(node);
    const parts = byNode.get(node);
    parts.forEach((o, i) => out.push({ o, depth, more: i > 0 }));
    const inputs = parts.flatMap((o) => o.inputs);
    inputs.forEach((n) => visit(n, depth + (inputs.length > 1 ? 1 : 0) + (inputs.length === 1 ? 0.5 : 0)));
  };
  ops.filter((o) => !fed.has(o.node)).forEach((o) => visit(o.node, 0));
  ops.forEach((o) => visit(o.node, 0));
  return out;
}

// busy is the time in an operator without its waits.
const busy = (o) => Math.max(0, o.wallMillis - o.blockedMillis);

// partOf names a part of a plan node, unless its name says as much.
const partOf = (o) => (o.part && !o.name.replace(/^Table/, '').startsWith(o.part) ? o.part : '');

// estimate tells when the optimizer was wrong by ten times or more.
function estimate(o) {
  if (o.estimatedRows === undefined || !o.rowsOut || o.rowsOut < 100) return null;
  const ratio = o.rowsOut / Math.max(1, o.estimatedRows);
  if (ratio < 10 && ratio > 0.1) return null;
  const text = ratio >= 10 ? `${count(ratio)}× more` : `${count(1 / ratio)}× fewer`;
  return h('span', { class: 'off', title: `The optimizer expected ${exact(Math.round(o.estimatedRows))} rows` }, ` ${text}`);
}

function operator({ o, depth, more }, most) {
  const share = most > 0 ? (100 * busy(o)) / most : 0;
  const skipped = o.groups ? `; ${exact(o.groupsSkipped)} of ${exact(o.groups)} row groups skipped` : '';
  const title = [o.name + (o.part ? ` (${o.part})` : ''), o.detail, `${exact(o.rowsIn)} rows in, ${exact(o.rowsOut)} out${skipped}`,
    o.estimatedRows !== undefined && `expected ${exact(Math.round(o.estimatedRows))} rows`, o.blockedMillis && `waited ${duration(o.blockedMillis)}`].filter(Boolean).join('\n');
  return h('tr', { class: share > 60 && busy(o) > 1 ? 'hot' : '', title },
    h('td', { style: `padding-left:${14 + depth * 12}px` }, h('span', { class: more ? 'part' : 'op' }, more ? `↳ ${o.part || o.name}` : o.name), partOf(o) && !more && h('span', { class: 'part' }, ` ${partOf(o)}`), estimate(o), ' ', h('span', { class: 'detail' }, more ? '' : o.detail ?? '')),
    h('td', { class: 'num' }, count(o.rowsOut)),
    h('td', { class: 'num heat', style: `--w:${share.toFixed(1)}%` }, duration(busy(o))),
    h('td', { class: 'num' }, o.peakBytes ? bytes(o.peakBytes) : '–', o.spilledBytes ? h('div', { class: 'off', title: 'Written to disk for want of memory' }, `${bytes(o.spilledBytes)} spilled`) : null));
}

// skew is a bar for each task, as high as its time.
function skew(tasks) {
  if (tasks.length < 2) return null;
  const most = Math.max(...tasks.map((t) => t.stats.cpuMillis || t.stats.wallMillis), 0.001);
  return h('div', { class: 'tasks' }, h('div', { class: 'head', title: 'One bar a task, as high as its processor time: uneven bars mean skew' }, `${tasks.length} tasks`),
    h('div', { class: 'skew' }, tasks.map((t) => {
      const ms = t.stats.cpuMillis || t.stats.wallMillis;
      return h('i', { class: kindOf(t.state), style: `height:${(100 * ms) / most}%`, title: `${t.taskId} on ${t.node}: ${t.state.toLowerCase()}, ${duration(ms)}, ${exact(t.stats.inputRows)} rows` });
    })));
}

function box(s, most) {
  const f = s.stats;
  const rowsOut = outputRows(s);
  return h('article', { class: `card stage ${kindOf(s.state)}`, 'data-id': s.stageId, 'aria-label': `Stage ${s.stageId}` },
    h('h2', {}, `Stage ${s.stageId}`, h('span', { class: 'spread', title: 'How the stage is spread over nodes' }, s.spread), pill(s.state)),
    h('div', { class: 'sfig' },
      h('span', {}, 'rows out ', N(count(rowsOut), exact(rowsOut), 'rows that its topmost operator returned')),
      h('span', {}, 'cpu ', N(duration(f.cpuMillis), `${f.cpuMillis} ms`, 'processor time of all its tasks')),
      f.blockedMillis > 0 && h('span', {}, 'waited ', N(duration(f.blockedMillis), `${f.blockedMillis} ms`, 'time its drivers waited for input or room')),
      h('span', {}, 'memory ', N(bytes(f.peakMemoryBytes), `${exact(f.peakMemoryBytes)} bytes`, 'at its peak')),
      f.totalSplits > 0 && h('span', {}, 'splits ', N(`${exact(f.completedSplits)}/${exact(f.totalSplits)}`, '', 'units of scan work that are done')),
      f.failedTasks > 0 && h('span', {}, 'failed tasks ', N(exact(f.failedTasks), '', 'attempts that failed and were run again'))),
    f.totalSplits > 0 && bar((100 * f.completedSplits) / f.totalSplits, s.state === 'FINISHED' ? 'ok' : 'run', `${exact(f.completedSplits)} of ${exact(f.totalSplits)} splits`),
    h('table', { class: 'ops' },
      h('colgroup', {}, h('col'), h('col', { class: 'c-rows' }), h('col', { class: 'c-time' }), h('col', { class: 'c-mem' })),
      h('thead', {}, h('tr', {}, h('th', {}, 'Operator'), h('th', { title: 'Rows it returned' }, 'Rows'), h('th', { title: 'Time in the operator without its waits, added over all drivers; the bar compares it with the slowest' }, 'Time'), h('th', { title: 'Most memory it held' }, 'Memory'))),
      h('tbody', {}, tree(s.operators).map((line) => operator(line, most)))),
    skew(s.tasks));
}

// outputRows falls back on the topmost plan node alone: what is below it has
// other rows, and while a stage runs often the only ones.
const outputRows = (s) => s.stats.outputRows || Math.max(0, ...tree(s.operators).filter(({ depth }) => depth === 0).map(({ o }) => o.rowsOut ?? 0));

// graph returns the stages of a query with lines between them; the lines are
// drawn on the event "placed", when the boxes have their places.
export function graph(q) {
  const at = depths(q.stages);
  const most = Math.max(0, ...q.stages.flatMap((s) => s.operators.map(busy)));
  const levels = [];
  q.stages.forEach((s) => (levels[at.get(s.stageId)] ??= []).push(s));
  const lines = h('svg', { 'aria-hidden': 'true' });
  const el = h('div', { class: 'graph' }, lines, levels.filter(Boolean).map((level) => h('div', { class: 'level' }, level.map((s) => box(s, most)))));
  el.addEventListener('placed', () => draw(el, lines, q.stages));
  return el;
}

function draw(el, lines, stages) {
  const origin = el.getBoundingClientRect();
  const place = (id) => {
    const r = el.querySelector(`[data-id="${CSS.escape(id)}"]`)?.getBoundingClientRect();
    return r && { x: r.left - origin.left + el.scrollLeft + r.width / 2, top: r.top - origin.top, bottom: r.bottom - origin.top };
  };
  el.querySelectorAll('.edge').forEach((e) => e.remove());
  lines.replaceChildren();
  lines.setAttribute('width', el.scrollWidth);
  lines.setAttribute('height', el.scrollHeight);
  const byId = new Map(stages.map((s) => [s.stageId, s]));
  stages.forEach((s) => s.inputs.forEach((input) => {
    const to = place(s.stageId);
    const from = place(input);
    if (!to || !from) return;
    const mid = (to.bottom + from.top) / 2;
    lines.append(h('path', { d: `M${from.x},${from.top} C${from.x},${mid} ${to.x},${mid} ${to.x},${to.bottom}` }));
    const feeder = byId.get(input);
    const rows = outputRows(feeder);
    const size = feeder.stats.outputBytes;
    el.append(h('div', { class: 'edge', style: `left:${from.x}px;top:${from.top - 14}px`, title: `${exact(rows)} rows${size ? `, ${exact(size)} bytes` : ''} from stage ${input} to stage ${s.stageId}` },
      `↑ ${count(rows)} rows${size ? ` · ${bytes(size)}` : ''}`));
  }));
}
