export { asClient, becomeClient, type ClientIdentity } from './as-client.ts'
export * from './database.ts'
export { databaseMessageOf, SQL_STATE, sqlStateOf } from './database-error.ts'
export { textArray } from './text-array.ts'
