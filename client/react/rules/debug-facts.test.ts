import { expect, it } from 'vitest'
import { asLsn, TidemarkError } from '../../../protocol/index.ts'
import { INITIAL_STATUS } from '../../replica/status.ts'
import { mutationFacts, mutationTimes, queryFacts, statusFacts } from './debug-facts.ts'

const factsOf = (status: Parameters<typeof statusFacts>[0]) => Object.fromEntries(statusFacts(status))

it('words where a replica stands, and faults only where there are any', () => {
  const status = { ...INITIAL_STATUS, phase: 'live' as const, ready: true, lsn: asLsn('00000000000000ff') }
  const calm = factsOf({ ...status, head: asLsn('0000000000000100'), audiences: ['all', 'org:a'], pending: 2 })
  expect(calm).toMatchObject({ phase: 'live', lsn: '0/FF', head: '0/100', behind: '1 bytes', audiences: 'all, org:a' })
  expect(calm).toMatchObject({ outbox: '2 pending, 0 failed' })
  const [there, away] = [
    { ...status, head: status.lsn },
    { ...status, head: status.lsn, phase: 'offline' as const },
  ]
  expect([there, away, INITIAL_STATUS].map((one) => factsOf(one).behind)).toEqual(['nothing', 'unknown', 'unknown'])
  expect(calm).not.toHaveProperty('error')
  expect(calm).not.toHaveProperty('tabs')
  const error = new TidemarkError('unavailable', 'No server.')
  const ill = factsOf({
    ...INITIAL_STATUS,
    error,
    refused: { 'public.a': 'why' },
    unprotected: 'full',
    tabs: { role: 'leader', count: 3 },
  })
  expect(ill).toMatchObject({
    phase: 'offline, not ready',
    error: 'unavailable: No server.',
    'refused tables': 'public.a',
    unprotected: 'full',
    tabs: 'leader of 3',
  })
})

it('RCT-R9 words the versions of the schema: what came, what is on its way, and what could not be taken', () => {
  expect(factsOf(INITIAL_STATUS)).toMatchObject({ migrations: 'none since it was opened' })
  const migrations = {
    ...INITIAL_STATUS.migrations,
    version: 7,
    applied: [6, 7],
    pending: [8],
    failed: { version: 8, error: 'no such type', retries: 2 },
  }
  expect(factsOf({ ...INITIAL_STATUS, migrations })).toMatchObject({
    definition: '7',
    migrations: 'applied 6, 7; pending 8',
    'version 8': 'not taken after 2 retries: no such type',
  })
})

it('words the runs of a live query, and what runs it again', () => {
  const query = {
    text: 'SELECT 1',
    params: 0,
    clients: 1,
    tables: ['"public"."item"'],
    keys: ['id'],
    runsAlways: false,
    state: 'open' as const,
    rows: 3,
    runs: 4,
    lastMs: 2,
    totalMs: 10,
  }
  expect(queryFacts(query)).toEqual({
    runs: '4 × 2.5 ms, last 2.0 ms',
    reads: '"public"."item" by id',
    shown: '3 rows, 1 reader',
  })
  expect(queryFacts({ ...query, runs: 0, totalMs: 0, runsAlways: true, state: 'ended', clients: 2 })).toMatchObject({
    reads: 'each commit',
    shown: '3 rows, 2 readers, ended',
  })
})

it('words what a mutation does and how long each step took', () => {
  const write = { table: 'public.item', op: 'update', before: null, after: null } as const
  expect(mutationFacts({ action: null, writes: [write, write, { ...write, op: 'delete' }] })).toBe(
    'update item ×2, delete item',
  )
  expect(mutationFacts({ action: { name: 'finish', args: null }, writes: [] })).toBe('finish()')
  expect(mutationFacts({ action: null, writes: [] })).toBe('patch')
  const at = '2026-11-30T18:00:00.000Z'
  const madeMs = Date.parse(at)
  expect(mutationTimes({ at, seenAt: { pending: madeMs, sent: madeMs + 20, confirmed: madeMs + 1_500 } })).toBe(
    'sent +20 ms · confirmed +1.5 s',
  )
})
