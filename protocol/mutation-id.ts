/** `client:counter`, for good. */
export type MutationId = string & { readonly __brand: 'MutationId' }

export const mutationId = (client: string, counter: number): MutationId => `${client}:${counter}` as MutationId

/** The counter in a mutation's id; no safe integer where the text is no such id. */
export const counterOf = (id: string): number => Number(id.slice(id.lastIndexOf(':') + 1))
