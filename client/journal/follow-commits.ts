import type { Database } from '../store/database.ts'

/** Makes every call of the database wait for `recorded` before it ends, also by an error: it may have committed. */
export function followCommits(db: Database, recorded: () => Promise<void>): void {
  const after =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      try {
        return await call.apply(db, args)
      } finally {
        await recorded()
      }
    }
  db.query = after(db.query) as Database['query']
  db.sql = after(db.sql) as Database['sql']
  db.exec = after(db.exec)
  db.transaction = after(db.transaction) as Database['transaction']
}
