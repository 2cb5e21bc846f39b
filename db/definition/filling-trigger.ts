import type { CatalogueTrigger } from './catalogue.ts'

const ASSIGNS_ROW = /\bnew\s*:?=|\binto\s+(?:strict\s+)?new\b(?!\s*\.)/i
const RETURNED = /\breturn\s+([^;]*);/gi
/** Expressions that a trigger returns where it changes columns by name only, if at all. */
const PLAIN_RETURNS = new Set(['new', 'null', 'old', '(new)', 'coalesce(new, old)'])

const escaped = (name: string) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * Tells whether this trigger may put a value into the column of a row about to be written.
 *
 * In doubt the answer is yes: a NULL that no trigger fills is then refused by the server, while one that a trigger
 * would fill would otherwise be refused here.
 */
export function mayFill(trigger: CatalogueTrigger, column: string): boolean {
  // Such as tsvector_update_trigger or moddatetime, which get their columns as arguments.
  if (['internal', 'c'].includes(trigger.language) && trigger.arguments.length > 0)
    return trigger.arguments.includes(column)
  if (trigger.language !== 'plpgsql') return trigger.language !== 'internal'
  const { source } = trigger
  if (ASSIGNS_ROW.test(source)) return true
  const returned = [...source.matchAll(RETURNED)].map(([, what = '']) => what.trim().toLowerCase())
  if (returned.some((what) => !PLAIN_RETURNS.has(what))) return true
  return new RegExp(`(?<![\\w$])${escaped(column)}(?![\\w$])`, 'i').test(source)
}

/** Tells whether this trigger makes up the column's value where none is given, rather than work on the given one. */
export function makesUp(trigger: CatalogueTrigger, column: string): boolean {
  if (trigger.language !== 'plpgsql') return trigger.arguments.includes(column)
  const held = `new\\s*\\.\\s*"?${escaped(column)}"?(?![\\w$])`
  const assigned = new RegExp(`(?:^|;|\\b(?:begin|then|else|loop))\\s*${held}\\s*:?=([^;]*)`, 'gi')
  const found = [...trigger.source.matchAll(assigned)].map(([, value = '']) => value)
  if (new RegExp(`\\binto\\s+(?:strict\\s+)?${held}`, 'i').test(trigger.source)) return true
  return found.some((value) => /\bcoalesce\s*\(/i.test(value) || !new RegExp(held, 'i').test(value))
}
