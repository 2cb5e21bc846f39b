/** The part of Node's request that is used here; Express hands on the same, with what it made of the body. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  readonly method?: string | undefined
  /** Express takes the path of a mount off `url`, and leaves it in `originalUrl`. */
  readonly url?: string | undefined
  readonly originalUrl?: string
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** What a parser in front of this made of the body, such as `express.json()`. */
  readonly body?: unknown
}

export interface NodeResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(text: string): unknown
}

/** Makes a handler of web requests into one of Node's `http` and of Express: `app.post(path, toNode(handler))`. */
export function toNode(
  handle: (request: Request) => Promise<Response>,
): (request: NodeRequest, response: NodeResponse) => Promise<void> {
  return async (request, response) => {
    const made = requestOf(request)
    const answer = made === null ? notARequest() : await handle(made)
    response.statusCode = answer.status
    answer.headers.forEach((value, name) => void response.setHeader(name, value))
    response.end(await answer.text())
  }
}

/** Null where Node takes what no web request can be, such as a TRACE: thrown, it would end the app's process. */
function requestOf(request: NodeRequest): Request | null {
  const method = request.method ?? 'GET'
  const hasBody = method !== 'GET' && method !== 'HEAD'
  try {
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined && !name.startsWith(':'))
        headers.set(name, typeof value === 'string' ? value : value.join(', '))
    const url = new URL(request.originalUrl ?? request.url ?? '/', 'http://localhost')
    return new Request(url, { method, headers, ...(hasBody ? { body: bodyOf(request), duplex: 'half' } : {}) })
  } catch {
    return null
  }
}

const notARequest = () =>
  Response.json({ kind: 'bad-input', message: 'This address takes no such request.' }, { status: 400 })

function bodyOf(request: NodeRequest): BodyInit {
  const { body } = request
  if (body === undefined) return streamOf(request)
  return typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body)
}

/** Read as it is asked for, so that what is too long is not taken in whole. */
function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = chunks[Symbol.asyncIterator]()
  return new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await reader.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: async () => void (await reader.return?.()),
  })
}
