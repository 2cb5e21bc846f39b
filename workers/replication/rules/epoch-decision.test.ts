import { describe, expect, test } from 'vitest'
import { asLsn, type Lsn } from '../../../protocol/index.ts'
import {
  type CaptureMemory,
  decideEpoch,
  type EpochRow,
  NO_MEMORY,
  type OwnIdentity,
  type ServerFacts,
  type SlotFacts,
} from './epoch-decision.ts'

const lsn = (step: number): Lsn => asLsn((0xfffffff0n + BigInt(step)).toString(16).padStart(16, '0'))
const own: OwnIdentity = { owner: 'me', slotName: 's', decoder: 'auto' }
const epoch: EpochRow = {
  id: 'e',
  slotName: 's',
  owner: 'me',
  decoder: 'wal2json',
  systemIdentifier: '1',
  timeline: 1,
  startLsn: lsn(10),
  headLsn: lsn(20),
  floorLsn: lsn(10),
  definitionVersion: 1,
}
const slot: SlotFacts = {
  database: 'd',
  plugin: 'wal2json',
  active: false,
  lost: null,
  restartLsn: lsn(10),
  confirmedFlushLsn: lsn(20),
}
const facts: ServerFacts = { database: 'd', systemIdentifier: '1', timeline: 1, flushLsn: lsn(30), slot, epoch }
const memory: CaptureMemory = { ...NO_MEMORY, epoch: 'e', capturedTo: lsn(25), advancedTo: lsn(25), headLsn: lsn(20) }
const begins = (reason: string) => ({ action: 'start', reason })
const goesOn = { action: 'continue' }

describe('a history goes on', () => {
  test.each<[string, Partial<ServerFacts>]>([
    ['where the slot is held by somebody right now', { slot: { ...slot, active: true } }],
    ['where the slot stands where it was moved to', { slot: { ...slot, confirmedFlushLsn: lsn(25) } }],
    ['where the log ends at what was captured', { flushLsn: lsn(25) }],
    ['where the slot went back', { slot: { ...slot, confirmedFlushLsn: lsn(2) } }],
    ['where the slot says nothing of its place', { slot: { ...slot, confirmedFlushLsn: null } }],
  ])('CAP-R12 FLT-02 %s', (_, change) => {
    expect(decideEpoch({ ...facts, ...change }, memory, own)).toEqual(goesOn)
  })

  test('CAP-R13 where the object has lost all memory, whatever the slot’s place', () => {
    expect(decideEpoch(facts, NO_MEMORY, own)).toEqual(goesOn)
    expect(decideEpoch({ ...facts, slot: { ...slot, confirmedFlushLsn: lsn(29) } }, NO_MEMORY, own)).toEqual(goesOn)
  })

  test('CAP-R12 where the head has grown beyond what is remembered, and the slot with it', () => {
    const grown = { ...facts, epoch: { ...epoch, headLsn: lsn(28) }, slot: { ...slot, confirmedFlushLsn: lsn(28) } }
    expect(decideEpoch(grown, memory, own)).toEqual(goesOn)
  })

  test('CAP-R22 `auto` keeps the decoder with which the epoch began', () => {
    const other = { ...facts, epoch: { ...epoch, decoder: 'pgoutput' }, slot: { ...slot, plugin: 'pgoutput' } }
    expect(decideEpoch(other, memory, own)).toEqual(goesOn)
    expect(decideEpoch(facts, memory, { ...own, decoder: 'wal2json' })).toEqual(goesOn)
  })
})

describe('another begins', () => {
  test('CAP-R12 where there was none, or the one there was has been released', () => {
    expect(decideEpoch({ ...facts, epoch: null }, NO_MEMORY, own)).toEqual(begins('first'))
    expect(decideEpoch({ ...facts, epoch: null, slot: null }, NO_MEMORY, own)).toEqual(begins('first'))
    expect(decideEpoch({ ...facts, epoch: null }, memory, own)).toEqual(begins('released'))
  })

  test.each<[string, Partial<OwnIdentity>, string]>([
    ['another slot is asked for', { slotName: 'other' }, 'slot-renamed'],
    ['another decoder is asked for', { decoder: 'pgoutput' }, 'decoder-changed'],
  ])('CAP-R12 where %s', (_, change, reason) => {
    expect(decideEpoch(facts, memory, { ...own, ...change })).toEqual(begins(reason))
  })

  test.each<[string, Partial<ServerFacts>, string]>([
    ['the server is another system', { systemIdentifier: '2' }, 'system-changed'],
    ['the server is on another timeline', { timeline: 2 }, 'timeline-changed'],
    ['the database holds another epoch', { epoch: { ...epoch, id: 'x' } }, 'restored'],
    ['there is no slot', { slot: null }, 'slot-missing'],
    ['the slot is of another plugin', { slot: { ...slot, plugin: 'pgoutput' } }, 'slot-replaced'],
  ])('FLT-03 CAP-R12 where %s', (_, change, reason) => {
    expect(decideEpoch({ ...facts, ...change }, memory, own)).toEqual(begins(reason))
  })

  test('OPS-R9 where an operator wants another slot, but never in place of the epoch’s owner', () => {
    const asked = { ...memory, rebuild: 'request' }
    expect(decideEpoch(facts, asked, own)).toEqual(begins('rebuilt by an operator'))
    expect(() => decideEpoch({ ...facts, epoch: { ...epoch, owner: 'other' } }, asked, own)).toThrow(
      /Another deployment/,
    )
  })

  test('CAP-R12 by one position beyond what we moved the slot to, and not before', () => {
    const moved = (step: number) =>
      decideEpoch({ ...facts, slot: { ...slot, confirmedFlushLsn: lsn(step) } }, memory, own)
    expect(moved(25)).toEqual(goesOn)
    expect(moved(26)).toEqual(begins('slot-moved'))
  })

  test('CAP-R12 by one position of log that is lacking, also where only the head is known', () => {
    expect(decideEpoch({ ...facts, flushLsn: lsn(24) }, memory, own)).toEqual(begins('log-went-back'))
    expect(decideEpoch({ ...facts, flushLsn: lsn(19) }, NO_MEMORY, own)).toEqual(begins('log-went-back'))
    expect(decideEpoch({ ...facts, flushLsn: lsn(20) }, NO_MEMORY, own)).toEqual(goesOn)
  })

  test('CAP-R12 FLT-03 where a database was put back whose log has grown past everything since', () => {
    const back = { ...facts, flushLsn: lsn(900), epoch: { ...epoch, headLsn: lsn(19) } }
    expect(decideEpoch(back, memory, own)).toEqual(begins('restored'))
  })

  test('CAP-R12 with the reason by which the server gave the slot up', () => {
    const lost = { ...facts, slot: { ...slot, lost: 'wal_removed' } }
    expect(decideEpoch(lost, memory, own)).toEqual(begins('slot-lost: wal_removed'))
  })

  test('CAP-R12 in a copy of a database that another deployment captures, which is not refused for it', () => {
    const copy = { ...facts, systemIdentifier: '2', epoch: { ...epoch, owner: 'other' } }
    expect(decideEpoch(copy, NO_MEMORY, own)).toEqual(begins('system-changed'))
    const promoted = { ...facts, timeline: 2, epoch: { ...epoch, owner: 'other' } }
    expect(decideEpoch(promoted, NO_MEMORY, own)).toEqual(begins('timeline-changed'))
  })
})

describe('it is refused', () => {
  const misconfigured = expect.objectContaining({ kind: 'misconfigured' })

  test('OPS-11 CAP-R12 where another deployment captures this database, with how to release it', () => {
    const foreign = { ...facts, epoch: { ...epoch, owner: 'other' } }
    expect(() => decideEpoch(foreign, memory, own)).toThrow(misconfigured)
    expect(() => decideEpoch(foreign, memory, own)).toThrow(/other.*UPDATE tidemark\.epoch/)
    // Not even a missing slot lets anybody take it over.
    expect(() => decideEpoch({ ...foreign, slot: null }, NO_MEMORY, own)).toThrow(misconfigured)
  })

  test('OPS-11 CAP-R12 where a slot of the name belongs to another database, though no epoch be there', () => {
    const foreign = { ...facts, slot: { ...slot, database: 'other' } }
    expect(() => decideEpoch(foreign, memory, own)).toThrow(/slotName/)
    expect(() => decideEpoch({ ...foreign, epoch: null }, NO_MEMORY, own)).toThrow(misconfigured)
  })
})
