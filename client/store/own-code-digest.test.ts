import { expect, it } from 'vitest'
import { digestText } from './digest-text.ts'
import { OWN_CODE } from './own-code-ddl.ts'
import { OWN_CODE_DIGEST } from './own-code-digest.ts'

it('PRF-R2 the digest by which an opening knows the code of the own schema is that of its text', async () => {
  expect(OWN_CODE_DIGEST).toBe(await digestText(OWN_CODE))
})
