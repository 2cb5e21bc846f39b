import { expect, it } from 'vitest'
import { inSpan } from './span.ts'

it('OPS-R17 a span ends with its work: it answers what that answers, and throws what it throws, to its caller alone', async () => {
  const unhandled: unknown[] = []
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault()
    unhandled.push(event.reason)
  }
  addEventListener('unhandledrejection', listen)
  try {
    const noted = await inSpan('tidemark.push', async (note) => {
      note({ mutations: 1, object: null })
      return 'done'
    })
    expect(noted).toBe('done')
    const fault = new Error('not now')
    await expect(inSpan('tidemark.capture', () => Promise.reject(fault))).rejects.toBe(fault)
    // Rejections that nobody took are told at the end of the turn.
    await new Promise((resolve) => setTimeout(resolve))
    expect(unhandled).toEqual([])
  } finally {
    removeEventListener('unhandledrejection', listen)
  }
})
