import { LIMITS, TidemarkError, toTidemarkError } from '../../protocol/index.ts'

export type TokenFunction = () => string | Promise<string>

/** The token in use: asked for once, again after it was refused. Callers at the same time share one call. */
export class SessionToken {
  #function: TokenFunction
  #current: string | null = null
  #asking: Promise<string> | null = null

  constructor(tokenFunction: TokenFunction) {
    this.#function = tokenFunction
  }

  forgetToken(): void {
    this.#current = null
  }

  /**
   * Throws `unauthenticated` when the app has no token, `limit-exceeded` when it is too long to be sent, `unavailable` when
   * its function fails.
   */
  getToken({ fresh }: { readonly fresh: boolean }): Promise<string> {
    if (!fresh && this.#current !== null) return Promise.resolve(this.#current)
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }

  async #ask(): Promise<string> {
    let token: unknown
    try {
      token = await this.#function()
    } catch (error) {
      throw toTidemarkError(error, 'unavailable')
    }
    if (typeof token !== 'string' || token === '') {
      throw new TidemarkError('unauthenticated', 'The token function gave no token: return the signed-in user’s token.')
    }
    const { length } = new TextEncoder().encode(token)
    if (length > LIMITS.tokenBytes) throw new TidemarkError('limit-exceeded', tooLongToken(length))
    this.#current = token
    return token
  }
}

const tooLongToken = (bytes: number) =>
  `The token has ${bytes} bytes, and servers take ${LIMITS.tokenBytes} at most: leave claims out, and let \`audiences\` read them from the database.`
