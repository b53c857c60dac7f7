// The nodes of the cluster.
import { ago, bar, bytes, duration, exact, get, h, local, pill, poll, tile, top } from './common.js';

const keep = 60; // points of each curve
const before = new Map(); // node id → {time, cpuMillis, curve}

// load returns the share of its threads that a node kept busy since the last look.
function load(n) {
  const now = performance.now();
  const old = before.get(n.nodeId);
  const curve = old?.curve ?? [];
  let percent;
  if (old && now > old.time && n.threads > 0) {
    percent = Math.max(0, Math.min(100, (100 * (n.cpuMillis - old.cpuMillis)) / (now - old.time) / n.threads));
    curve.push(percent);
    if (curve.length > keep) curve.shift();
  }
  before.set(n.nodeId, { time: now, cpuMillis: n.cpuMillis, curve });
  return { percent, curve };
}

function spark(curve) {
  const w = 300;
  const x = (i) => (w * (keep - curve.length + i)) / (keep - 1);
  const y = (v) => 34 - (32 * v) / 100;
  const line = curve.map((v, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)},${y(v).toFixed(1)}`).join('');
  return h('svg', { class: 'spark', viewBox: `0 0 ${w} 36`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    curve.length > 1 && h('path', { class: 'area', d: `${line}L${w},36L${x(0)},36Z` }), curve.length > 1 && h('path', { d: line }));
}

const meter = (name, text, percent, kind, title) => h('div', { class: 'meter', title }, h('div', { class: 'row' }, name, h('b', {}, text)), percent !== undefined && bar(percent, kind));
const fact = (name, value, title) => h('div', { title }, h('span', {}, name), h('b', {}, value));

function card(n) {
  const cpu = load(n);
  const memory = n.memoryLimit ? (100 * n.memoryUsed) / n.memoryLimit : undefined;
  return h('article', { class: 'card node' },
    h('h2', {}, n.nodeId, h('span', { class: 'faint', style: 'font-weight:400;font-size:12.5px' }, n.coordinator ? 'coordinator' : 'worker'), pill(n.state, n.reason)),
    h('div', { class: 'addr', title: n.address }, [n.coordinator ? n.uri : n.address, n.version && `version ${n.version}`].filter(Boolean).join(' · ')),
    n.reason && h('div', { class: 'soft' }, n.reason),
    meter('CPU', cpu.percent === undefined ? '…' : `${cpu.percent.toFixed(0)} % of ${n.threads} threads`, undefined, '', `${duration(n.cpuMillis)} of processor time since its start`),
    spark(cpu.curve),
    meter('Memory', n.memoryLimit ? `${bytes(n.memoryUsed)} of ${bytes(n.memoryLimit)}` : bytes(n.memoryUsed), memory, memory > 85 ? 'bad' : '', `${exact(n.memoryUsed)} bytes accounted to queries`),
    h('div', { class: 'facts' },
      fact('Tasks', exact(n.runningTasks), 'Running tasks'), fact('Drivers', exact(n.runningDrivers), 'Threads of running tasks'),
      fact('Resident', bytes(n.rss), `${exact(n.rss)} bytes, as the system counts them`), fact('Retained', bytes(n.retainedBytes), 'Outputs kept for later stages'),
      fact('Threads', exact(n.threads), 'What it may use at once'), fact('Seen', n.lastSeen ? ago(n.lastSeen) : '–', local(n.lastSeen))));
}

top();
poll(async () => {
  const nodes = await get('/v1/node');
  const workers = nodes.filter((n) => !n.coordinator);
  const sum = (key) => nodes.reduce((a, n) => a + n[key], 0);
  document.getElementById('tiles').replaceChildren(
    tile('Workers', exact(workers.filter((n) => n.state === 'active').length), workers.some((n) => n.state !== 'active') ? `${workers.filter((n) => n.state !== 'active').length} draining or gone` : 'all active'),
    tile('Threads', exact(sum('threads')), 'on all nodes'),
    tile('Tasks', exact(sum('runningTasks')), `${exact(sum('runningDrivers'))} drivers`),
    tile('Memory', bytes(sum('memoryUsed')), `of ${bytes(sum('memoryLimit'))}`),
    tile('Resident', bytes(sum('rss')), 'of all processes'));
  document.getElementById('nodes').replaceChildren(...nodes.map(card));
  return 1500;
});
