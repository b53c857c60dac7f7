// SQL text with colors, line numbers and the place of an error.
import { h } from './common.js';

const words = new Set(`all alter and any array as asc between by case cast coalesce commit create cross current_date date deallocate delete desc describe distinct
drop else end escape except exclude execute exists explain extract false fetch filter first following for from full group grouping having if immediate in inner insert
intersect interval into is join last lateral left like limit map natural not null nulls offset on only or order outer over partition preceding prepare range recursive
right rollback row rows select session set show some start table then time timestamp transaction true try_cast unbounded union unnest update use using values view when where window with`.split(/\s+/));
const token = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*(?:'|$))|("(?:[^"]|"")*(?:"|$))|(\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|([A-Za-z_][A-Za-z0-9_]*)|(\n)|([^])/g;

// lines cuts text into lines of spans.
function lines(text) {
  const out = [[]];
  const put = (cls, s) => s.split('\n').forEach((part, i) => {
    if (i > 0) out.push([]);
    if (part) out[out.length - 1].push(cls ? h('span', { class: cls }, part) : part);
  });
  for (const m of text.matchAll(token)) {
    if (m[1]) put('co', m[1]);
    else if (m[2]) put('st', m[2]);
    else if (m[4]) put('nu', m[4]);
    else if (m[5] && words.has(m[5].toLowerCase())) put('kw', m[5]);
    else put('', m[0]);
  }
  return out;
}

// code returns the text as an element; where is an errorLocation or nothing.
export function code(text, where) {
  const pre = h('pre', { class: 'code' });
  lines(text).forEach((spans, i) => {
    const n = h('span', { class: 'ln' }, String(i + 1));
    if (where?.lineNumber !== i + 1) {
      pre.append(n, ...spans, '\n');
      return;
    }
    pre.append(h('span', { class: 'errline' }, n, ...spans, ' '));
    pre.append(h('span', { class: 'caret' }, h('span', { class: 'ln' }, ''), ' '.repeat(Math.max(0, where.columnNumber - 1)) + '▲'));
  });
  return pre;
}
