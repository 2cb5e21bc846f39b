import { describe, expect, test } from 'vitest'
import { asLsn, type Lsn } from '../../protocol/index.ts'
import { fenceOf, joinPosition, type SnapshotFacts } from './join-position.ts'

const lsn = (text: string) => asLsn(text.padStart(16, '0'))
const WAL = { walBlockBytes: 8192, walSegmentBytes: 16 * 1024 * 1024 }

function facts(
  over: Partial<Omit<SnapshotFacts, 'epoch'>> & { epoch?: Partial<NonNullable<SnapshotFacts['epoch']>> | null } = {},
): SnapshotFacts {
  const { epoch, ...rest } = over
  return {
    snapshot: '800:810:805',
    definitionHash: 'h',
    definitionLsn: lsn('1000'),
    firstHidden: null,
    insertLsn: lsn('10000000abcd'),
    ...WAL,
    ...rest,
    epoch: epoch === null ? null : { id: 'e', head: lsn('ffffff00'), floor: lsn('1000'), startXid: 700n, ...epoch },
  }
}

describe('where the stream joins a snapshot', () => {
  test('SNP-R3 at the captured head, with the insert position as fence', () => {
    expect(joinPosition(facts(), 'h')).toEqual({ start: lsn('ffffff00'), fence: lsn('10000000abcd') })
  })

  test('SNP-R3 below the first captured transaction that is hidden, across 0/FFFFFFFF', () => {
    const position = joinPosition(facts({ epoch: { head: lsn('100000500') }, firstHidden: lsn('100000000') }), 'h')
    expect(position).toMatchObject({ start: lsn('ffffffff') })
  })

  test('SNP-R3 a hidden transaction above the head lowers nothing', () => {
    expect(joinPosition(facts({ firstHidden: lsn('ffffff08') }), 'h')).toMatchObject({ start: lsn('ffffff00') })
  })

  test.each<[string, SnapshotFacts, string]>([
    ['no epoch', facts({ epoch: null }), 'no-epoch'],
    ['no definition', facts({ definitionHash: null }), 'no-definition'],
    [
      'another definition than the one whose tables were locked',
      facts({ definitionHash: 'other' }),
      'definition-changed',
    ],
    ['xmin at the xid assigned after the slot', facts({ epoch: { startXid: 800n } }), 'epoch-young'],
    ['capture short of the definition', facts({ definitionLsn: null }), 'definition-ahead'],
    [
      'a hidden transaction before the definition',
      facts({ definitionLsn: lsn('2000'), firstHidden: lsn('1800') }),
      'definition-ahead',
    ],
    [
      'a hidden transaction that is pruned',
      facts({ epoch: { floor: lsn('9000') }, firstHidden: lsn('8000') }),
      'behind-floor',
    ],
  ])('SNP-R5 waits with %s', (_, given, wait) => {
    expect(joinPosition(given, 'h')).toEqual({ wait })
  })

  test('SNP-R5 an xmin just above the xid will do', () => {
    expect(joinPosition(facts({ epoch: { startXid: 799n } }), 'h')).toHaveProperty('start')
  })

  test.each<[string, Lsn, Lsn]>([
    ['right behind a page header', lsn('12018'), lsn('12000')],
    ['right behind a segment header', lsn('3000028'), lsn('3000000')],
    ['a record that ends 40 bytes into an inner page', lsn('12028'), lsn('12028')],
    ['24 bytes into a segment, where no record ends', lsn('12020'), lsn('12020')],
    ['a page start', lsn('12000'), lsn('12000')],
  ])('SNP-R3 the fence is the end of the last record: %s', (_, insertLsn, expected) => {
    expect(fenceOf({ insertLsn, ...WAL })).toBe(expected)
  })
})
