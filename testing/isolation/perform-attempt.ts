import { gunzipSync } from 'node:zlib'
import { LIMITS, SUBPROTOCOL, TOKEN_SUBPROTOCOL_PREFIX } from '../../protocol/index.ts'
import type { Attempt, Shown } from './plan-attempts.ts'

/** Everything that came back, as text. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** Makes one attempt and answers everything that came back; `tokens` holds the token for each way to show one. */
export async function performAttempt(
  url: string,
  attempt: Attempt,
  tokens: Readonly<Record<Shown, string | null>>,
): Promise<Answer> {
  const token = tokens[attempt.shown]
  if (attempt.kind === 'socket') return talk(url, attempt.frames, token)
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  if (token !== null) headers.authorization = `Bearer ${token}`
  const body = attempt.kind === 'post' ? { body: withProtocol(attempt.body) } : {}
  const answer = await fetch(`${url}${attempt.path}`, { method: attempt.kind, headers, ...body })
  const bytes = Buffer.from(await answer.arrayBuffer())
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes
  // These headers differ even between two equal answers, so they reveal nothing.
  const told = [...answer.headers].filter(([name]) => name !== 'date' && name !== 'content-length')
  return { status: answer.status, text: `${JSON.stringify(told)}\n${plain.toString('utf8')}` }
}

const withProtocol = (body: unknown) =>
  JSON.stringify(body).replaceAll('"protocol":0', `"protocol":${LIMITS.protocolVersion}`)

/** Sends frames, the later ones once a welcome has come or none will; answers all that comes until the socket ends. */
function talk(url: string, frames: readonly string[], token: string | null): Promise<Answer> {
  const protocols = [SUBPROTOCOL]
  if (token !== null) protocols.push(`${TOKEN_SUBPROTOCOL_PREFIX}${Buffer.from(token).toString('base64url')}`)
  const socket = new WebSocket(`${url.replace('http', 'ws')}/sync/socket`, protocols)
  const heard: string[] = []
  return new Promise((resolve) => {
    socket.onopen = () => {
      const [first, ...later] = frames
      const sayLater = (epoch: string) => {
        for (const frame of later)
          if (socket.readyState === WebSocket.OPEN) socket.send(frame.replace('«epoch»', epoch))
      }
      if (first !== undefined) socket.send(withProtocol(JSON.parse(first)))
      const isHello = first?.includes('"hello"') === true
      if (!isHello) sayLater('')
      socket.onmessage = ({ data }) => {
        heard.push(String(data))
        const frame: unknown = JSON.parse(String(data))
        const isWelcome = typeof frame === 'object' && frame !== null && 'type' in frame && frame.type === 'welcome'
        if (isHello && isWelcome) sayLater('epoch' in frame ? String(frame.epoch) : '')
      }
    }
    socket.onclose = ({ code, reason }) => resolve({ status: code, text: [...heard, reason].join('\n') })
  })
}
