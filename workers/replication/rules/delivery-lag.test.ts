import { expect, test } from 'vitest'
import { asLsn } from '../../../protocol/index.ts'
import { DeliveryLag } from './delivery-lag.ts'

const lsn = (step: number) => asLsn(step.toString(16).padStart(16, '0'))

test('OPS-R2 the lag of a delivery counts from the first commit that it acknowledges', () => {
  const lag = new DeliveryLag()
  lag.owe('s', { to: lsn(1), commitMs: 100, sinceMs: 1 })
  lag.owe('s', { to: lsn(2), commitMs: 200, sinceMs: 2 })
  lag.owe('s', { to: lsn(3), commitMs: 300, sinceMs: 3 })
  expect(lag.acknowledge('s', lsn(0))).toBeNull()
  expect(lag.acknowledge('s', lsn(1))).toBe(100)
  expect(lag.longest(10)).toEqual({ subscriber: 's', ms: 8 })
  expect(lag.acknowledge('s', lsn(2))).toBeNull()
  expect(lag.acknowledge('s', lsn(3))).toBe(200)
  expect(lag.longest(10)).toBeNull()
})

test('OPS-R2 the subscriber that owes longest is named, until it has left or another history begins', () => {
  const lag = new DeliveryLag()
  lag.owe('late', { to: lsn(1), commitMs: 0, sinceMs: 1 })
  lag.owe('later', { to: lsn(1), commitMs: 0, sinceMs: 5 })
  expect(lag.longest(10)).toEqual({ subscriber: 'late', ms: 9 })
  lag.forget('late')
  expect(lag.longest(10)).toEqual({ subscriber: 'later', ms: 5 })
  lag.clear()
  expect(lag.longest(10)).toBeNull()
})
