import { expect, onTestFinished, test, vi } from 'vitest'
import { TidemarkError } from '../../protocol/index.ts'
import { type AskableTab, askTabs } from './leader-token.ts'

const asked: string[] = []
const tab = (name: string, isVisible: boolean, answer: () => Promise<string>): AskableTab => ({
  isVisible,
  askToken: () => {
    asked.push(name)
    return answer()
  },
})
const refused = () => Promise.reject(new TidemarkError('unauthenticated', 'Signed out.'))

test('TAB-R8 a token is asked of one tab after the other, visible ones first, until one has one', async () => {
  asked.length = 0
  const token = await askTabs([
    tab('hidden', false, async () => 'never asked'),
    tab('visible', true, refused),
    tab('visible too', true, async () => 'a token'),
  ])
  expect(token).toBe('a token')
  expect(asked).toEqual(['visible', 'visible too'])
})

test('TAB-R8 where no tab has a token, what the last one said is said', async () => {
  await expect(askTabs([tab('one', true, refused)])).rejects.toMatchObject({ kind: 'unauthenticated' })
  await expect(askTabs([])).rejects.toMatchObject({ kind: 'unavailable' })
})

test('TAB-R8 a tab that does not answer for a token is passed over after ten seconds, and never asked twice', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  asked.length = 0
  const token = askTabs([
    tab('asleep', true, () => new Promise(() => undefined)),
    tab('hidden', false, async () => 'a token'),
  ])
  await vi.advanceTimersByTimeAsync(9_999)
  expect(asked).toEqual(['asleep'])
  await vi.advanceTimersByTimeAsync(1)
  expect(await token).toBe('a token')
  const late = askTabs([tab('asleep', true, () => new Promise(() => undefined))])
  const refusal = expect(late).rejects.toMatchObject({ kind: 'unavailable' })
  await vi.advanceTimersByTimeAsync(10_000)
  await refusal
  expect(asked).toEqual(['asleep', 'hidden', 'asleep'])
})
