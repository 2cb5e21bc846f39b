/** Loads what a replica needs only at times; it is there at once where it was loaded before. Rule PRF-R2. */
export const loadSeldomParts = () => import('./seldom-parts.ts')
