import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../protocol/index.ts'
import { decodeSession, encodeSession } from '../sync/session-header.ts'
import { checkAudiences, placeByOrg } from './audience-list.ts'
import { bearerToken, subprotocolToken } from './request-token.ts'

const socketHeaders = (value: string) => new Headers({ 'sec-websocket-protocol': value })

describe('audiences', () => {
  it('SEC-05 keep their order, without doubles, and must be names', () => {
    expect(checkAudiences(['org:b', 'all', 'org:b', 'user:é😀'])).toEqual(['org:b', 'all', 'user:é😀'])
    for (const wrong of [
      null,
      'all',
      [1],
      ['x'],
      ['__proto__:1'],
      ['org:\0'],
      ['org:\ud800'],
      ['client:0123456789abcdef'],
      [`org:${'x'.repeat(600)}`],
    ]) {
      expect(() => checkAudiences(wrong)).toThrow(/audiences\(\) must/)
    }
    const many = Array.from({ length: LIMITS.audiencesPerSession + 1 }, (_, index) => `org:${index}`)
    expect(() => checkAudiences(many)).toThrow(/at most/)
  })

  it('DIS-R16 place a session by its first org, else its first audience, else its user', () => {
    expect(placeByOrg({ userId: 'u', audiences: ['all', 'org:2', 'org:1'] })).toBe('org:2')
    expect(placeByOrg({ userId: 'u', audiences: ['team:2', 'all'] })).toBe('team:2')
    expect(placeByOrg({ userId: 'u', audiences: [] })).toBe('user:u')
  })
})

describe('tokens of requests', () => {
  it('SEC-01 are read from the subprotocol list and the bearer header, nothing else', () => {
    expect(subprotocolToken(socketHeaders('tidemark.v1, tidemark.token.w6kuYg'))).toBe('é.b')
    expect(subprotocolToken(socketHeaders('tidemark.token.w6kuYg'))).toBeNull()
    expect(subprotocolToken(socketHeaders('tidemark.v1'))).toBeNull()
    expect(subprotocolToken(socketHeaders('tidemark.v1, tidemark.token.a, tidemark.token.b'))).toBeNull()
    expect(subprotocolToken(socketHeaders('tidemark.v1, tidemark.token._w'))).toBeNull()
    expect(bearerToken(new Headers({ authorization: 'bearer abc' }))).toBe('abc')
    expect(bearerToken(new Headers({ authorization: 'Basic abc' }))).toBeNull()
    expect(bearerToken(new Headers())).toBeNull()
  })
})

describe('the session header', () => {
  it('SEC-05 carries any session in ASCII, and nothing that is none', () => {
    const session = {
      userId: 'é😀\n',
      claims: { a: ['\u2028'] },
      audiences: ['org:ü'],
      expiresAtMs: 5,
      syncName: 'org:ü',
    }
    const text = encodeSession(session)
    expect(text).toMatch(/^[\x20-\x7e]*$/)
    expect(decodeSession(text)).toEqual(session)
    for (const wrong of [null, '', '{', '{}', '[]', JSON.stringify({ ...session, audiences: 'all' })]) {
      expect(decodeSession(wrong)).toBeNull()
    }
  })
})
