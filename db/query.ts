/** Runs one statement; parameters are `$1…`, every value comes back as Postgres text or null. */
export type Query = (
  text: string,
  params?: readonly (string | number | boolean | null)[],
) => Promise<Record<string, string | null>[]>
