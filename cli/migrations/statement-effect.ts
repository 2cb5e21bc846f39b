/** What a statement may do: alter the schema, write rows, or, as far as its text tells, both or neither. */
export type StatementEffect = 'schema' | 'rows' | 'both' | 'neither'

const EFFECTS: Readonly<Record<string, StatementEffect>> = {
  alter: 'schema',
  comment: 'schema',
  create: 'schema',
  drop: 'schema',
  grant: 'schema',
  revoke: 'schema',
  copy: 'rows',
  delete: 'rows',
  insert: 'rows',
  merge: 'rows',
  select: 'rows',
  truncate: 'rows',
  update: 'rows',
  with: 'rows',
  lock: 'neither',
  reset: 'neither',
  set: 'neither',
}

/**
 * Answers what a statement may do by the words that it begins with. A function or a trigger that it calls may do more:
 * what that writes is counted by the server, and what it alters is found in the catalogue, so that it costs a load at most.
 */
export function effectOf(statement: string): StatementEffect {
  const bare = statement.replace(/^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/, '')
  const [, word = '', next = ''] = /^([a-z]+)\s*([a-z]*)/i.exec(bare) ?? []
  // Deferred triggers run then.
  if (word.toLowerCase() === 'set' && next.toLowerCase() === 'constraints') return 'rows'
  return EFFECTS[word.toLowerCase()] ?? 'both'
}
