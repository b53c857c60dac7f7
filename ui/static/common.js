// What all pages share: making elements, formatting numbers, polling, the top bar.

const svgSpace = 'http://www.w3.org/2000/svg'; // a name, not an address: nothing is loaded

// h makes an element: h('div', {class: 'x', onclick: f}, children…).
export function h(tag, props, ...children) {
  const svg = ['svg', 'path', 'line'].includes(tag);
  const el = svg ? document.createElementNS(svgSpace, tag) : document.createElement(tag);
  for (const [k, v] of Object.entries(props ?? {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith('on')) el.addEventListener(k.slice(2), v);
    else if (k === 'style') el.style.cssText = v;
    else el.setAttribute(k, v === true ? '' : v);
  }
  el.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

const whole = new Intl.NumberFormat('en');

export const exact = (n) => whole.format(n ?? 0);

function scaled(n, base, units) {
  let i = 0;
  let v = Math.abs(n);
  while (v >= base * 0.9995 && i < units.length - 1) { v /= base; i++; }
  const digits = i === 0 ? 0 : v < 10 ? 2 : v < 100 ? 1 : 0;
  return (n < 0 ? '-' : '') + v.toFixed(digits) + units[i];
}

export const count = (n) => scaled(n ?? 0, 1000, ['', 'K', 'M', 'G', 'T']);
export const bytes = (n) => scaled(n ?? 0, 1024, [' B', ' KB', ' MB', ' GB', ' TB', ' PB']);

export function duration(ms) {
  if (ms === undefined || ms === null) return '–';
  if (ms < 0.0005) return '0';
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 60) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}m ${String(Math.floor(s % 60)).padStart(2, '0')}s`;
  return `${Math.floor(m / 60)}h ${String(m % 60).padStart(2, '0')}m`;
}

export function ago(time) {
  const s = (Date.now() - Date.parse(time)) / 1000;
  if (s < 2) return 'now';
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
  return new Date(time).toLocaleDateString();
}

export const local = (time) => time ? new Date(time).toLocaleString() : '';

// N is a number on the page, with its exact value and meaning as tooltip.
export const N = (text, value, meaning) => h('b', { title: [value, meaning].filter(Boolean).join(' — ') }, text);

const kinds = { FINISHED: 'ok', finished: 'ok', active: 'ok', FAILED: 'bad', failed: 'bad', gone: 'bad', QUEUED: 'wait', PLANNING: 'wait', planned: 'wait', draining: 'wait' };
export const kindOf = (state) => kinds[state] ?? (['CANCELED', 'canceled', 'aborted', 'ABORTED'].includes(state) ? '' : 'run');
export const pill = (state, title) => h('span', { class: `pill ${kindOf(state)}`, title }, state.toLowerCase());
export const bar = (percent, kind, title) => h('div', { class: `bar ${kind ?? ''}`, title, role: 'progressbar', 'aria-valuenow': Math.round(percent) }, h('i', { style: `width:${Math.max(0, Math.min(100, percent))}%` }));
export const tile = (label, value, note, title) => h('div', { class: 'tile', title }, h('div', { class: 'label' }, label), h('div', { class: 'value' }, value), h('div', { class: 'note' }, note ?? '\u00a0'));

export async function get(path) {
  const resp = await fetch(path, { headers: { Accept: 'application/json' } });
  if (!resp.ok) throw Object.assign(new Error((await resp.text()).trim() || resp.statusText), { status: resp.status });
  return resp.json();
}

// poll calls work until it returns false; it returns the milliseconds to wait.
// A hidden page asks for nothing.
export function poll(work) {
  let timer;
  const run = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    let wait = 3000;
    try {
      wait = await work();
      online(true);
    } catch (e) {
      online(false, e.message);
    }
    if (wait !== false) timer = setTimeout(run, wait);
  };
  document.addEventListener('visibilitychange', run);
  run();
  return run;
}

function online(on, why) {
  const el = document.querySelector('.live');
  if (!el) return;
  el.classList.toggle('off', !on);
  el.textContent = on ? 'live' : 'no connection';
  el.title = why ?? 'The page follows the cluster';
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

const system = matchMedia('(prefers-color-scheme: dark)');
const wished = () => localStorage.getItem('theme') ?? (system.matches ? 'dark' : 'light');

export function toggleTheme() {
  const next = wished() === 'dark' ? 'light' : 'dark';
  localStorage.setItem('theme', next);
  setTheme(next);
}

// top fills the header and listens to the keys that work everywhere.
export function top() {
  setTheme(wished());
  system.addEventListener('change', () => setTheme(wished()));
  const el = document.getElementById('top');
  const at = el.dataset.page;
  const link = (page, href, text) => h('a', { href, 'aria-current': at === page ? 'page' : null }, text);
  el.append(h('div', { class: 'topbar' },
    h('a', { class: 'brand', href: './' }, h('img', { src: 'icon.svg', alt: '' }), 'Tutti'),
    h('nav', {}, link('queries', './', 'Queries'), link('workers', 'workers.html', 'Workers')),
    h('div', { class: 'right' }, h('span', { class: 'v', id: 'version' }), h('span', { class: 'live' }, 'live'),
      h('button', { class: 'icon', title: 'Dark or light (t)', 'aria-label': 'Toggle dark and light', onclick: toggleTheme }, '◐'))));
  get('/v1/info').then((i) => {
    document.getElementById('version').textContent = `${i.environment} · ${i.nodeVersion.version}`;
  }, () => {});
  keys({ t: toggleTheme, g: () => { location.href = at === 'workers' ? './' : 'workers.html'; } });
}

// keys binds single keys, which do nothing while the user types.
export function keys(map) {
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches('input, textarea')) return;
    const f = map[e.key];
    if (f) { e.preventDefault(); f(e); }
  });
}
