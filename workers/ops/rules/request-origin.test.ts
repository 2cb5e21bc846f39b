import { expect, test } from 'vitest'
import { isOwnPage, needsSecure } from './request-origin.ts'

const URL_HERE = 'https://app.example/ops/actions'

test.each([
  [{ site: 'same-origin', origin: 'https://app.example' }, true],
  // A development server may hand the request on under another name.
  [{ site: 'same-origin', origin: 'http://localhost:8787' }, true],
  [{ site: 'same-site', origin: 'https://app.example' }, false],
  [{ site: 'cross-site', origin: 'https://app.example' }, false],
  [{ site: 'none', origin: null }, false],
  [{ site: null, origin: 'https://app.example' }, true],
  [{ site: null, origin: 'https://other.example' }, false],
  [{ site: null, origin: 'null' }, false],
  [{ site: null, origin: null }, false],
])('OPS-R8 a request with %o comes from our own page: %s', (headers, isOurs) => {
  expect(isOwnPage({ url: URL_HERE, ...headers })).toBe(isOurs)
})

test.each([
  ['https://app.example/ops', true],
  ['http://app.example/ops', true],
  ['https://localhost/ops', true],
  ['http://localhost:8787/ops', false],
  ['http://127.0.0.1:8787/ops', false],
  ['http://[::1]:8787/ops', false],
  ['http://localhost.example/ops', true],
])('OPS-R8 the cookie of %s is kept from plain HTTP: %s', (url, isSecure) => {
  expect(needsSecure(url)).toBe(isSecure)
})
