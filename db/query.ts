/** A parameter of a statement; bytes are text in UTF-8. */
export type Parameter = string | number | boolean | null | Uint8Array

/** Runs one statement; parameters are `$1…`, every value comes back as Postgres text or null. */
export type Query = (text: string, params?: readonly Parameter[]) => Promise<Record<string, string | null>[]>
