export { asClient, becomeClient, type ClientIdentity } from './as-client.ts'
export * from './database.ts'
export { DatabaseFault, databaseMessageOf, SQL_STATE, sqlStateOf, toDatabaseError } from './database-error.ts'
export { textArray } from './text-array.ts'
