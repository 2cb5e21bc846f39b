import { TidemarkError } from '../../protocol/index.ts'

/** Reads a request's body, and no more of it than this. Throws `limit-exceeded`. */
export async function readBody(request: Request, maxChars: number): Promise<string> {
  const decoder = new TextDecoder()
  const reader = request.body?.getReader()
  let text = ''
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    text += decoder.decode(value, { stream: true })
    if (text.length > maxChars) {
      await reader.cancel()
      throw new TidemarkError('limit-exceeded', `A request has at most ${maxChars} characters; send less at once.`)
    }
  }
  return text + decoder.decode()
}

/** Parses a body. Throws `bad-input`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new TidemarkError('bad-input', 'The body of this request is no JSON.', { cause: error })
  }
}
