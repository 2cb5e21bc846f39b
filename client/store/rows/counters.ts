/** Writes SQL of the numbers in a parameter that `listOf` made, because an array type is not known to every connection. */
export const COUNTERS = (parameter: string) =>
  `(SELECT value::bigint FROM json_array_elements_text(${parameter}::text::json))`

/** Writes numbers as the parameter that `COUNTERS` reads. */
export const listOf = (numbers: Iterable<number>): string => JSON.stringify([...numbers])
