import { type PredictedChange, quoteLiteral, type Rejection } from '../../protocol/index.ts'

export interface RecordedMutation {
  readonly client: string
  readonly counter: number
  readonly predicted?: readonly PredictedChange[] | null
  readonly rejection?: Rejection
}

/** Makes the statement with which a pushed mutation's transaction begins, or which records its rejection. */
export function recordMutation({ client, counter, predicted = null, rejection }: RecordedMutation): string {
  const json = (value: unknown) =>
    value === undefined || value === null ? 'NULL' : quoteLiteral(JSON.stringify(value))
  return `INSERT INTO tidemark.mutation (client_id, counter, user_id, digest, status, rejection, predicted)
    VALUES (${quoteLiteral(client)}, ${counter}, 'u', 'digest', '${rejection ? 'rejected' : 'committed'}', ${json(rejection)}, ${json(predicted)})
    ON CONFLICT DO NOTHING`
}
