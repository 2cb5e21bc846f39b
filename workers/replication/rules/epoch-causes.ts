const CAUSES: readonly (readonly [reason: RegExp, cause: string])[] = [
  [/^released/, 'The epoch was released by hand.'],
  [
    /^(system|timeline)-changed/,
    'The database was restored or is another branch: commits after the place it was taken back to are gone, and those that replicas have not had confirmed are sent again.',
  ],
  [
    /^(restored|log-went-back)/,
    'The database was put back to an earlier state: later commits are gone, and those that replicas have not had confirmed are sent again.',
  ],
  [
    /^slot-lost/,
    'Postgres gave the replication slot up, because capture did not read it for too long: raise max_slot_wal_keep_size, and see the checks error and cycle for what kept capture.',
  ],
  [
    /^slot-missing/,
    'The replication slot was dropped, or the database is a copy that came without it: look for who dropped it, and for a Neon slot that nobody read for 40 hours see that the cron trigger is deployed.',
  ],
  [/^slot-(replaced|moved)/, 'Somebody else made or read the replication slot: give them one of their own.'],
  [/^slot-renamed/, 'This deployment was given another slotName.'],
  [/^decoder-changed/, 'This deployment was given another decoder, or the former cannot capture the definition.'],
  [/^publication/, 'The publication tidemark was altered, and with it what Postgres sent: leave it to Tidemark.'],
]

/** Says in words what made an epoch begin, and what to do about it; empty for a reason that says it itself. */
export function epochCause(reason: string): string {
  return CAUSES.find(([pattern]) => pattern.test(reason))?.[1] ?? ''
}
