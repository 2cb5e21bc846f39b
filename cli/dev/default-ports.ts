/** The port that the page is served on. */
export const DEFAULT_PORT = '8787'
/** The port of the embedded Postgres; not 5432, where one may run already. */
export const DEFAULT_POSTGRES_PORT = '54329'
