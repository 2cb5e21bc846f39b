/** The digest of `OWN_CODE`, by which an opening knows without that text whether a database has it; its test tells a new one. */
export const OWN_CODE_DIGEST = '7edddcd6ff96f0c6'
