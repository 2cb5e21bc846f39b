import { describe, expect, it } from 'vitest'
import { defineSync } from '../db/index.ts'
import { checkOptions, type SyncWorkerOptions } from './options.ts'

const sync = defineSync({ tables: {} })
const least: SyncWorkerOptions = { authenticate: () => null, audiences: () => [] }
const check =
  (options: object, first: unknown = sync) =>
  () =>
    checkOptions(first as typeof sync, options as SyncWorkerOptions)

describe('options of createSyncWorker', () => {
  it('DIS-R16 are few and have defaults', () => {
    expect(check(least)).not.toThrow()
    const all = {
      placement: () => 'x',
      decoder: 'auto',
      slotName: 'a_1',
      basePath: '/a/b',
      location: 'weur',
      cors: { origins: ['https://app.example', 'http://localhost:5173'] },
      pushTo: () => ({ url: 'https://app.example/api/mutations', secret: 'x' }),
    }
    expect(check({ ...least, ...all, intervals: { activeMs: 5 }, limits: { logChars: 5 } })).not.toThrow()
  })

  it.each([
    [{}, /authenticate must be a function/],
    [{ authenticate: least.authenticate }, /audiences must be a function/],
    [{ ...least, placement: 'user' }, /placement: `org`, `client`, or/],
    [{ ...least, decoder: 'wal' }, /decoder/],
    [{ ...least, slotName: 'Main-Slot' }, /slotName: 1 to 63/],
    [{ ...least, basePath: 'tidemark/' }, /basePath: such as/],
    [{ ...least, location: 'frankfurt' }, /location: one of wnam, enam/],
    [{ ...least, cors: { origins: ['nonsense'] } }, /cors.origins/],
    [{ ...least, cors: { origins: ['https://app.example/'] } }, /cors.origins: scheme, host and port, without a slash/],
    [{ ...least, pushTo: 'https://app.example' }, /pushTo must be a function/],
    [{ ...least, pushTo: () => ({}), actions: {} }, /with pushTo these are given to createMutationHandler/],
    [{ ...least, intervals: { activeMs: -1 } }, /intervals.activeMs/],
    [{ ...least, limits: { messages: { burst: 0, refillMs: 1 } } }, /limits.messages.burst/],
    [{ ...least, audience: () => [] }, /there is no option audience; did you mean audiences\?/],
    [{ ...least, intervals: { activMs: 5 } }, /intervals: there is no option activMs; did you mean activeMs\?/],
    [{ ...least, limits: { logChar: 5 } }, /limits: there is no option logChar; did you mean logChars\?/],
    [{ ...least, snapshots: { maxAge: 5 } }, /snapshots: there is no option maxAge; did you mean maxAgeMs\?/],
    [{ ...least, retention: { day: 5 } }, /retention: there is no option day; did you mean days\?/],
    [{ ...least, actions: { close: 1 } }, /actions.close: actions must be a function/],
    [{ ...least, actions: { close: async () => {} } }, /actions.close: defineSync\(\) declares no such action/],
    [{ ...least, onCommitted: 'x' }, /onCommitted must be a function/],
  ])('DIS-R16 are refused with the remedy: %o', (options, message) => {
    expect(check(options)).toThrow(message)
  })

  it('DIS-R16 say so when the first argument is no sync definition', () => {
    expect(check(least, {})).toThrow(/defineSync/)
  })
})
