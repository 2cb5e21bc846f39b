import type { Parameter } from '../../db/query.ts'

/** Rows as arrays in the order of the select list, every value Postgres text or null. */
export type TextRows = (string | null)[][]
export type QueryRows = (text: string, params?: readonly Parameter[]) => Promise<TextRows>

export interface PageOptions {
  /** The most rows that a page may have. Default 5,000. */
  readonly maxRows?: number
  /** The page size follows the rows seen so that a page stays near this many characters. Default 4 Mi. */
  readonly targetChars?: number
  /** Lets `last` be asked for; the server then keeps what it has read. */
  readonly scroll?: boolean
}

export interface Pages extends AsyncIterable<TextRows> {
  /**
   * Returns the last row of all, ahead of its turn while the pages are being read; null when there is none. Needs
   * `scroll`.
   */
  last(): Promise<(string | null)[] | null>
}
