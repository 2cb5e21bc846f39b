import { TidemarkError } from '../../protocol/index.ts'

/** The JSON of a request's body, of which no more than this is read. Throws `limit-exceeded` or `bad-input`. */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  const reader = request.body?.getReader()
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > maxBytes) {
      await reader.cancel()
      throw new TidemarkError('limit-exceeded', `A request has at most ${maxBytes} bytes; send less at once.`)
    }
    text += decoder.decode(value, { stream: true })
  }
  text += decoder.decode()
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new TidemarkError('bad-input', 'The body of this request is no JSON.', { cause: error })
  }
}
