/** The tab that asks for something, and the name of its call, which stays the same when it asks again. */
export interface CallOrigin {
  readonly tab: string
  readonly call: string
}

/** Finds the tab and the call at the end of a statement; for Postgres, where it stands in a literal. */
export const CALL_MARK = '/\\*tidemark ([-\\w]{1,40}) ([-\\w]{1,40})\\*/$'

/** Answers a statement with its call at its end, which a trigger reads there: so it is noted in the same transaction. */
export const markWithCall = (text: string, { tab, call }: CallOrigin) => `${text}\n/*tidemark ${tab} ${call}*/`
