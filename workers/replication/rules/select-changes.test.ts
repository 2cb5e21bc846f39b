import { expect, test } from 'vitest'
import { asLsn } from '../../../protocol/index.ts'
import { selectChanges } from './select-changes.ts'

test('SEC-04 CAP-R33 a mutation is told to subscribers of its client, and nobody else learns that there was one', () => {
  const at = { lsn: asLsn('0000000000000001'), xid: '1', at: '' }
  const mutation = { audience: 'client:x', text: '{"counter":1,"rejection":null,"predicted":null}' }
  const change = { audience: 'a', text: '{"o":"d","t":"t","a":"a","k":{}}' }
  const truncate = { audience: null, text: '{"o":"t","t":"t"}' }
  const transactions = [
    { ...at, changes: [mutation, change, truncate] },
    { ...at, changes: [mutation] },
  ]
  const told = (...audiences: string[]) => selectChanges(new Set(audiences), transactions).map(({ changes }) => changes)
  expect(told('a', 'client:x')).toEqual([[mutation, change, truncate], [mutation]])
  expect(told('a', 'client:y')).toEqual([[change, truncate]])
  expect(told('client:x')).toEqual([[mutation, truncate], [mutation]])
  expect(told()).toEqual([[truncate]])
})
