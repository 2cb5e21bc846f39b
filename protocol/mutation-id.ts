/** `client:counter`, permanent. */
export type MutationId = string & { readonly __brand: 'MutationId' }

export const mutationId = (client: string, counter: number): MutationId => `${client}:${counter}` as MutationId

/** Returns the counter in a mutation's id; not a safe integer where the text is no such id. */
export const counterOf = (id: string): number => Number(id.slice(id.lastIndexOf(':') + 1))
