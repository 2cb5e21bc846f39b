import { TidemarkError } from '../../protocol/index.ts'

/** The JSON of a request's body, of which no more than this is read. Throws `limit-exceeded` or `bad-input`. */
export async function readJson(request: Request, maxChars: number): Promise<unknown> {
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
  try {
    return JSON.parse(text + decoder.decode())
  } catch (error) {
    throw new TidemarkError('bad-input', 'The body of this request is no JSON.', { cause: error })
  }
}
